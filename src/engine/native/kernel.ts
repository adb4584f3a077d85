/** What a replaced TensorFlow.js kernel looks like here, and how it takes the JavaScript one's place. */
import { type TensorInfo, tf } from '../../tf.ts';
import type { Addon } from './addon.ts';
import type { NativeBackend } from './backend.ts';
import { PROFILING, recordCall } from './profile.ts';

export interface KernelCall {
  addon: Addon;
  backend: NativeBackend;
  /** By name; kernels of many operands (Concat, AddN, Pack) have them as 0, 1, 2… */
  inputs: Record<string, TensorInfo>;
  // biome-ignore lint/suspicious/noExplicitAny: the attributes of each kernel are TensorFlow.js's own, untyped there too
  attrs: Record<string, any>;
}

/** The result, or undefined where this case is left to the JavaScript kernel. */
export type NativeKernel = (call: KernelCall) => TensorInfo | TensorInfo[] | undefined;

export type NativeKernels = Record<string, NativeKernel>;

type KernelFunction = (parameters: { inputs: unknown; backend: unknown; attrs?: unknown }) => TensorInfo | TensorInfo[];

export function isFloat(...tensors: readonly TensorInfo[]): boolean {
  return tensors.every((tensor) => tensor.dtype === 'float32');
}

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

/** Registers every kernel of the JavaScript backend for `native`, those in `kernels` in front of their originals. */
export function registerKernels(addon: Addon, kernels: NativeKernels): void {
  tf.copyRegisteredKernels('cpu', 'native');
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('native')) {
    const native = kernels[kernelName];
    if (!native && !PROFILING) continue;
    const original = kernelFunc as unknown as KernelFunction;
    const combined: KernelFunction = (parameters) => {
      const start = PROFILING ? performance.now() : 0;
      const result = native?.({ ...(parameters as unknown as KernelCall), addon });
      if (PROFILING && result) recordCall(kernelName, 'native', performance.now() - start);
      if (result) return result;
      const fallback = original(parameters);
      if (PROFILING) recordCall(kernelName, 'javascript', performance.now() - start);
      return fallback;
    };
    tf.unregisterKernel(kernelName, 'native');
    tf.registerKernel({ kernelName, backendName: 'native', kernelFunc: combined as never });
  }
}
