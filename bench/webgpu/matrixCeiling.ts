/** What the GPU's matrix units can do at best, through WGSL's subgroup matrices (Dawn's experimental extension). */
import type { SubgroupMatrixConfig } from '../../src/engine/webgpu/device.ts';
import type { Ceiling } from './ceilings.ts';
import { dispatch, type Gpu } from './gpu.ts';

/** Independent sums, so that no product waits for the one before. */
const SUMS = 8;

/** The lines that a shader with subgroup matrices of this shape begins with: types A [M,K], B [K,N], C [M,N]. */
function matrixPrelude({ M, N, K }: SubgroupMatrixConfig): string {
  return `enable f16;
    enable subgroups;
    enable chromium_experimental_subgroup_matrix;
    diagnostic(off, chromium.subgroup_matrix_uniformity);
    alias A = subgroup_matrix_left<f16, ${K}, ${M}>;
    alias B = subgroup_matrix_right<f16, ${N}, ${K}>;
    alias C = subgroup_matrix_result<f32, ${N}, ${M}>;`;
}

/**
 * Floating-point operations per second of C ← A·B + C from registers alone, f16 factors and f32 sums, of the fastest shape
 * that the adapter offers; undefined where it offers none.
 *
 * A·B is added and A·(−B) after it: the sums keep changing and stay exact.
 */
export async function matrixCeiling(gpu: Gpu): Promise<Ceiling | undefined> {
  const { subgroupMatrices, subgroupSize } = gpu.adapter;
  if (subgroupSize === undefined) return undefined;
  let best: Ceiling | undefined;
  for (const config of subgroupMatrices) {
    const ceiling = await products(gpu, config, subgroupSize);
    if (!best || ceiling.perSecond > best.perSecond) best = ceiling;
  }
  return best;
}

async function products(gpu: Gpu, config: SubgroupMatrixConfig, subgroupSize: number): Promise<Ceiling> {
  const { M, N, K } = config;
  const every = (line: (sum: number) => string) => Array.from({ length: SUMS }, (_, i) => line(i)).join('\n');
  const subgroups = Math.max(1, Math.min(4, Math.floor(128 / subgroupSize)));
  const pipeline = await gpu.pipeline(
    `${matrixPrelude(config)}
    @group(0) @binding(0) var<uniform> rounds: vec4<u32>;
    @group(0) @binding(1) var<storage, read> left: array<f16>;
    @group(0) @binding(2) var<storage, read> right: array<f16>; // B, then −B
    @group(0) @binding(3) var<storage, read_write> sums: array<f32>;
    @compute @workgroup_size(${subgroupSize}, ${subgroups})
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
      let a = subgroupMatrixLoad<A, row_major>(&left, 0u, ${K}u);
      let plus = subgroupMatrixLoad<B, row_major>(&right, 0u, ${N}u);
      let minus = subgroupMatrixLoad<B, row_major>(&right, ${K * N}u, ${N}u);
      ${every((i) => `var c${i} = C(f32(rounds.y * ${i}u));`)}
      for (var i = 0u; i < rounds.x; i++) {
        ${every((i) => `c${i} = subgroupMatrixMultiplyAccumulate(a, plus, c${i});`)}
        ${every((i) => `c${i} = subgroupMatrixMultiplyAccumulate(a, minus, c${i});`)}
      }
      let place = (group.x * ${subgroups}u + local.y) * ${SUMS * M * N}u;
      ${every((i) => {
        return `c${i} = subgroupMatrixMultiplyAccumulate(a, plus, c${i});
        subgroupMatrixStore<row_major>(&sums, place + ${i * M * N}u, c${i}, ${N}u);`;
      })}
    }`,
    `subgroup matrices ${M}×${N}×${K}`,
  );
  const left = Float64Array.from({ length: M * K }, (_, i) => ((i * 5) % 7) - 3);
  const right = Float64Array.from({ length: K * N }, (_, i) => ((i * 3) % 11) - 5);
  const groups = gpu.isSoftware ? 2 : 2048;
  const sums = gpu.storage(4 * groups * subgroups * SUMS * M * N);
  const rounds = gpu.uniform(new Uint32Array(4));
  const rightBits = halfBits(Float64Array.of(...right, ...right.map((value) => -value)));
  const group = gpu.bind(pipeline, rounds, gpu.storage(halfBits(left)), gpu.storage(rightBits), sums);
  const set = (count: number) => gpu.device.queue.writeBuffer(rounds, 0, Uint32Array.of(count, 1, 0, 0));
  const count = await gpu.repetitions((pass, repetitions) => {
    set(repetitions);
    dispatch(pass, pipeline, group, groups);
  });
  set(count);
  const { seconds, by } = await gpu.time((pass) => dispatch(pass, pipeline, group, groups));
  const found = new Float32Array(await gpu.read(sums));
  for (let at = 0; at < found.length; at++) {
    const [sum, row, column] = [Math.floor(at / (M * N)) % SUMS, Math.floor((at % (M * N)) / N), at % N];
    let expected = sum;
    for (let k = 0; k < K; k++) expected += left[row * K + k] * right[k * N + column];
    if (found[at] !== expected)
      throw new Error(`subgroup matrices ${M}×${N}×${K} are wrong: ${found[at]}, not ${expected}`);
  }
  sums.destroy();
  const operations = 2 * M * N * K * 2 * SUMS * count * subgroups * groups;
  return { perSecond: operations / seconds, variant: `f16 ${M}×${N}×${K} into f32`, by };
}

/** Bits of small whole numbers (|value| ≤ 2048) as 16-bit floats. */
function halfBits(values: Float64Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    if (value === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    const mantissa = (Math.abs(value) / 2 ** exponent - 1) * 1024;
    return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | mantissa;
  });
}
