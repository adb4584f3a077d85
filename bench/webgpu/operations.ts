/** Operations of the engine in use, timed on the GPU and checked against float64 first: the field, and a convolution. */
import { type FieldSpec, fieldLoss } from '../../src/ops/field.ts';
import { Random } from '../../src/random.ts';
import { type Scalar, type Tensor, type Tensor3D, tf } from '../../src/tf.ts';
import { convolutionFloat64, fieldFloat64 } from '../float64.ts';
import { median, requireCorrect } from '../measure.ts';
import { roundToHalf } from './ceilings.ts';
import type { Gpu, Timing } from './gpu.ts';
import type { Precision } from './precision.ts';
import { busyTime } from './timeline.ts';
import { traced } from './trace.ts';

export interface OperationFigure extends Timing {
  /** Floating-point operations per second of the GPU's time. */
  perSecond: number;
}

/**
 * Median time of one run of `work`, which gives tensors: the GPU's, without the gaps between its passes, or wall clock where
 * there are no timestamps.
 */
async function timed(gpu: Gpu, operations: number, work: () => Tensor[]): Promise<OperationFigure> {
  const repetitions = gpu.isSoftware ? 1 : 8;
  const run = async () => {
    for (let i = 1; i < repetitions; i++) tf.dispose(work());
    const last = work();
    // The queue gets what is recorded when somebody reads.
    await tf.tidy(() => tf.slice(tf.reshape(last[0], [-1]), 0, 1)).data();
    tf.dispose(last);
  };
  await run();
  const seconds: number[] = [];
  for (let round = 0; round < (gpu.isSoftware ? 1 : 7); round++) {
    const start = performance.now();
    const busy = gpu.hasTimestamps ? busyTime(await traced(gpu, 'pass', run)).busy : undefined;
    if (busy === undefined) await run();
    seconds.push((busy ?? (performance.now() - start) / 1000) / repetitions);
  }
  const middle = median(seconds);
  const by = gpu.hasTimestamps ? 'timestamps' : 'wall clock';
  return { seconds: middle, by, perSecond: operations / middle };
}

export interface FieldShape {
  hidden: number;
  fields: number;
  points: number;
}

/** Points repeat after so many, a prime number, so that no tile of points is like another and float64 need do but these. */
const DISTINCT = 251;

/**
 * Forward, loss and backward of B ReLU fields 128→H→H→H→3; the operations are those of the products alone. Weights and
 * features are 16-bit numbers: rounding them would close and open rectifiers, which says nothing of a kernel.
 */
