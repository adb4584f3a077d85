/** What the GPU can do at best: copy memory, and multiply and add in registers. Every result is checked bit for bit. */
import { dispatch, type Gpu, type Timing } from './gpu.ts';

export interface Ceiling {
  /** Bytes, or floating-point operations, per second. */
  perSecond: number;
  /** The variant that was fastest. */
  variant: string;
  by: Timing['by'];
}

const GROUP = 256;
const STRIDE = `
  @compute @workgroup_size(${GROUP})
  fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let stride = groups.x * ${GROUP}u;`;

/** Bytes read and written per second by a kernel that copies one storage buffer into another, of 1 GiB where it may. */
export async function copyCeiling(gpu: Gpu): Promise<Ceiling> {
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const wanted = gpu.isSoftware ? 2 ** 24 : 2 ** 30;
  const most = Math.min(wanted, maxBufferSize, maxStorageBufferBindingSize);
  const bytes = 2 ** Math.floor(Math.log2(most));
  const [source, target] = [gpu.storage(bytes), gpu.storage(bytes)];
  // Values that don't repeat, as memory may be compressed on its way.
  const fill = await gpu.pipeline(
    `@group(0) @binding(0) var<storage, read_write> values: array<vec4<u32>>;
     ${STRIDE}
       for (var i = id.x; i < arrayLength(&values); i += stride) {
         values[i] = (vec4(i * 4u) + vec4(1u, 2u, 3u, 4u)) * 0x9E3779B1u;
       }
     }`,
    'fill',
  );
  const fillGroup = gpu.bind(fill, source);
  await gpu.pass((pass) => dispatch(pass, fill, fillGroup, 1024));
  const copy = await gpu.pipeline(
    `@group(0) @binding(0) var<storage, read> source: array<vec4<u32>>;
     @group(0) @binding(1) var<storage, read_write> destination: array<vec4<u32>>;
     ${STRIDE}
       for (var i = id.x; i < arrayLength(&source); i += stride) { destination[i] = source[i]; }
     }`,
    'copy',
  );
  const copyGroup = gpu.bind(copy, source, target);
  let best: Ceiling = { perSecond: 0, variant: '', by: 'wall clock' };
  for (const perInvocation of [1, 4, 16]) {
    const groups = Math.min(bytes / 16 / GROUP / perInvocation, gpu.device.limits.maxComputeWorkgroupsPerDimension);
    const { seconds, by } = await gpu.time((pass) => dispatch(pass, copy, copyGroup, groups));
    const perSecond = (2 * bytes) / seconds;
    if (perSecond > best.perSecond) best = { perSecond, by, variant: `${groups} workgroups` };
  }
  for (const place of [0, bytes / 2 - 64, bytes - 64]) {
    const words = new Uint32Array(await gpu.read(target, place, 64));
    const right = words.every((word, i) => word === Math.imul(place / 4 + i + 1, 0x9e3779b1) >>> 0);
    if (!right) throw new Error('the copy is wrong');
  }
  source.destroy();
  target.destroy();
  return best;
}

const CHAINS = 8;
const UNROLLED = 8;
/** The circle's step: a power of two, so that a fused and a rounded product are the same. */
const EPSILON = 0.5;

/**
 * Floating-point operations per second of multiply-adds in registers alone: pairs (x, y) that run around Minsky's circle,
 * x ← x + εy, y ← y − εx (HAKMEM, item 149), which stay bounded and never settle, so that every step can be checked.
 */
export async function multiplyAddCeiling(gpu: Gpu, scalar: 'f32' | 'f16'): Promise<Ceiling> {
  let best: Ceiling = { perSecond: 0, variant: '', by: 'wall clock' };
  for (const lanes of scalar === 'f32' ? [1, 4] : [2, 4]) {
    const ceiling = await circles(gpu, scalar, lanes);
    if (ceiling.perSecond > best.perSecond) best = ceiling;
  }
  return best;
}

