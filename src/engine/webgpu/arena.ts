/// <reference types="@webgpu/types" />
/**
 * Tensors that lie side by side in one buffer, so that one kernel can go over all of them: the parameters of a model, say.
 * To TensorFlow.js they are tensors like others, each bound as its part of the buffer.
 */
import { type Tensor, type TensorInfo, tf } from '../../tf.ts';
import type { GpuKernel, WebgpuBackend } from './backend.ts';
import { runs } from './fieldPacking.ts';

/** WebGPU binds parts of a buffer that begin at multiples of this many bytes. */
const ALIGNMENT = 256;

export interface Arena {
  buffer: GPUBuffer;
  /** Where each tensor begins, and the length of all, in float32 values with the padding between them. */
  offsets: readonly number[];
  length: number;
}

export interface GatherStep {
  kernel: GpuKernel;
  /** Indices of the tensors that it binds. */
  members: number[];
  workgroups: number;
}

const WORKGROUP = 256;

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

/**
 * Moves tensors into a new arena: returns tensors of the same values in their place, and disposes the old.
 *
 * @param onRelease called when the last of them is gone, and the arena with it.
 */
export function moveToArena(
  backend: WebgpuBackend,
  tensors: readonly Tensor[],
  onRelease?: () => void,
): { arena: Arena; tensors: Tensor[] } {
  const { offsets, length } = arenaLayout(tensors.map(({ size }) => size));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = backend.bufferManager.acquireBuffer(4 * length, usage);
  let members = tensors.length;
  const release = () => {
    members--;
    if (members > 0) return;
    backend.bufferManager.releaseBuffer(buffer);
    onRelease?.();
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

/**
 * Puts tensors of these sizes side by side, as `arenaLayout` has it, some at a time: as many as the device binds buffers.
 * (Copies of buffers would do, but each ends the pass.) Bindings: the arena, then the tensors.
 */
export function gatherKernels(sizes: readonly number[], mostBuffers: number): GatherStep[] {
  const { offsets } = arenaLayout(sizes);
  return runs([...sizes.keys()], mostBuffers - 1).map((members) => {
    const first = offsets[members[0]];
    const end = offsets[members[members.length - 1]] + sizes[members[members.length - 1]];
    const branches = members.map((m, i) => {
      const last = offsets[m] + sizes[m];
      return `if (i < ${last}u) { if (i >= ${offsets[m]}u) { arena[i] = part${i}[i - ${offsets[m]}u]; } }`;
    });
    const code = `
@group(0) @binding(0) var<storage, read_write> arena: array<f32>;
${members.map((_, i) => `@group(0) @binding(${1 + i}) var<storage, read> part${i}: array<f32>;`).join('\n')}
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = ${first}u + (group.y * groups.x + group.x) * ${WORKGROUP}u + lane;
  ${branches.join(' else ')}
}`;
    const bindings = ['write' as const, ...members.map(() => 'read' as const)];
    const kernel = { name: `gather ${first} ${members.map((m) => sizes[m])}`, code, bindings };
    return { kernel, members, workgroups: Math.ceil((end - first) / WORKGROUP) };
  });
}

/** Copies a tensor's values to a place in a buffer. */
function copyInto(backend: WebgpuBackend, tensor: TensorInfo, buffer: GPUBuffer, offset: number): void {
  const source = backend.bindingOf(tensor);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  const encoder = backend.commandEncoder as GPUCommandEncoder;
  const size = 4 * tf.util.sizeFromShape(tensor.shape as number[]);
  encoder.copyBufferToBuffer(source.buffer, source.offset ?? 0, buffer, offset, size);
}
