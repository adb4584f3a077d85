/**
 * The native engine's kernels, to be held against the limits of the machine. Each gives its work and what one run of it
 * amounts to (floating-point operations or bytes); results are checked against float64 first.
 */
import type { Addon } from '../src/engine/native/addon.ts';
import { Random } from '../src/random.ts';
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
  checkField();
  const perPoint = layers.reduce((sum, { inputs, outputs }, l) => sum + 2 * inputs * outputs * (l === 0 ? 2 : 3), 0);
  return { run, amount: perPoint * fields * points };

  /** Loss and every gradient of the last field, by loops in float64. */
  function checkField() {
    const field = fields - 1;
    const part = (array: Float32Array, size: number) => array.subarray(field * size, (field + 1) * size);
    const gradients = layers.map(({ inputs, outputs }) => new Float64Array(inputs * outputs));
    let loss = 0;
    for (let p = 0; p < points; p++) {
      const activations: Float64Array[] = [Float64Array.from(features.subarray(p * widths[0], (p + 1) * widths[0]))];
      layers.forEach(({ inputs, outputs }, l) => {
        const kernel = part(kernels[l], inputs * outputs);
        const y = Float64Array.from(part(biases[l], outputs));
        for (let i = 0; i < inputs; i++) {
          const x = activations[l][i];
          for (let o = 0; o < outputs; o++) y[o] += x * kernel[i * outputs + o];
        }
        activations.push(y.map((z) => (l === layers.length - 1 ? 1 / (1 + Math.exp(-z)) : Math.max(0, z))));
      });
      let delta = activations[layers.length].map((y, c) => {
        const difference = y - part(targets, points * 3)[p * 3 + c];
        loss += difference ** 2;
        return (2 * difference * y * (1 - y)) / (points * 3 * fields);
      });
      for (let l = layers.length - 1; l >= 0; l--) {
        const { inputs, outputs } = layers[l];
        const kernel = part(kernels[l], inputs * outputs);
        const x = activations[l];
        const below = new Float64Array(inputs);
        for (let i = 0; i < inputs; i++) {
          if (l > 0 && x[i] === 0) continue; // a closed rectifier passes nothing either way
          for (let o = 0; o < outputs; o++) {
            gradients[l][i * outputs + o] += x[i] * delta[o];
            below[i] += kernel[i * outputs + o] * delta[o];
          }
        }
        delta = below;
      }
    }
    requireCorrect('the field loss', losses.subarray(field), [loss / (points * 3)]);
    layers.forEach(({ inputs, outputs }, l) => {
      requireCorrect(
        `the field gradient of layer ${l}`,
        part(kernelGradients[l], inputs * outputs),
        gradients[l],
        1e-4,
      );
    });
  }
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
  const at = (image: number, row: number, column: number) => {
    const inside = row >= 0 && row < size && column >= 0 && column < size;
    return inside ? ((image * size + row) * size + column) * channels : -1;
  };
  const places = [at(0, 0, 0), at(images - 1, 13, 31), at(images >> 1, 31, 7)];
  const [outputs, inputs] = [new Float64Array(places.length * channels), new Float64Array(places.length * channels)];
  const filters = new Float64Array(9 * channels); // of input channel 3
  for (let pixel = 0; pixel < images * size * size; pixel++) {
    const [image, row, column] = [Math.floor(pixel / size ** 2), Math.floor(pixel / size) % size, pixel % size];
    for (let tap = 0; tap < 9; tap++) {
      const from = at(image, row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1);
      if (from < 0) continue;
      for (let o = 0; o < channels; o++) filters[tap * channels + o] += x[from + 3] * dy[pixel * channels + o];
      for (let i = 0; i < channels; i++) {
        const w = (tap * channels + i) * channels;
        const [output, input] = [places.indexOf(pixel * channels), places.indexOf(from)];
        if (output < 0 && input < 0) continue;
        for (let o = 0; o < channels; o++) {
          if (output >= 0) outputs[output * channels + o] += x[from + i] * filter[w + o];
          if (input >= 0) inputs[input * channels + i] += dy[pixel * channels + o] * filter[w + o];
        }
      }
    }
  }
  const pick = (values: Float32Array) => places.flatMap((place) => [...values.subarray(place, place + channels)]);
  requireCorrect('the convolution', pick(y), outputs);
  requireCorrect('the gradient of its input', pick(dx), inputs);
  const third = Float32Array.from(filters, (_, i) => {
    return dFilter[(Math.floor(i / channels) * channels + 3) * channels + (i % channels)];
  });
  requireCorrect('the gradient of its filter', third, filters, 1e-4);
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
