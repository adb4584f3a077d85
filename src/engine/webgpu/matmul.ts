/**
 * Products of matrices, in place of TensorFlow.js's own, which adds parts of long sums by atomics on floats: here they go
 * to slices that are added in their order, so that a product has the same bits every time.
 */
import { type Tensor, type TensorInfo, tf } from '../../tf.ts';
import type { GpuKernel, WebgpuBackend } from './backend.ts';
import { spread } from './dispatch.ts';

/** A workgroup takes 64 × 64 of the product, a thread 8 × 8, through workgroup memory 16 terms at a time. */
const TILE = 64;
const TERMS = 16;
/** Workgroups that keep a large GPU busy; a product of fewer tiles has its sums cut into slices. */
const BUSY_WORKGROUPS = 512;
const SHORTEST_SLICE = 128;

const ROWS = [0, 1, 2, 3, 4, 5, 6, 7];
const COMPONENTS = ['x', 'y', 'z', 'w'];
const each = <T>(items: readonly T[], line: (item: T) => string) => items.map(line).join('\n');

const SIZES = `
struct Sizes {
  m: u32, n: u32, k: u32, slice: u32,
  aStride: u32, bStride: u32, batches: u32, slices: u32, // strides of 0 repeat one matrix for the whole batch
  row: u32, // values that the sums of slices take across
}
@group(0) @binding(0) var<uniform> sizes: Sizes;`;

function productKernel(transposeA: boolean, transposeB: boolean): GpuKernel {
  const load = (into: string, from: string, transposed: boolean, extent: string, first: string) => `
    for (var i = lane; i < ${(TERMS * TILE) / 4}u; i += 64u) {
      let ${transposed ? 'k = i / 16u; let q = i % 16u' : 'k = i % 16u; let q = i / 16u'};
      ${into}[k * 16u + q] = vec4f(${[0, 1, 2, 3].map((j) => `${from}_at(${from}Base, k0 + k, ${first} + 4u * q + ${j}u, end, ${extent})`).join(', ')});
    }`;
  const reader = (name: string, transposed: boolean, extent: string) => `
fn ${name}_at(base: u32, k: u32, i: u32, end: u32, extent: u32) -> f32 {
  if (k >= end || i >= extent) { return 0.0; }
  return ${name}[base + ${transposed ? `k * sizes.${extent} + i` : 'i * sizes.k + k'}];
}`;
  const code = `${SIZES}
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> product: array<f32>; // [slices, batches, m, n]
var<workgroup> left: array<vec4f, ${(TERMS * TILE) / 4}>;
var<workgroup> right: array<vec4f, ${(TERMS * TILE) / 4}>;
${reader('a', transposeA, 'm')}
${reader('b', !transposeB, 'n')}
fn put(base: u32, row: u32, column: u32, value: vec4f) {
  if (row >= sizes.m) { return; }
  for (var j = 0u; j < 4u; j++) {
    if (column + j < sizes.n) { product[base + row * sizes.n + column + j] = value[j]; }
  }
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rowTiles = (sizes.m + ${TILE - 1}u) / ${TILE}u;
  let row = (group.x % rowTiles) * ${TILE}u;
  let column = (group.x / rowTiles) * ${TILE}u;
  let batch = group.y;
  let aBase = batch * sizes.aStride;
  let bBase = batch * sizes.bStride;
  let end = min(sizes.k, (group.z + 1u) * sizes.slice);
  let tx = lane % 8u;
  let ty = lane / 8u;
  ${each(ROWS, (r) => `var c${r}0 = vec4f(0.0); var c${r}1 = vec4f(0.0);`)}
  for (var k0 = group.z * sizes.slice; k0 < end; k0 += ${TERMS}u) {
    ${load('left', 'a', transposeA, 'sizes.m', 'row')}
    ${load('right', 'b', !transposeB, 'sizes.n', 'column')}
    workgroupBarrier();
    for (var k = 0u; k < ${TERMS}u; k++) {
      let a0 = left[k * 16u + ty];
      let a1 = left[k * 16u + 8u + ty];
      let b0 = right[k * 16u + tx];
      let b1 = right[k * 16u + 8u + tx];
      ${each(ROWS, (r) => each([0, 1], (h) => `c${r}${h} = fma(vec4f(a${r >> 2}.${COMPONENTS[r % 4]}), b${h}, c${r}${h});`))}
    }
    workgroupBarrier();
  }
  let base = (group.z * sizes.batches + batch) * sizes.m * sizes.n;
  ${each(ROWS, (r) =>
    each([0, 1], (h) => {
      const [i, j] = [`${r < 4 ? '' : '32u + '}4u * ty + ${r % 4}u`, `${h === 0 ? '' : '32u + '}4u * tx`];
      return `put(base, row + ${i}, column + ${j}, c${r}${h});`;
    }),
  )}
}`;
  return { name: `matmul ${transposeA} ${transposeB}`, code, bindings: ['uniform', 'read', 'read', 'write'] };
}

