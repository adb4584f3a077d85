/// <reference types="@webgpu/types" />
/** What the measurements need of a WebGPU device: buffers, pipelines whose errors are thrown, timed passes. */
import type { AdapterDescription } from '../../src/engine/webgpu/device.ts';
import { median } from '../measure.ts';

/** Bits of GPUBufferUsage and GPUMapMode (WebGPU §5.1.2), which Node has no globals for before the engine sets them. */
const USAGE = { mapRead: 0x1, copySource: 0x4, copyDestination: 0x8, uniform: 0x40, storage: 0x80, query: 0x200 };
const MAP_READ = 0x1;

export interface Timing {
  /** Median. */
  seconds: number;
  /** What kept the time: the GPU's timestamps, or wall clock from submission until the queue is empty. */
  by: 'timestamps' | 'wall clock';
}

export class Gpu {
  readonly hasTimestamps: boolean;

  constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterDescription,
  ) {
    this.hasTimestamps = device.features.has('timestamp-query');
  }

  /** A software adapter: sizes shrink, and figures say nothing of a GPU. */
  get isSoftware(): boolean {
    return this.adapter.software;
  }

  /** A storage buffer of that many bytes, or of these values. */
  storage(content: number | ArrayBufferView): GPUBuffer {
    return this.buffer(content, USAGE.storage | USAGE.copySource | USAGE.copyDestination);
  }

  uniform(content: ArrayBufferView): GPUBuffer {
    return this.buffer(content, USAGE.uniform | USAGE.copyDestination);
  }

  private buffer(content: number | ArrayBufferView, usage: number): GPUBuffer {
    const size = typeof content === 'number' ? content : content.byteLength;
    const buffer = this.device.createBuffer({ size: 4 * Math.ceil(size / 4), usage });
    if (typeof content !== 'number') this.device.queue.writeBuffer(buffer, 0, content as Uint8Array<ArrayBuffer>);
    return buffer;
  }

  /** Bytes of a buffer. */
  async read(source: GPUBuffer, offset = 0, size = source.size - offset): Promise<ArrayBuffer> {
    const staging = this.device.createBuffer({ size, usage: USAGE.mapRead | USAGE.copyDestination });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, offset, staging, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(MAP_READ);
    const bytes = staging.getMappedRange().slice(0);
    staging.destroy();
    return bytes;
  }

  /** @throws Error with the compiler's first messages where the WGSL is wrong or the device refuses it. */
  async pipeline(code: string, label: string): Promise<GPUComputePipeline> {
    const module = this.device.createShaderModule({ code, label });
    const { messages } = await module.getCompilationInfo();
    const errors = messages.filter(({ type }) => type === 'error');
    if (errors.length > 0) {
      throw new Error(
        `${label}: ${errors
          .slice(0, 3)
          .map((e) => `line ${e.lineNum}: ${e.message}`)
          .join('; ')}`,
      );
    }
    return this.device.createComputePipelineAsync({ label, layout: 'auto', compute: { module, entryPoint: 'main' } });
  }

  bind(pipeline: GPUComputePipeline, ...buffers: GPUBuffer[]): GPUBindGroup {
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    return this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  }

  /** Runs what `record` puts into one compute pass; seconds that it took. */
  async pass(record: (pass: GPUComputePassEncoder) => void): Promise<Timing> {
    const { device } = this;
    const querySet = this.hasTimestamps ? device.createQuerySet({ type: 'timestamp', count: 2 }) : undefined;
    const times = querySet && device.createBuffer({ size: 16, usage: USAGE.query | USAGE.copySource });
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass(
      querySet && { timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } },
    );
    record(pass);
    pass.end();
    if (querySet && times) encoder.resolveQuerySet(querySet, 0, 2, times, 0);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    const wall = (performance.now() - start) / 1000;
    if (!querySet || !times) return { seconds: wall, by: 'wall clock' };
    const [begin, end] = new BigUint64Array(await this.read(times));
    times.destroy();
    querySet.destroy();
    // Some drivers write no timestamp for work this short.
    return end > begin ? { seconds: Number(end - begin) / 1e9, by: 'timestamps' } : { seconds: wall, by: 'wall clock' };
  }

  /** A number of repetitions at which a pass lasts long enough to be timed. */
  async repetitions(
    record: (pass: GPUComputePassEncoder, repetitions: number) => void,
    most = 2 ** 16,
  ): Promise<number> {
    const wanted = this.isSoftware ? 0.02 : 0.01;
    let repetitions = 1;
    for (let i = 0; i < 10; i++) {
      const { seconds } = await this.pass((pass) => record(pass, repetitions));
      if (seconds >= wanted / 2 || repetitions === most) break;
      const factor = Math.min(16, Math.max(2, wanted / Math.max(seconds, 1e-6)));
      repetitions = Math.min(most, Math.ceil(repetitions * factor));
    }
    return repetitions;
  }

  /** Median over several passes, after one that doesn't count. */
  async time(record: (pass: GPUComputePassEncoder) => void, rounds = this.isSoftware ? 3 : 9): Promise<Timing> {
    await this.pass(record);
    const timings: Timing[] = [];
    for (let round = 0; round < rounds; round++) timings.push(await this.pass(record));
    const by = timings.every((timing) => timing.by === 'timestamps') ? 'timestamps' : 'wall clock';
    return { seconds: median(timings.map(({ seconds }) => seconds)), by };
  }
}

/** One dispatch along x. */
export function dispatch(
  pass: GPUComputePassEncoder,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  groups: number,
) {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(groups);
}
