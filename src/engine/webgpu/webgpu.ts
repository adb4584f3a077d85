import { messageOf } from '../../errors.ts';
import type { Kernels } from '../../ops/kernels.ts';
import { tf } from '../../tf.ts';
import type { Engine } from '../contract.ts';
import { createWebgpuBackend, type WebgpuBackend } from './backend.ts';
import { createGridFeatureKernel, createImageTableMaker } from './batch.ts';
import { describeGpu, NoGpu, openDevice } from './device.ts';
import { registerElementwise } from './elementwise.ts';
import { createFieldKernel } from './field.ts';
import { createHeadsKernel } from './heads.ts';
import { registerMatmul } from './matmul.ts';
import { createOptimizerKernel } from './optimizer.ts';
import { createQuantiser } from './quantise.ts';
import { createRecorder } from './recorder.ts';

let started: { backend: WebgpuBackend; kernels: Kernels } | undefined;

/** Any GPU with a Vulkan, Metal or Direct3D 12 driver (npm `webgpu`, Dawn). */
export const webgpuEngine: Engine = {
  name: 'webgpu',
  description: 'the GPU through WebGPU (fused field kernels)',
  async probe() {
    try {
      const { name, software, halfPrecision, subgroupMatrices } = await describeGpu();
      const matrices = subgroupMatrices.map(({ M, N, K }) => `${M}x${N}x${K}`).join(', ');
      const abilities = [
        ...(halfPrecision ? ['16-bit floats'] : []),
        ...(matrices ? [`subgroup matrices ${matrices}`] : []),
      ];
      const detail = [name, ...abilities].join(', ');
      return software
        ? { available: true, detail, onlyByName: 'the processor plays this GPU, slowly' }
        : { available: true, detail };
    } catch (error) {
      if (!(error instanceof NoGpu)) throw error;
      return { available: false, reason: messageOf(error), remedy: error.remedy };
    }
  },
  async start() {
    started ??= await open();
    await tf.setBackend('webgpu');
    await tf.ready();
    return started.kernels;
  },
  device: () => started?.backend.opened.description.name ?? 'not started',
};

/** The device of the running engine. @throws Error where it has not been started. */
export function webgpuDevice(): GPUDevice {
  if (!started) throw new Error('the webgpu engine has not been started');
  return started.backend.device;
}

async function open(): Promise<NonNullable<typeof started>> {
  const backend = createWebgpuBackend(await openDevice());
  // Loading TensorFlow.js's backend registered it on a device of its own choice, which is not opened yet.
  if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => backend as never, 3);
  registerMatmul(backend);
  registerElementwise(backend);
  const kernels = {
    field: createFieldKernel(backend),
    heads: createHeadsKernel(backend),
    gridFeatures: createGridFeatureKernel(backend),
    imageTable: createImageTableMaker(backend),
    optimizer: createOptimizerKernel(backend),
    quantise: createQuantiser(backend),
    record: createRecorder(backend),
  };
  return { backend, kernels };
}
