/// <reference types="@webgpu/types" />
/**
 * Tensors that lie side by side in one buffer, so that one kernel can go over all of them: the parameters of a model, say.
 * To TensorFlow.js they are tensors like others, each bound as its part of the buffer.
 */
import { type Tensor, type TensorInfo, tf } from '../../tf.ts';
import type { WebgpuBackend } from './backend.ts';

/** WebGPU binds parts of a buffer that begin at multiples of this many bytes. */
const ALIGNMENT = 256;

export interface Arena {
  buffer: GPUBuffer;
  /** Where each tensor begins, and the length of all, in float32 values with the padding between them. */
  offsets: readonly number[];
  length: number;
}

/** Where tensors of these sizes lie in an arena. */
export function arenaLayout(sizes: readonly number[]): { offsets: number[]; length: number } {
  let length = 0;
  const unit = ALIGNMENT / 4;
  const offsets = sizes.map((size) => {
    const offset = length;
    length = Math.ceil((length + size) / unit) * unit;
    return offset;
  });
  return { offsets, length };
}

/** Moves tensors into a new arena: returns tensors of the same values in their place, and disposes the old. */
export function moveToArena(backend: WebgpuBackend, tensors: readonly Tensor[]): { arena: Arena; tensors: Tensor[] } {
  const { offsets, length } = arenaLayout(tensors.map(({ size }) => size));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = backend.bufferManager.acquireBuffer(4 * length, usage);
  let members = tensors.length;
  const release = () => {
    members--;
    if (members === 0) backend.bufferManager.releaseBuffer(buffer);
  };
  const moved = tensors.map((tensor, i) => {
    const info = backend.makeTensorInfo(tensor.shape, 'float32');
    backend.placeInBuffer(info, { buffer, offset: 4 * offsets[i], size: 4 * tensor.size, release });
    copyInto(backend, tensor, buffer, 4 * offsets[i]);
    tensor.dispose();
    return tf.engine().makeTensorFromTensorInfo(info as never) as Tensor;
  });
  return { arena: { buffer, offsets, length }, tensors: moved };
}

/** Copies a tensor's values to a place in a buffer. */
export function copyInto(backend: WebgpuBackend, tensor: TensorInfo, buffer: GPUBuffer, offset: number): void {
  const source = backend.bindingOf(tensor);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  const encoder = backend.commandEncoder as GPUCommandEncoder;
  const size = 4 * tf.util.sizeFromShape(tensor.shape as number[]);
  encoder.copyBufferToBuffer(source.buffer, source.offset ?? 0, buffer, offset, size);
}
