/** Matrix products and convolutions. */
import { type TensorInfo, tf } from '../../tf.ts';
import { BINARY, UNARY } from './elementwise.ts';
import { isFloat, type KernelCall, type NativeKernel, type NativeKernels, stridesOf } from './kernel.ts';

/** C = op(a)·op(b) for equal batches, or one matrix against a batch; undefined for other broadcasts. */
function product({ addon, backend, inputs: { a, b }, attrs }: KernelCall): TensorInfo | undefined {
  if (!isFloat(a, b)) return undefined;
  const { transposeA = false, transposeB = false } = attrs;
  const [rankA, rankB] = [a.shape.length, b.shape.length];
  const [rowsA, columnsA] = a.shape.slice(rankA - 2);
  const [rowsB, columnsB] = b.shape.slice(rankB - 2);
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [depthB, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  if (k !== depthB)
    throw new Error(`matMul: inner dimensions of [${a.shape}] and [${b.shape}] differ (${k}, ${depthB})`);
  const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const [countA, countB] = [tf.util.sizeFromShape(batchA), tf.util.sizeFromShape(batchB)];
  if (countA !== 1 && countB !== 1 && !tf.util.arraysEqual(batchA, batchB)) return undefined;
  const batchShape = tf.backend_util.assertAndGetBroadcastShape(batchA, batchB);
  const batch = Math.max(countA, countB);
  const { info, values } = backend.allocate([...batchShape, m, n]);
  const [valuesA, valuesB] = [backend.floats(a), backend.floats(b)];
  // A batch against one B is one tall product.
  if (countB === 1 && batch > 1 && !transposeA) {
    addon.gemm(valuesA, valuesB, values, 1, batch * m, n, k, false, false, false, transposeB);
  } else {
    addon.gemm(valuesA, valuesB, values, batch, m, n, k, countA === 1, countB === 1, transposeA, transposeB);
  }
  return info;
}

/** Names of the fused activations that are unary ops here. */
const ACTIVATIONS: Record<string, (typeof UNARY)[number] | undefined> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  sigmoid: 'Sigmoid',
  leakyrelu: 'LeakyRelu',
};

/** Whether a fused op's bias and activation can be served. */
function fusable({ inputs: { bias }, attrs: { activation } }: KernelCall): boolean {
  const known = !activation || activation === 'linear' || ACTIVATIONS[activation] !== undefined;
  return known && (!bias || isFloat(bias));
}

/** Adds the bias along the last dimension and applies the activation, in place. */
function finish({ addon, backend, inputs: { bias }, attrs }: KernelCall, result: TensorInfo): TensorInfo {
  const values = backend.floats(result);
  if (bias) {
    const shape = result.shape;
    const strides = stridesOf(shape);
    const own = stridesOf(bias.shape);
    const missing = shape.length - bias.shape.length;
    const biasStrides = shape.map((_, d) => (d < missing || bias.shape[d - missing] === 1 ? 0 : own[d - missing]));
    addon.binary(BINARY.indexOf('Add'), shape, values, strides, backend.floats(bias), biasStrides, values);
  }
  const activation = ACTIVATIONS[attrs.activation];
  if (activation) addon.unary(UNARY.indexOf(activation), values, values, attrs.leakyreluAlpha ?? 0, 0);
  return result;
}

const fusedMatMul: NativeKernel = (call) => {
  if (!fusable(call)) return undefined;
  const result = product(call);
  return result && finish(call, result);
};

type Shape4D = [number, number, number, number];

/** The extents of a convolution in the order of native/kernels.h, or undefined where it is not a plain NHWC one. */
function convExtents(attrs: KernelCall['attrs'], inputShape: Shape4D, filterShape: Shape4D): number[] | undefined {
  const { strides, pad, dimRoundingMode, dilations = [1, 1] } = attrs;
  const format = tf.backend_util.convertConv2DDataFormat(attrs.dataFormat ?? 'NHWC');
  if (format !== 'channelsLast') return undefined;
  const g = tf.backend_util.computeConv2DInfo(
    inputShape,
    filterShape,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    false,
    format,
  );
  return [
    g.batchSize,
    g.inHeight,
    g.inWidth,
    g.inChannels,
    g.outHeight,
    g.outWidth,
    g.outChannels,
    g.filterHeight,
    g.filterWidth,
    g.strideHeight,
    g.strideWidth,
    g.dilationHeight,
    g.dilationWidth,
    g.padInfo.top,
    g.padInfo.left,
  ];
}

function conv2d({ addon, backend, inputs: { x, filter }, attrs }: KernelCall): TensorInfo | undefined {
  if (!isFloat(x, filter)) return undefined;
  const extents = convExtents(attrs, x.shape as Shape4D, filter.shape as Shape4D);
  if (!extents) return undefined;
  const { info, values } = backend.allocate([extents[0], extents[4], extents[5], extents[6]]);
  addon.conv(0, extents, backend.floats(x), backend.floats(filter), null, values);
  return info;
}

const fusedConv2D: NativeKernel = (call) => {
  if (!fusable(call)) return undefined;
  const result = conv2d(call);
  return result && finish(call, result);
};

const conv2dInputGradient: NativeKernel = ({ addon, backend, inputs: { dy, filter }, attrs }) => {
  if (!isFloat(dy, filter)) return undefined;
  const extents = convExtents(attrs, attrs.inputShape, filter.shape as Shape4D);
  if (!extents) return undefined;
  const { info, values } = backend.allocate(attrs.inputShape);
  addon.conv(1, extents, null, backend.floats(filter), backend.floats(dy), values);
  return info;
};

const conv2dFilterGradient: NativeKernel = ({ addon, backend, inputs: { x, dy }, attrs }) => {
  if (!isFloat(x, dy)) return undefined;
  const extents = convExtents(attrs, x.shape as Shape4D, attrs.filterShape);
  if (!extents) return undefined;
  const { info, values } = backend.allocate(attrs.filterShape);
  addon.conv(2, extents, backend.floats(x), null, backend.floats(dy), values);
  return info;
};

export const productKernels: NativeKernels = {
  BatchMatMul: product,
  _FusedMatMul: fusedMatMul,
  Conv2D: conv2d,
  FusedConv2D: fusedConv2D,
  Conv2DBackpropInput: conv2dInputGradient,
  Conv2DBackpropFilter: conv2dFilterGradient,
};
