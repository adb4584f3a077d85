/// <reference types="@webgpu/types" />
/**
 * What the GPU did and when: timestamps around every compute pass that anything on the device records, whoever records it,
 * without a change to that code.
 *
 * Copies and uploads carry no timestamps, so what is found busy is a lower bound.
 */
import type { Gpu } from './gpu.ts';

/** GPUBufferUsage.QUERY_RESOLVE | COPY_SRC */
const RESOLVE_USAGE = 0x204;
/** The most queries that a set may have (WebGPU §20.1). */
const SET_SIZE = 4096;

/** A compute pass (or one dispatch of it), in seconds of the GPU's clock since the first one of the trace. */
export interface Interval {
  /** Names of the pipelines that it ran. */
  labels: string[];
  start: number;
  seconds: number;
}

/** How fine the trace is: a pass at a time costs next to nothing, a dispatch at a time forbids passes of several. */
export type Grain = 'pass' | 'dispatch';

/**
 * Records while `work` runs; others may use the device meanwhile, and are seen too.
 *
 * @throws Error where the device has no timestamps.
 */
export async function traced(gpu: Gpu, grain: Grain, work: () => Promise<void>): Promise<Interval[]> {
  if (!gpu.hasTimestamps) throw new Error('the GPU keeps no timestamps');
  const { device } = gpu;
  const sets: GPUQuerySet[] = [];
  const passes: string[][] = [];
  /** A pass that takes the time of what it does, under the next two queries. */
  const begin = (make: (descriptor: GPUComputePassDescriptor) => GPUComputePassEncoder, descriptor: object) => {
    const query = (2 * passes.length) % SET_SIZE;
    if (query === 0) sets.push(device.createQuerySet({ type: 'timestamp', count: SET_SIZE }));
    passes.push([]);
    const querySet = sets[sets.length - 1];
    const timestampWrites = { querySet, beginningOfPassWriteIndex: query, endOfPassWriteIndex: query + 1 };
    return make({ ...descriptor, timestampWrites });
  };
  let recording = true;
  const createCommandEncoder = device.createCommandEncoder;
  device.createCommandEncoder = (descriptor) => {
    const encoder = createCommandEncoder.call(device, descriptor);
    const make = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (asked = {}) => {
      if (asked.timestampWrites || !recording) return make(asked); // somebody else's, or too late
      return grain === 'pass' ? labelled(begin(make, asked), passes) : splitPass(() => begin(make, asked), passes);
    };
    return encoder;
  };
  try {
    await work();
  } finally {
    recording = false;
    device.createCommandEncoder = createCommandEncoder;
  }
  await device.queue.onSubmittedWorkDone();
  const times = (await Promise.all(sets.map((set) => resolve(gpu, set)))).flatMap((values) => [...values]);
  // The sets are not destroyed: a pass may have been recorded and wait for its submission.
  const intervals = passes.map((labels, i) => ({ labels, begin: times[2 * i], end: times[2 * i + 1] }));
  // A pass that was never submitted has no times.
  const run = intervals.filter(({ labels, begin, end }) => labels.length > 0 && begin > 0n && end >= begin);
  const first = run.reduce((least, { begin }) => (begin < least ? begin : least), run[0]?.begin ?? 0n);
  return run
    .map(({ labels, begin, end }) => ({
      labels,
      start: Number(begin - first) / 1e9,
      seconds: Number(end - begin) / 1e9,
    }))
    .sort((a, b) => a.start - b.start);
}

/** Notes the names of the pipelines that the pass dispatches. */
function labelled(pass: GPUComputePassEncoder, passes: string[][]): GPUComputePassEncoder {
  const labels = passes[passes.length - 1];
  let label = '';
  const { setPipeline, dispatchWorkgroups } = pass;
  pass.setPipeline = (pipeline) => {
    label = pipeline.label;
    setPipeline.call(pass, pipeline);
  };
  pass.dispatchWorkgroups = (...counts) => {
    labels.push(label);
    dispatchWorkgroups.apply(pass, counts);
  };
  return pass;
}

/** What looks like one pass and records one for every dispatch. */
function splitPass(begin: () => GPUComputePassEncoder, passes: string[][]): GPUComputePassEncoder {
  let pipeline: GPUComputePipeline | undefined;
  const groups = new Map<number, unknown[]>();
  const pass = {
    setPipeline: (set: GPUComputePipeline) => {
      pipeline = set;
    },
    setBindGroup: (...args: unknown[]) => groups.set(args[0] as number, args),
    dispatchWorkgroups: (...counts: [number, number?, number?]) => {
      const part = labelled(begin(), passes);
      if (pipeline) part.setPipeline(pipeline);
      for (const args of groups.values()) part.setBindGroup(...(args as [number, GPUBindGroup]));
      part.dispatchWorkgroups(...counts);
      part.end();
    },
    end: () => {},
  };
  return pass as unknown as GPUComputePassEncoder;
}

async function resolve(gpu: Gpu, set: GPUQuerySet): Promise<BigUint64Array> {
  const { device } = gpu;
  const buffer = device.createBuffer({ size: 8 * SET_SIZE, usage: RESOLVE_USAGE });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(set, 0, SET_SIZE, buffer, 0);
  device.queue.submit([encoder.finish()]);
  const values = new BigUint64Array(await gpu.read(buffer));
  buffer.destroy();
  return values;
}
