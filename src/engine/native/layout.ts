/** Ops that only move data: slices, concatenation, padding, transposition, repetition, rows by index. */
import { type TensorInfo, tf } from '../../tf.ts';
import type { NativeBackend } from './backend.ts';
import { isFloat, type KernelCall, type NativeKernel, type NativeKernels, stridesOf } from './kernel.ts';

const MOST_DIMENSIONS = 8;

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);

function movable(tensor: TensorInfo): boolean {
  return (tensor.dtype === 'float32' || tensor.dtype === 'int32') && tensor.shape.length <= MOST_DIMENSIONS;
}

function allocateLike(backend: NativeBackend, x: TensorInfo, shape: readonly number[]) {
  return backend.allocate(shape, x.dtype as 'float32' | 'int32');
}

function elements(backend: NativeBackend, x: TensorInfo): Float32Array | Int32Array {
  return x.dtype === 'int32' ? backend.integers(x) : backend.floats(x);
}

function sliceOf({ addon, backend }: KernelCall, x: TensorInfo, begin: readonly number[], size: readonly number[]) {
  const { info, values } = allocateLike(backend, x, size);
  const strides = stridesOf(x.shape);
  addon.stridedCopy(size, elements(backend, x), dot(begin, strides), strides, values, 0, stridesOf(size));
  return info;
}

const slice: NativeKernel = (call) => {
  const { x } = call.inputs;
  if (!movable(x)) return undefined;
  const [begin, size] = tf.slice_util.parseSliceParams(x as never, call.attrs.begin, call.attrs.size);
  tf.slice_util.assertParamsValid(x as never, begin, size);
  return size.includes(0) ? undefined : sliceOf(call, x, begin, size);
};

const splitV: NativeKernel = (call) => {
  const { x } = call.inputs;
  if (!movable(x) || x.shape.includes(0)) return undefined;
  const axis = tf.util.parseAxisParam(call.attrs.axis, x.shape)[0];
  const sizes = tf.backend_util.prepareSplitSize(x as never, call.attrs.numOrSizeSplits, axis);
  const begin = x.shape.map(() => 0);
  return sizes.map((extent) => {
    const size = x.shape.map((whole, d) => (d === axis ? extent : whole));
    const part = sliceOf(call, x, begin, size);
    begin[axis] += extent;
    return part;
  });
};

/** Copies whole tensors side by side along `axis` of a tensor of `shape`. */
function assemble(
  { addon, backend }: KernelCall,
  parts: readonly TensorInfo[],
  shape: readonly number[],
  axis: number,
) {
  const { info, values } = allocateLike(backend, parts[0], shape);
  const strides = stridesOf(shape);
  let at = 0;
  for (const part of parts) {
    const extents = part.shape.length === shape.length ? part.shape : shape.map((e, d) => (d === axis ? 1 : e));
    addon.stridedCopy(extents, elements(backend, part), 0, stridesOf(extents), values, at * strides[axis], strides);
    at += extents[axis];
  }
  return info;
}

const concat: NativeKernel = (call) => {
  const parts = Object.values(call.inputs).filter((part) => tf.util.sizeFromShape(part.shape) > 0);
  if (parts.length === 0 || !parts.every((part) => movable(part) && part.dtype === parts[0].dtype)) return undefined;
  const axis = tf.util.parseAxisParam(call.attrs.axis, parts[0].shape)[0];
  const shapes = parts.map((part) => part.shape);
  tf.backend_util.assertParamsConsistent(shapes, axis);
  return assemble(call, parts, tf.backend_util.computeOutShape(shapes, axis), axis);
};

const pack: NativeKernel = (call) => {
  const parts = Object.values(call.inputs);
  const [first] = parts;
  if (first.shape.includes(0) || first.shape.length >= MOST_DIMENSIONS) return undefined;
  if (!parts.every((part) => movable(part) && part.dtype === first.dtype)) return undefined;
  const shape = [...first.shape];
  shape.splice(call.attrs.axis, 0, parts.length);
  return assemble(call, parts, shape, call.attrs.axis);
};

const unpack: NativeKernel = (call) => {
  const { value } = call.inputs;
  if (!movable(value) || value.shape.includes(0)) return undefined;
  const axis: number = call.attrs.axis < 0 ? call.attrs.axis + value.shape.length : call.attrs.axis;
  const size = value.shape.map((extent, d) => (d === axis ? 1 : extent));
  return Array.from({ length: value.shape[axis] }, (_, i) => {
    const part = sliceOf(
      call,
      value,
      size.map((_, d) => (d === axis ? i : 0)),
      size,
    );
    return { ...part, shape: part.shape.filter((_, d) => d !== axis) };
  });
};