const sumKernel: GpuKernel = {
  name: 'matmul slices',
  bindings: ['uniform', 'read', 'write'],
  code: `${SIZES}
@group(0) @binding(1) var<storage, read> slices: array<f32>;
@group(0) @binding(2) var<storage, read_write> product: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let values = sizes.batches * sizes.m * sizes.n;
  let i = id.y * sizes.row + id.x;
  if (i >= values) { return; }
  var sum = 0.0;
  for (var slice = 0u; slice < sizes.slices; slice++) { sum += slices[slice * values + i]; }
  product[i] = sum;
}`,
};

/** A product [m,k] · [k,n] for every one of a batch. */
function extentsOf(a: TensorInfo, b: TensorInfo, transposeA: boolean, transposeB: boolean) {
  const [aRows, aColumns] = a.shape.slice(-2);
  const [bRows, bColumns] = b.shape.slice(-2);
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [inner, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  if (inner !== k) throw new Error(`a product of [${a.shape}] and [${b.shape}] has inner extents ${k} and ${inner}`);
  const batchShape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return { m, n, k, batchShape, batches: product(batchShape) };
}

const product = (extents: readonly number[]) => extents.reduce((total, extent) => total * extent, 1);

/** Puts these products in the place of TensorFlow.js's, for float32 matrices; others keep its kernel. */
export function registerMatmul(backend: WebgpuBackend): void {
  const original = tf.getKernel('BatchMatMul', 'webgpu');
  const kernels = new Map<string, GpuKernel>();
  const kernelOf = (transposeA: boolean, transposeB: boolean) => {
    const key = `${transposeA} ${transposeB}`;
    const kernel = kernels.get(key) ?? productKernel(transposeA, transposeB);
    kernels.set(key, kernel);
    return kernel;
  };

  const multiply = (a: TensorInfo, b: TensorInfo, transposeA: boolean, transposeB: boolean) => {
    const { m, n, k, batchShape, batches } = extentsOf(a, b, transposeA, transposeB);
    const strideOf = ({ shape }: TensorInfo) => (product(shape.slice(0, -2)) === 1 ? 0 : product(shape.slice(-2)));
    const tiles = Math.ceil(m / TILE) * Math.ceil(n / TILE);
    const most = backend.device.limits.maxComputeWorkgroupsPerDimension;
    if (product([m, n, k, batches]) === 0) return undefined;
    // TensorFlow.js's kernels are no way out: one of them is wrong for just such sizes.
    if (Math.max(tiles, batches) > most) throw new Error(`a product of [${a.shape}] and [${b.shape}] is too large`);
    const wanted = Math.ceil(BUSY_WORKGROUPS / (tiles * batches));
    const mostSlices = Math.max(1, Math.min(wanted, Math.floor(k / SHORTEST_SLICE)));
    const slice = Math.ceil(k / mostSlices / TERMS) * TERMS;
    const slices = Math.max(1, Math.ceil(k / slice));
    const [across, down] = spread(Math.ceil((batches * m * n) / 64), backend.device);
    const numbers = Uint32Array.of(m, n, k, slice, strideOf(a), strideOf(b), batches, slices, 64 * across, 0, 0, 0);
    const sizes = backend.uniforms(numbers.buffer);
    const result = backend.allocate([...batchShape, m, n]);
    const parts = slices === 1 ? result : backend.allocate([slices, batches, m, n]);
    backend.run(kernelOf(transposeA, transposeB), [sizes, a, b, parts], [tiles, batches, slices]);
    if (parts !== result) {
      backend.run(sumKernel, [sizes, parts, result], [across, down]);
      backend.disposeData(parts.dataId);
    }
    return result;
  };

  /** Batches of equal extents, or one matrix against a batch: what strides of 0 can express. */
  const isSimple = (a: TensorInfo, b: TensorInfo) => {
    const [of, other] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
    return product(of) === 1 || product(other) === 1 || of.join() === other.join();
  };

  tf.unregisterKernel('BatchMatMul', 'webgpu');
  tf.registerKernel({
    kernelName: 'BatchMatMul',
    backendName: 'webgpu',
    kernelFunc: (call) => {
      const { a, b } = call.inputs as { a: Tensor; b: Tensor };
      const { transposeA, transposeB } = call.attrs as unknown as Record<'transposeA' | 'transposeB', boolean>;
      const floats = a.dtype === 'float32' && b.dtype === 'float32';
      const result = floats && isSimple(a, b) ? multiply(a, b, transposeA, transposeB) : undefined;
      return result ?? (original.kernelFunc(call) as TensorInfo);
    },
  });
}
