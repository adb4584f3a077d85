/** Elementwise functions and reductions. The numbers of the ops are those of native/kernels.h. */
import { type TensorInfo, tf } from '../../tf.ts';
import { isFloat, type KernelCall, type NativeKernel, type NativeKernels, stridesOf } from './kernel.ts';

export const UNARY = [
  'Relu',
  'LeakyRelu',
  'Sigmoid',
  'Tanh',
  'Sin',
  'Cos',
  'Exp',
  'Log',
  'Sqrt',
  'Rsqrt',
  'Square',
  'Neg',
  'Abs',
  'Step',
  'Reciprocal',
  'Sign',
  'Erf',
  'Softplus',
  'Elu',
  'Relu6',
  'ClipByValue',
] as const;

export const BINARY = ['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference', 'Pow'] as const;

/** The parameters p0, p1 of the functions that have any, from TensorFlow.js's attributes. */
const PARAMETERS: Partial<Record<(typeof UNARY)[number], (attrs: KernelCall['attrs']) => [number, number]>> = {
  LeakyRelu: ({ alpha }) => [alpha, 0],
  Step: ({ alpha }) => [alpha, 0],
  ClipByValue: ({ clipValueMin, clipValueMax }) => [clipValueMin, clipValueMax],
};

function unaryKernel(name: (typeof UNARY)[number]): NativeKernel {
  const op = UNARY.indexOf(name);
  return ({ addon, backend, inputs: { x }, attrs }) => {
    if (!isFloat(x)) return undefined;
    const [p0, p1] = PARAMETERS[name]?.(attrs) ?? [0, 0];
    const { info, values } = backend.allocate(x.shape);
    addon.unary(op, backend.floats(x), values, p0, p1);
    return info;
  };
}

/** Strides with which a tensor of `shape` is read as one of `broadcast`: 0 along repeated dimensions. */
function broadcastStrides(shape: readonly number[], broadcast: readonly number[]): number[] {
  const strides = stridesOf(shape);
  const missing = broadcast.length - shape.length;
  return broadcast.map((_, d) => (d < missing || shape[d - missing] === 1 ? 0 : strides[d - missing]));
}

function binaryKernel(name: (typeof BINARY)[number]): NativeKernel {
  const op = BINARY.indexOf(name);
  return ({ addon, backend, inputs: { a, b } }) => {
    if (!isFloat(a, b)) return undefined;
    const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
    if (shape.length > 8) return undefined;
    const { info, values } = backend.allocate(shape);
    const [stridesA, stridesB] = [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)];
    addon.binary(op, shape, backend.floats(a), stridesA, backend.floats(b), stridesB, values);
    return info;
  };
}

/** Sum or mean over axes that are neighbours in memory; others are first brought together by the caller's transpose. */
function reduce({ addon, backend, inputs: { x }, attrs }: KernelCall, mean: boolean): TensorInfo | undefined {
  if (!isFloat(x)) return undefined;
  const axes = tf.util.parseAxisParam(attrs.axis as number[], x.shape).sort((a, b) => a - b);
  const reduced = new Set(axes.filter((axis) => x.shape[axis] !== 1));
  const sorted = [...reduced].sort((a, b) => a - b);
  for (let axis = sorted[0] + 1; axis < sorted[sorted.length - 1]; axis++) {
    if (x.shape[axis] !== 1 && !reduced.has(axis)) return undefined;
  }
  const product = (from: number, to: number) => x.shape.slice(from, to).reduce((total, extent) => total * extent, 1);
  const [first, last] = sorted.length === 0 ? [0, -1] : [sorted[0], sorted[sorted.length - 1]];
  const [outer, count, inner] = [product(0, first), product(first, last + 1), product(last + 1, x.shape.length)];
  if (outer * count * inner === 0) return undefined;
  const shape = x.shape
    .map((extent, axis) => (axes.includes(axis) ? 1 : extent))
    .filter((_, axis) => attrs.keepDims || !axes.includes(axis));
  const { info, values } = backend.allocate(shape);
  addon.sum(backend.floats(x), values, outer, count, inner, mean ? 1 / count : 1);
  return info;
}

const addN: NativeKernel = ({ addon, backend, inputs }) => {
  const terms = Object.values(inputs);
  if (!isFloat(...terms)) return undefined;
  const { info, values } = backend.allocate(terms[0].shape);
  addon.addN(
    values,
    terms.map((term) => backend.floats(term)),
  );
  return info;
};

const zerosLike: NativeKernel = ({ backend, inputs: { x } }) => fill(backend, x, 0);
const onesLike: NativeKernel = ({ backend, inputs: { x } }) => fill(backend, x, 1);

function fill(backend: KernelCall['backend'], like: TensorInfo, value: number): TensorInfo | undefined {
  if (!isFloat(like)) return undefined;
  const { info, values } = backend.allocate(like.shape);
  values.fill(value);
  return info;
}

export const elementwiseKernels: NativeKernels = {
  ...Object.fromEntries(UNARY.map((name) => [name, unaryKernel(name)])),
  ...Object.fromEntries(BINARY.map((name) => [name, binaryKernel(name)])),
  Sum: (call) => reduce(call, false),
  Mean: (call) => reduce(call, true),
  AddN: addN,
  ZerosLike: zerosLike,
  OnesLike: onesLike,
};