const padV2: NativeKernel = ({ addon, backend, inputs: { x }, attrs }) => {
  const paddings = attrs.paddings as [number, number][];
  if (!movable(x) || x.shape.includes(0) || paddings.flat().some((extent) => extent < 0)) return undefined;
  const shape = x.shape.map((extent, d) => paddings[d][0] + extent + paddings[d][1]);
  const { info, values } = allocateLike(backend, x, shape);
  values.fill(attrs.constantValue);
  const strides = stridesOf(shape);
  const offset = dot(
    paddings.map(([before]) => before),
    strides,
  );
  addon.stridedCopy(x.shape, elements(backend, x), 0, stridesOf(x.shape), values, offset, strides);
  return info;
};

const transpose: NativeKernel = ({ addon, backend, inputs: { x }, attrs }) => {
  if (!movable(x) || x.shape.includes(0)) return undefined;
  const perm = attrs.perm as number[];
  const strides = stridesOf(x.shape);
  const shape = perm.map((d) => x.shape[d]);
  const { info, values } = allocateLike(backend, x, shape);
  addon.stridedCopy(
    shape,
    elements(backend, x),
    0,
    perm.map((d) => strides[d]),
    values,
    0,
    stridesOf(shape),
  );
  return info;
};

const tile: NativeKernel = ({ addon, backend, inputs: { x }, attrs }) => {
  const reps = attrs.reps as number[];
  if (!movable(x) || 2 * x.shape.length > MOST_DIMENSIONS || x.shape.includes(0) || reps.includes(0)) return undefined;
  const { info, values } = allocateLike(
    backend,
    x,
    x.shape.map((extent, d) => extent * reps[d]),
  );
  // Each dimension becomes two: the repetition, along which the source stands still, and the extent.
  const strides = stridesOf(x.shape);
  const shape = x.shape.flatMap((extent, d) => [reps[d], extent]);
  const sourceStrides = strides.flatMap((stride) => [0, stride]);
  addon.stridedCopy(shape, elements(backend, x), 0, sourceStrides, values, 0, stridesOf(shape));
  return info;
};

const gatherV2: NativeKernel = ({ addon, backend, inputs: { x, indices }, attrs }) => {
  if (!isFloat(x) || indices.dtype !== 'int32' || attrs.batchDims !== 0) return undefined;
  const axis = tf.util.parseAxisParam(attrs.axis, x.shape)[0];
  const product = (extents: readonly number[]) => extents.reduce((total, extent) => total * extent, 1);
  const [outer, inner] = [product(x.shape.slice(0, axis)), product(x.shape.slice(axis + 1))];
  const { info, values } = backend.allocate([...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]);
  const rows = backend.integers(indices);
  addon.gather(backend.floats(x), rows, values, outer, x.shape[axis], inner);
  return info;
};

const unsortedSegmentSum: NativeKernel = ({ addon, backend, inputs: { x, segmentIds }, attrs }) => {
  const perRow = x.shape.slice(segmentIds.shape.length);
  const inner = tf.util.sizeFromShape(perRow);
  if (!isFloat(x) || segmentIds.dtype !== 'int32' || inner === 0) return undefined;
  const rows = backend.integers(segmentIds);
  // TensorFlow drops rows of negative index.
  if (rows.some((row) => row < 0 || row >= attrs.numSegments)) return undefined;
  const { info, values } = backend.allocate([attrs.numSegments, ...perRow]);
  values.fill(0);
  addon.scatterAdd(backend.floats(x), rows, values, inner);
  return info;
};

/** Rows of a table replaced, one index a row. */
const tensorScatterUpdate: NativeKernel = ({ backend, inputs: { tensor, indices, updates } }) => {
  if (!isFloat(tensor, updates) || indices.dtype !== 'int32' || indices.shape.length !== 2) return undefined;
  const [rows, ...rest] = tensor.shape;
  const inner = tf.util.sizeFromShape(rest);
  if (indices.shape[1] !== 1 || updates.shape.length !== tensor.shape.length) return undefined;
  const { info, values } = backend.allocate(tensor.shape);
  values.set(backend.floats(tensor));
  const [places, source] = [backend.integers(indices), backend.floats(updates)];
  places.forEach((row, i) => {
    if (row < 0 || row >= rows) throw new Error(`tensorScatterUpdate: index ${row} is not one of ${rows} rows`);
    values.set(source.subarray(i * inner, (i + 1) * inner), row * inner);
  });
  return info;
};

const fill: NativeKernel = ({ backend, attrs }) => {
  if (attrs.dtype !== 'float32' && !(attrs.dtype === undefined && typeof attrs.value === 'number')) return undefined;
  const { info, values } = backend.allocate(attrs.shape);
  values.fill(attrs.value);
  return info;
};

export const layoutKernels: NativeKernels = {
  Slice: slice,
  SplitV: splitV,
  Concat: concat,
  Pack: pack,
  Unpack: unpack,
  PadV2: padV2,
  Transpose: transpose,
  Tile: tile,
  GatherV2: gatherV2,
  UnsortedSegmentSum: unsortedSegmentSum,
  TensorScatterUpdate: tensorScatterUpdate,
  Fill: fill,
};