export async function fieldFigure(
  gpu: Gpu,
  { hidden, fields, points }: FieldShape,
  { name, gradientBound }: Precision,
): Promise<OperationFigure> {
  const random = new Random(1, 'synthetic');
  const widths = [128, hidden, hidden, hidden, 3];
  const layers = widths.slice(1).map((outputs, l) => ({ inputs: widths[l], outputs }));
  const spec: FieldSpec = { layers, activation: 'relu', omega: 1, output: 'sigmoid', precision: name };
  const shapes = layers.flatMap(({ inputs, outputs }) => [
    [fields, inputs, outputs],
    [fields, outputs],
  ]);
  const values = shapes.map((shape) => {
    const deviation = shape.length === 3 ? Math.sqrt(2 / shape[1]) : 0.1;
    const size = shape.reduce((a, b) => a * b);
    return random.normals(size, deviation).map(roundToHalf);
  });
  const features = random.uniforms(DISTINCT * 128, -1, 1).map(roundToHalf);
  const targets = random.uniforms(fields * DISTINCT * 3, 0, 1);
  const weights = values.map((value, i) => tf.tensor(value, shapes[i]));
  const featureTensor = tf.tensor2d(repeatRows(features, 1, DISTINCT, 128, points), [points, 128]);
  const targetTensor = tf.tensor3d(repeatRows(targets, fields, DISTINCT, 3, points), [fields, points, 3]);
  const loss = (...parts: Tensor[]): Scalar => {
    const [kernels, biases] = [parts.filter((_, i) => i % 2 === 0), parts.filter((_, i) => i % 2 === 1)];
    return fieldLoss(spec, { kernels, biases } as never, featureTensor, targetTensor);
  };
  const work = () => {
    const { value, grads } = tf.valueAndGrads(loss)(weights);
    return [value, ...grads];
  };

  const results = work();
  const last = fields - 1;
  const part = (i: number) => values[i].subarray(last * (values[i].length / fields));
  const expected = fieldFloat64(
    widths,
    { kernels: widths.slice(1).map((_, l) => part(2 * l)), biases: widths.slice(1).map((_, l) => part(2 * l + 1)) },
    features,
    targets.subarray(last * DISTINCT * 3),
    (point) => Math.floor((points - point - 1) / DISTINCT) + 1,
  );
  for (const [l, gradient] of expected.kernels.entries()) {
    const found = await tf.tidy(() => tf.slice(results[1 + 2 * l] as Tensor3D, [last, 0, 0], [1, -1, -1])).data();
    const mean = gradient.map((value) => value / (points * 3 * fields));
    requireCorrect(`the field gradient of layer ${l}, hidden ${hidden}`, found, mean, gradientBound);
  }
  tf.dispose(results);
  const products = layers.reduce((sum, { inputs, outputs }, l) => sum + 2 * inputs * outputs * (l === 0 ? 2 : 3), 0);
  const figure = await timed(gpu, products * fields * points, work);
  tf.dispose([weights, featureTensor, targetTensor]);
  return figure;
}

/** [blocks, distinct, width] → [blocks, rows, width], its rows over and over. */
function repeatRows(values: Float32Array, blocks: number, distinct: number, width: number, rows: number): Float32Array {
  const repeated = new Float32Array(blocks * rows * width);
  for (let block = 0; block < blocks; block++) {
    const source = values.subarray(block * distinct * width, (block + 1) * distinct * width);
    for (let row = 0; row < rows; row += distinct) {
      const count = Math.min(distinct, rows - row);
      repeated.set(source.subarray(0, count * width), (block * rows + row) * width);
    }
  }
  return repeated;
}

/** A 3×3 convolution of 64 to 64 channels at 32² with both gradients, by TensorFlow.js's own kernels. */
export async function convolutionFigure(gpu: Gpu, images: number): Promise<OperationFigure> {
  const random = new Random(1, 'synthetic');
  const [size, channels] = [32, 64];
  const [x, dy] = [random.normals(images * size * size * channels), random.normals(images * size * size * channels)];
  const filter = random.normals(9 * channels * channels, 0.05);
  const shape: [number, number, number, number] = [images, size, size, channels];
  const inputs = [tf.tensor4d(x, shape), tf.tensor4d(filter, [3, 3, channels, channels])];
  const upper = tf.tensor4d(dy, shape);
  const convolve = (input: Tensor, kernel: Tensor) => tf.conv2d(input as never, kernel as never, 1, 'same') as Tensor;
  const work = () => tf.grads(convolve)(inputs, upper); // runs the convolution, then both gradients

  const y = tf.tidy(() => convolve(inputs[0], inputs[1]));
  const [dx, dFilter] = work();
  const expected = convolutionFloat64({ images, size, channels, x, dy, filter });
  requireCorrect('the convolution', expected.pick(await y.data()), expected.outputs);
  requireCorrect('the gradient of its input', expected.pick(await dx.data()), expected.inputs);
  requireCorrect('the gradient of its filter', expected.pickFilter(await dFilter.data()), expected.filters, 1e-4);
  tf.dispose([y, dx, dFilter]);
  const figure = await timed(gpu, 3 * 2 * images * size ** 2 * 9 * channels ** 2, work);
  tf.dispose([inputs, upper]);
  return figure;
}
