/**
 * The native engine's kernels, to be held against the limits of the machine. Each gives its work and what one run of it
 * amounts to (floating-point operations or bytes); results are checked against float64 first.
 */
import type { Addon } from '../src/engine/native/addon.ts';
import { Random } from '../src/random.ts';
import { convolutionFloat64, fieldFloat64 } from './float64.ts';
import { requireCorrect } from './measure.ts';

const random = new Random(1, 'synthetic');

export interface FieldWork {
  hidden: number;
  fields: number;
  points: number;
}

/** Forward and backward of B ReLU fields 128→H→H→H→3; the operations are those of the products alone. */
export function fieldBench(addon: Addon, { hidden, fields, points }: FieldWork) {
  const widths = [128, hidden, hidden, hidden, 3];
  const layers = widths.slice(1).map((outputs, l) => ({ inputs: widths[l], outputs }));
  const kernels = layers.map((l) => random.normals(fields * l.inputs * l.outputs, Math.sqrt(2 / l.inputs)));
  const biases = layers.map((l) => random.normals(fields * l.outputs, 0.1));
  const features = random.uniforms(points * widths[0], -1, 1);
  const targets = random.uniforms(fields * points * 3, 0, 1);
  const losses = new Float32Array(fields);
  const kernelGradients = kernels.map((kernel) => new Float32Array(kernel.length));
  const biasGradients = biases.map((bias) => new Float32Array(bias.length));
  const run = () => {
    const output = [null, losses, kernelGradients, biasGradients, null] as const;
    addon.field(1, widths, 0, 0, 1, true, true, fields, points, kernels, biases, features, targets, ...output);
  };
  run();
  const last = fields - 1; // loss and every gradient of the last field are checked
  const part = (array: Float32Array, size: number) => array.subarray(last * size, fields * size);
  const expected = fieldFloat64(
    widths,
    {
      kernels: layers.map(({ inputs, outputs }, l) => part(kernels[l], inputs * outputs)),
      biases: layers.map(({ outputs }, l) => part(biases[l], outputs)),
    },
    features,
    part(targets, points * 3),
  );
  requireCorrect('the field loss', losses.subarray(last), [expected.squaredError / (points * 3)]);
  expected.kernels.forEach((gradient, l) => {
    const mean = gradient.map((value) => value / (points * 3 * fields));
    requireCorrect(`the field gradient of layer ${l}`, part(kernelGradients[l], gradient.length), mean, 1e-4);
  });
  const perPoint = layers.reduce((sum, { inputs, outputs }, l) => sum + 2 * inputs * outputs * (l === 0 ? 2 : 3), 0);
  return { run, amount: perPoint * fields * points };
}

/** A square matrix product; some rows are checked. */
export function matmulBench(addon: Addon, size: number) {
  const [a, b] = [random.normals(size * size), random.normals(size * size)];
  const c = new Float32Array(size * size);
  const run = () => addon.gemm(a, b, c, 1, size, size, size, false, false, false, false);
  run();
  for (const row of [0, size >> 1, size - 1]) {
    const expected = new Float64Array(size);
    for (let k = 0; k < size; k++) for (let j = 0; j < size; j++) expected[j] += a[row * size + k] * b[k * size + j];
    requireCorrect('the matrix product', c.subarray(row * size, (row + 1) * size), expected);
  }
  return { run, amount: 2 * size ** 3 };
}

/** A 3×3 convolution of 64 to 64 channels at 32², forward and both gradients; some entries of each are checked. */
export function convolutionBench(addon: Addon, images = 16) {
  const [size, channels] = [32, 64];
  const extents = [images, size, size, channels, size, size, channels, 3, 3, 1, 1, 1, 1, 1, 1];
  const [x, dy] = [random.normals(images * size * size * channels), random.normals(images * size * size * channels)];
  const filter = random.normals(9 * channels * channels, 0.05);
  const [y, dx] = [new Float32Array(dy.length), new Float32Array(x.length)];
  const dFilter = new Float32Array(filter.length);
  const run = () => {
    addon.conv(0, extents, x, filter, null, y);
    addon.conv(1, extents, null, filter, dy, dx);
    addon.conv(2, extents, x, null, dy, dFilter);
  };
  run();
  const expected = convolutionFloat64({ images, size, channels, x, dy, filter });
  requireCorrect('the convolution', expected.pick(y), expected.outputs);
  requireCorrect('the gradient of its input', expected.pick(dx), expected.inputs);
  requireCorrect('the gradient of its filter', expected.pickFilter(dFilter), expected.filters, 1e-4);
  return { run, amount: 3 * 2 * images * size ** 2 * 9 * channels ** 2 };
}

/** Adam over arrays too large for any cache. It reads four and writes three. */
export function adamBench(addon: Addon, length = 2 ** 25) {
  const [p, m, v, g] = Array.from({ length: 4 }, (_, i) => new Float32Array(length).fill(0.5 + i));
  const run = () => addon.adam(p, m, v, g, 1e-3, 0.9, 0.99, 1e-8, 1);
  run();
  const [first, second] = [0.9 * 1.5 + 0.1 * 3.5, 0.99 * 2.5 + 0.01 * 3.5 ** 2];
  requireCorrect('Adam', [p[length - 1]], [0.5 - (1e-3 * first) / Math.sqrt(second)]);
  return { run, amount: 7 * 4 * length };
}
