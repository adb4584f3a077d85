/// <reference types="@webgpu/types" />
/** The TensorFlow.js backend `webgpu`: its own one, on our device, running kernels of ours beside its own. */
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../errors.ts';
import { type DataType, type TensorInfo, tf } from '../../tf.ts';
import type { OpenDevice } from './device.ts';

type Values = Float32Array | Int32Array | Uint8Array;

/** What this engine uses of TensorFlow.js's WebGPUBackend. */
interface BaseBackend {
  device: GPUDevice;
  queue: GPUQueue;
  bufferManager: BufferManager;
  tensorMap: {
    get(dataId: object): { values: Values | null; resource?: GPUBuffer | null; external?: boolean; refCount: number };
  };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  commandQueueOwnedIds: WeakSet<object>;
  uniformPendingDisposal: GPUBuffer[];
  dispatchCountInPass: number;
  makeTensorInfo(shape: readonly number[], dtype: DataType, values?: Values): TensorInfo;
  uploadToGPU(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  refCount(dataId: object): number;
  tensorToBinding(tensor: TensorInfo): GPUBufferBinding;
  releaseResource(dataId: object): void;
  disposeData(dataId: object, force?: boolean): boolean;
  read(dataId: object): Promise<Values>;
  readSync(dataId: object): Values;
}

/** TensorFlow.js's pool of buffers. */
export interface BufferManager {
  freeBuffers?: Map<string, GPUBuffer[]>;
  acquireBuffer(size: number, usage: number, mappedAtCreation?: boolean, reuse?: boolean): GPUBuffer;
  releaseBuffer(buffer: GPUBuffer, reuse?: boolean): void;
}

/** A part of a buffer that a tensor was given. */
export interface BufferPart {
  buffer: GPUBuffer;
  /** In bytes. */
  offset: number;
  size: number;
  /** Called when the tensor is gone. */
  release(): void;
}

/** A shader with one entry point, `main`, and its bindings in group 0: what it does with each, by its place. */
export interface GpuKernel {
  /** Names the kernel in errors and timelines; kernels of one name have one code. */
  name: string;
  code: string;
  bindings: readonly ('read' | 'write' | 'uniform')[];
}

export interface WebgpuBackend extends BaseBackend {
  opened: OpenDevice;
  /** A new float32 tensor whose values are undefined until a kernel has written them all. */
  allocate(shape: readonly number[], dtype?: DataType): TensorInfo;
  /** Runs a kernel over whole tensors; those that it writes into forget what the processor knew of them. */
  run(kernel: GpuKernel, tensors: readonly (TensorInfo | GPUBuffer)[], workgroups: readonly number[]): void;
  /** A uniform buffer with these bytes, for kernels that run before the next call. */
  uniforms(bytes: ArrayBufferLike): GPUBuffer;
  /** Hands the device all that was encoded so far. */
  flush(): void;
  /** What a kernel binds for a tensor: its buffer or its part of one. Uploads it where it is not there yet. */
  bindingOf(tensor: TensorInfo): GPUBufferBinding;
  /** Gives a tensor without values a part of a buffer to lie in. */
  placeInBuffer(tensor: TensorInfo, part: BufferPart): void;
  /** Gives the pool's idle buffers back to the device: what is done next asks for others. */
  trim(): void;
  /** Put around every command encoder, where set: to note down what the device is told. */
  wrapEncoder?: (encoder: GPUCommandEncoder) => GPUCommandEncoder;
  /** Does `work`; what of the tensors from before did our kernels change in place? */
  watchWrites(work: () => void): ReadonlySet<object>;
  /** After a kernel wrote into the buffer of a tensor: what the processor knew of it no longer holds. */
  forgetValues(tensor: TensorInfo): void;
  /** Whether that tensor alone sees its values: then a kernel may change them in place. */
  isExclusive(tensor: TensorInfo): boolean;
}

/** Dispatches that are recorded before the queue gets them. */
const DISPATCHES_PER_SUBMIT = 64;

/** Makes the backend on an open device. */
export function createWebgpuBackend(opened: OpenDevice): WebgpuBackend {
  const require = createRequire(import.meta.url);
  const { WebGPUBackend } = require('@tensorflow/tfjs-backend-webgpu') as {
    WebGPUBackend: new (device: GPUDevice, info: GPUAdapterInfo) => BaseBackend;
  };
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', DISPATCHES_PER_SUBMIT);

  class Backend extends WebGPUBackend implements WebgpuBackend {
    private readonly pipelines = new Map<string, GPUComputePipeline>();
    private writes: Set<object> | undefined;
    wrapEncoder: WebgpuBackend['wrapEncoder'];
    private readonly parts = new WeakMap<object, BufferPart>();
    readonly opened = opened;

    allocate(shape: readonly number[], dtype: DataType = 'float32'): TensorInfo {
      const info = this.makeTensorInfo(shape, dtype);
      this.uploadToGPU(info.dataId);
      return info;
    }

    run(kernel: GpuKernel, tensors: readonly (TensorInfo | GPUBuffer)[], workgroups: readonly number[]): void {
      const pipeline = this.pipelineOf(kernel);
      const entries = tensors.map((tensor, binding) => {
        if (!('dataId' in tensor)) return { binding, resource: { buffer: tensor } };
        const resource = this.bindingOf(tensor);
        if (kernel.bindings[binding] === 'write') this.forgetValues(tensor);
        return { binding, resource };
      });
      const group = this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      this.ensureCommandEncoderReady();
      this.computePassEncoder ??= (this.commandEncoder as GPUCommandEncoder).beginComputePass();
      this.computePassEncoder.setPipeline(pipeline);
      this.computePassEncoder.setBindGroup(0, group);
      this.computePassEncoder.dispatchWorkgroups(workgroups[0], workgroups[1] ?? 1, workgroups[2] ?? 1);
      this.dispatchCountInPass++;
    }

    uniforms(bytes: ArrayBufferLike): GPUBuffer {
      // Never between kernels that share uniforms: their buffer goes back to the pool with the submit, and what is written
      // into it next is there before kernels that are not submitted yet.
      if (this.dispatchCountInPass >= DISPATCHES_PER_SUBMIT) this.flush();
      const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM;
      const buffer = this.bufferManager.acquireBuffer(bytes.byteLength, usage);
      this.queue.writeBuffer(buffer, 0, bytes as ArrayBuffer);
      this.uniformPendingDisposal.push(buffer);
      return buffer;
    }

    flush(): void {
      if (!this.commandEncoder) return;
      this.endComputePassEncoder();
      this.submitQueue();
    }

    isExclusive(tensor: TensorInfo): boolean {
      return this.refCount(tensor.dataId) === 1;
    }

    override uploadToGPU(dataId: object): void {
      const data = this.tensorMap.get(dataId);
      const { values } = data;
      super.uploadToGPU(dataId);
      // Scalars stay known to the processor, too.
      if (values?.length === 1) data.values = values;
    }

    override async read(dataId: object): Promise<Values> {
      try {
        const part = this.parts.get(dataId);
        const values = await (part ? this.readPart(part) : super.read(dataId));
        opened.check();
        return values;
      } catch (error) {
        // A loss says more than what it makes of a read, and may be told a little later.
        await Promise.race([this.device.lost, delay(100)]);
        opened.check();
        throw error;
      }
    }

    override readSync(dataId: object): Values {
      const { values } = this.tensorMap.get(dataId);
      if (values) return values;
      throw new Error('the webgpu engine reads tensors with `await tensor.data()` alone, never dataSync()');
    }

    trim(): void {
      this.flush();
      for (const buffers of this.bufferManager.freeBuffers?.values() ?? []) {
        for (const buffer of buffers.splice(0)) buffer.destroy();
      }
    }

    forgetValues(tensor: TensorInfo): void {
      this.writes?.add(tensor.dataId);
      this.tensorMap.get(tensor.dataId).values = null;
    }

    watchWrites(work: () => void): ReadonlySet<object> {
      const writes = new Set<object>();
      this.writes = writes;
      try {
        work();
      } finally {
        this.writes = undefined;
      }
      for (const dataId of writes) if (this.refCount(dataId) === 0) writes.delete(dataId);
      return writes;
    }

    override ensureCommandEncoderReady(): void {
      if (this.commandEncoder) return;
      super.ensureCommandEncoderReady();
      if (this.wrapEncoder) this.commandEncoder = this.wrapEncoder(this.commandEncoder as unknown as GPUCommandEncoder);
    }

    bindingOf(tensor: TensorInfo): GPUBufferBinding {
      this.uploadToGPU(tensor.dataId);
      this.commandQueueOwnedIds.add(tensor.dataId);
      return this.tensorToBinding(tensor);
    }

    placeInBuffer(tensor: TensorInfo, part: BufferPart): void {
      this.tensorMap.get(tensor.dataId).resource = part.buffer;
      this.parts.set(tensor.dataId, part);
    }

    override tensorToBinding(tensor: TensorInfo): GPUBufferBinding {
      const part = this.parts.get(tensor.dataId);
      return part ? { buffer: part.buffer, offset: part.offset, size: part.size } : super.tensorToBinding(tensor);
    }

    override releaseResource(dataId: object): void {
      const part = this.parts.get(dataId);
      if (!part) {
        super.releaseResource(dataId);
        return;
      }
      this.parts.delete(dataId);
      part.release();
    }

    /** The values of a tensor that is a part of a buffer. */
    private async readPart({ buffer, offset, size }: BufferPart): Promise<Float32Array> {
      const staging = this.bufferManager.acquireBuffer(size, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
      this.ensureCommandEncoderReady();
      this.endComputePassEncoder();
      (this.commandEncoder as GPUCommandEncoder).copyBufferToBuffer(buffer, offset, staging, 0, size);
      this.submitQueue();
      await staging.mapAsync(GPUMapMode.READ);
      const values = new Float32Array(staging.getMappedRange().slice(0));
      staging.unmap();
      this.bufferManager.releaseBuffer(staging);
      return values;
    }

    private pipelineOf({ name, code, bindings }: GpuKernel): GPUComputePipeline {
      const made = this.pipelines.get(name);
      if (made) return made;
      const types = { read: 'read-only-storage', write: 'storage', uniform: 'uniform' } as const;
      const layout = this.device.createBindGroupLayout({
        entries: bindings.map((access, binding) => {
          return { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type: types[access] } };
        }),
      });
      try {
        const pipeline = this.device.createComputePipeline({
          label: name,
          layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module: this.device.createShaderModule({ label: name, code }), entryPoint: 'main' },
        });
        this.pipelines.set(name, pipeline);
        return pipeline;
      } catch (error) {
        throw new Error(`the shader ${name} does not compile: ${messageOf(error)}`);
      }
    }
  }
  return new Backend(opened.device, opened.adapterInfo);
}
