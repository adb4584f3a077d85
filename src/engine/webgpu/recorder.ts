/// <reference types="@webgpu/types" />
/**
 * Records what the device is told during some work, and tells it again.
 *
 * While recording, buffers come from a pool of the recording's own, so that nothing else can use them in between;
 * uniforms and uploaded constants keep a buffer each, since what was written into them is not written again.
 */

import type { Recorder } from '../../ops/kernels.ts';
import { type Tensor, tf } from '../../tf.ts';
import type { BufferManager, WebgpuBackend } from './backend.ts';

type Command =
  | { kind: 'dispatch'; pipeline: GPUComputePipeline; group: GPUBindGroup; workgroups: [number, number, number] }
  | { kind: 'copy'; source: GPUBuffer; from: number; target: GPUBuffer; to: number; size: number };

/** A pool that lends each buffer only within the recording. */
class RecordingPool implements BufferManager {
  readonly buffers: GPUBuffer[] = [];
  private readonly idle = new Map<string, GPUBuffer[]>();
  private readonly kept = new Set<GPUBuffer>();
  private readonly own = new Set<GPUBuffer>();

  constructor(
    private readonly device: GPUDevice,
    private readonly outer: BufferManager,
  ) {}

  acquireBuffer(size: number, usage: number, mappedAtCreation = false): GPUBuffer {
    const keep = mappedAtCreation || (usage & GPUBufferUsage.UNIFORM) !== 0;
    const free = keep ? undefined : this.idle.get(`${size} ${usage}`)?.pop();
    if (free) return free;
    const buffer = this.device.createBuffer({ size, usage, mappedAtCreation });
    this.buffers.push(buffer);
    this.own.add(buffer);
    if (keep) this.kept.add(buffer);
    return buffer;
  }

  releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    if (!this.own.has(buffer)) this.outer.releaseBuffer(buffer, reuse);
    else if (!this.kept.has(buffer)) {
      const key = `${buffer.size} ${buffer.usage}`;
      this.idle.set(key, [...(this.idle.get(key) ?? []), buffer]);
    }
  }
}

/** A command encoder that also notes down what it is told. */
function notingEncoder(encoder: GPUCommandEncoder, commands: Command[]): GPUCommandEncoder {
  return {
    beginComputePass: (descriptor?: GPUComputePassDescriptor) => {
      const pass = encoder.beginComputePass(descriptor);
      let [pipeline, group]: [GPUComputePipeline?, GPUBindGroup?] = [];
      return {
        setPipeline: (next: GPUComputePipeline) => {
          pipeline = next;
          pass.setPipeline(next);
        },
        setBindGroup: (index: number, next: GPUBindGroup) => {
          group = next;
          pass.setBindGroup(index, next);
        },
        dispatchWorkgroups: (x: number, y = 1, z = 1) => {
          if (pipeline && group) commands.push({ kind: 'dispatch', pipeline, group, workgroups: [x, y, z] });
          pass.dispatchWorkgroups(x, y, z);
        },
        end: () => pass.end(),
      };
    },
    copyBufferToBuffer: (source: GPUBuffer, from: number, target: GPUBuffer, to: number, size: number) => {
      commands.push({ kind: 'copy', source, from, target, to, size });
      encoder.copyBufferToBuffer(source, from, target, to, size);
    },
    finish: () => encoder.finish(),
  } as unknown as GPUCommandEncoder;
}

export function createRecorder(backend: WebgpuBackend): Recorder {
  const { device, queue } = backend;
  return (inputs, work) => {
    for (const input of inputs) backend.uploadToGPU(input.dataId);
    backend.flush();
    const commands: Command[] = [];
    backend.trim(); // the recording keeps buffers of its own, and needs the room
    const outer = backend.bufferManager;
    const pool = new RecordingPool(device, outer);
    let output: Tensor | undefined;
    let written: ReadonlySet<object>;
    backend.bufferManager = pool;
    backend.wrapEncoder = (encoder) => notingEncoder(encoder, commands);
    try {
      written = backend.watchWrites(() => {
        output = tf.tidy(work);
      });
    } finally {
      backend.flush(); // also where the work failed: what was disposed in it goes back to the pool that it came from
      backend.wrapEncoder = undefined;
      backend.bufferManager = outer;
    }
    const recorded = output as unknown as Tensor;
    backend.tensorMap.get(recorded.dataId).external = true; // its buffer goes with the recording
    const result = backend.bindingOf(recorded);
    const size = 4 * recorded.size;
    const stagings: GPUBuffer[] = [];
    const idle: GPUBuffer[] = [];
    const newStaging = () => {
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      const staging = device.createBuffer({ size, usage });
      stagings.push(staging);
      return staging;
    };

    const encode = (staging: GPUBuffer) => {
      const encoder = device.createCommandEncoder();
      let pass: GPUComputePassEncoder | undefined;
      for (const command of commands) {
        if (command.kind === 'copy') {
          pass?.end();
          pass = undefined;
          const { source, from, target, to, size: bytes } = command;
          encoder.copyBufferToBuffer(source, from, target, to, bytes);
          continue;
        }
        pass ??= encoder.beginComputePass();
        pass.setPipeline(command.pipeline);
        pass.setBindGroup(0, command.group);
        pass.dispatchWorkgroups(...command.workgroups);
      }
      pass?.end();
      encoder.copyBufferToBuffer(result.buffer, result.offset ?? 0, staging, 0, size);
      return encoder.finish();
    };

    return {
      first: backend.read(recorded.dataId) as Promise<Float32Array>,
      async repeat(values) {
        backend.flush();
        values.forEach((array, i) => {
          const { buffer, offset } = backend.bindingOf(inputs[i]);
          queue.writeBuffer(buffer, offset ?? 0, array as Float32Array<ArrayBuffer>);
        });
        const staging = idle.pop() ?? newStaging();
        queue.submit([encode(staging)]);
        for (const dataId of written) backend.forgetValues({ dataId, shape: [], dtype: 'float32' });
        try {
          await staging.mapAsync(GPUMapMode.READ);
        } finally {
          backend.opened.check();
        }
        const copy = new Float32Array(staging.getMappedRange().slice(0));
        staging.unmap();
        idle.push(staging);
        return copy;
      },
      dispose() {
        recorded.dispose();
        backend.flush();
        for (const buffer of [...pool.buffers, ...stagings]) buffer.destroy();
      },
    };
  };
}