async function circles(gpu: Gpu, scalar: 'f32' | 'f16', lanes: number): Promise<Ceiling> {
  const type = lanes === 1 ? scalar : `vec${lanes}<${scalar}>`;
  const first = (value: string) => (lanes === 1 ? value : `${value}.x`);
  const every = (line: (chain: number) => string) => Array.from({ length: CHAINS }, (_, c) => line(c)).join('\n');
  const step = every((c) => `x${c} = fma(y${c}, e, x${c}); y${c} = fma(x${c}, -e, y${c});`);
  const code = `${scalar === 'f16' ? 'enable f16;' : ''}
    @group(0) @binding(0) var<uniform> rounds: vec4<u32>;
    @group(0) @binding(1) var<uniform> epsilon: vec4<f32>;
    @group(0) @binding(2) var<storage, read_write> sums: array<f32>;
    @compute @workgroup_size(${GROUP}) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
      let e = ${type}(${scalar}(epsilon.x));
      ${every((c) => `var x${c} = ${type}(${scalar}(f32((id.x + ${c}u) % 61u + 1u) / 64.0)); var y${c} = ${type}(0.0);`)}
      for (var i = 0u; i < rounds.x; i++) {
        ${Array.from({ length: UNROLLED }, () => step).join('\n')}
      }
      var sum = 0.0;
      ${every((c) => `sum += ${lanes === 1 ? `f32(x${c})` : `dot(vec${lanes}<f32>(x${c}), vec${lanes}<f32>(1.0))`};`)}
      sums[2u * id.x] = f32(${first('x0')}) + 4.0 * f32(${first('y0')});
      sums[2u * id.x + 1u] = sum;
    }`;
  const pipeline = await gpu.pipeline(code, `multiply-add ${type}`);
  const groups = gpu.isSoftware ? 4 : 4096;
  const [rounds, sums] = [gpu.uniform(new Uint32Array(4)), gpu.storage(8 * GROUP * groups)];
  const group = gpu.bind(pipeline, rounds, gpu.uniform(new Float32Array(4).fill(EPSILON)), sums);
  const set = (count: number) => gpu.device.queue.writeBuffer(rounds, 0, new Uint32Array(4).fill(count));
  const count = await gpu.repetitions((pass, repetitions) => {
    set(repetitions);
    dispatch(pass, pipeline, group, groups);
  });
  set(count);
  const { seconds, by } = await gpu.time((pass) => dispatch(pass, pipeline, group, groups));
  const found = new Float32Array(await gpu.read(sums));
  for (const invocation of [0, 60, GROUP * groups - 1]) {
    const [x, y] = circle(((invocation % 61) + 1) / 64, count * UNROLLED, scalar === 'f32' ? Math.fround : roundToHalf);
    if (found[2 * invocation] !== Math.fround(x + 4 * y) || !Number.isFinite(found[2 * invocation + 1])) {
      throw new Error(`the multiply-adds of ${type} are wrong: ${found[2 * invocation]} instead of ${x + 4 * y}`);
    }
  }
  sums.destroy();
  // Two multiply-adds a step, of two operations each.
  const operations = 4 * lanes * CHAINS * UNROLLED * count * GROUP * groups;
  return { perSecond: operations / seconds, variant: type, by };
}

/** Where the circle that starts at (x, 0) is after some steps. */
function circle(x: number, steps: number, round: (value: number) => number): [x: number, y: number] {
  let y = 0;
  for (let i = 0; i < steps; i++) {
    x = round(x + EPSILON * y);
    y = round(y - EPSILON * x);
  }
  return [x, y];
}

/** To the nearest 16-bit float, ties to even (IEEE 754 binary16), of a magnitude below 65,520. */
export function roundToHalf(value: number): number {
  if (value === 0) return value;
  const quantum = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -14) - 10);
  const scaled = value / quantum;
  const nearest = Math.round(scaled);
  const even = Math.abs(scaled % 1) === 0.5 ? 2 * Math.round(scaled / 2) : nearest;
  return even * quantum;
}
