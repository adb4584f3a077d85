/** Kernels in place of some of TensorFlow.js's, where exactness or speed asks for it; the rest of its stays. */
import { type TensorInfo, tf } from '../../tf.ts';
import { SINE } from './activationShader.ts';
import type { GpuKernel, WebgpuBackend } from './backend.ts';
import { spread } from './dispatch.ts';

const SIZES = `
struct Sizes { values: u32, row: u32, rows: u32, unused: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;`;

/** Sine or cosine to 2e-7 by arithmetic alone: of a driver's own WGSL promises 5e-4, and encodings need more. */
function trigonometricKernel(name: 'sine' | 'cosine'): GpuKernel {
  const code = `${SIZES}
${SINE}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = 4u * (id.y * sizes.row + id.x);
  var angles = vec4f(0.0);
  for (var j = 0u; j < 4u; j++) { angles[j] = x[min(i + j, sizes.values - 1u)]; }
  let values = ${name}(angles);
  for (var j = 0u; j < 4u; j++) { if (i + j < sizes.values) { y[i + j] = values[j]; } }
}`;
  return { name, code, bindings: ['uniform', 'read', 'write'] };
}

/** Sums over leading axes, [rows, values] → [values]: what the gradients of everything that a batch shares are. */
const columnSumKernel: GpuKernel = {
  name: 'column sums',
  bindings: ['uniform', 'read', 'write'],
  code: `${SIZES}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.y * sizes.row + id.x;
  if (i >= sizes.values) { return; }
  var sum = 0.0;
  for (var r = 0u; r < sizes.rows; r++) { sum += x[r * sizes.values + i]; }
  y[i] = sum;
}`,
};

/** More rows than this are a long walk for one thread. */
const MOST_ROWS = 4096;

type KernelCall = Parameters<NonNullable<ReturnType<typeof tf.getKernel>>['kernelFunc']>[0];

/** Puts these kernels in the place of TensorFlow.js's; `replacement` may pass a call on to the original. */
export function registerElementwise(backend: WebgpuBackend): void {
  const run = (
    kernel: GpuKernel,
    x: TensorInfo,
    shape: readonly number[],
    values: number,
    rows: number,
    each: number,
  ) => {
    const y = backend.allocate(shape);
    const [across, down] = spread(Math.ceil(values / (64 * each)), backend.device);
    const sizes = backend.uniforms(Uint32Array.of(values, 64 * across, rows, 0).buffer);
    backend.run(kernel, [sizes, x, y], [across, down]);
    return y;
  };
  const isFloat = (x: TensorInfo) => x.dtype === 'float32' && tf.util.sizeFromShape(x.shape as number[]) > 0;

  for (const [kernelName, kernel] of [
    ['Sin', trigonometricKernel('sine')],
    ['Cos', trigonometricKernel('cosine')],
  ] as const) {
    replaceKernel(kernelName, ({ x }) => {
      return isFloat(x) ? run(kernel, x, x.shape, tf.util.sizeFromShape(x.shape as number[]), 1, 4) : undefined;
    });
  }

  replaceKernel('Sum', ({ x }, { axis, keepDims }) => {
    const axes = tf.util.parseAxisParam(axis as number | number[], x.shape as number[]);
    const leading = axes.length > 0 && axes.every((a, i) => a === i) && axes.length < x.shape.length;
    if (!isFloat(x) || !leading) return undefined;
    const rows = tf.util.sizeFromShape(x.shape.slice(0, axes.length));
    if (rows > MOST_ROWS) return undefined;
    const rest = x.shape.slice(axes.length);
    const shape = keepDims ? [...axes.map(() => 1), ...rest] : rest;
    return run(columnSumKernel, x, shape, tf.util.sizeFromShape(rest), rows, 1);
  });
}

function replaceKernel(
  kernelName: string,
  replacement: (inputs: Record<string, TensorInfo>, attrs: NonNullable<KernelCall['attrs']>) => TensorInfo | undefined,
): void {
  const original = tf.getKernel(kernelName, 'webgpu');
  tf.unregisterKernel(kernelName, 'webgpu');
  tf.registerKernel({
    ...original,
    kernelFunc: (call) =>
      replacement(call.inputs as Record<string, TensorInfo>, call.attrs ?? {}) ??
      (original.kernelFunc(call) as TensorInfo),
  });
}
