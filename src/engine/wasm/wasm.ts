import { tf } from '../../tf.ts';
import type { Engine } from '../contract.ts';
import { registerWasmKernels } from './kernels.ts';

let kernelsReplaced = false;

/** WebAssembly SIMD (TensorFlow.js wasm backend). */
export const wasmEngine: Engine = {
  name: 'wasm',
  description: 'WebAssembly SIMD on one core (TensorFlow.js wasm backend)',
  async probe() {
    return { available: true, detail: 'WebAssembly SIMD' };
  },
  async start() {
    await import('@tensorflow/tfjs-backend-wasm');
    await tf.setBackend('wasm');
    await tf.ready();
    if (!kernelsReplaced) registerWasmKernels();
    kernelsReplaced = true;
    return {};
  },
};
