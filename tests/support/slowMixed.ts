/** A field's loss and gradients in float64, rounded to 16 bits where mixed precision does. */
import type { FieldSpec, FieldWeights } from '../../src/ops/field.ts';
import type { Tensor, Tensor3D } from '../../src/tf.ts';
import { slowActivation } from './slowModel.ts';

/** The nearest number of 11 bits, to even; below 2⁻¹⁴ the steps stay 2⁻²⁴ (IEEE 754 binary16, without its infinities). */
export function toHalf(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(x)))) - 10);
  const below = Math.floor(x / step);
  const rest = x / step - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return Math.max(-65504, Math.min(65504, (below + Number(up)) * step));
}

const LOSS_SCALE = 256;

interface Setting {
  spec: FieldSpec;
  weights: FieldWeights;
  features: Tensor;
  targets: Tensor3D;
}

/** The mean loss; gradients of kernels, then of biases. */
export async function roundedGradients({ spec, weights, features, targets }: Setting) {
  const { layers, skipLayer, activation } = spec;
  const [fields, points, channels] = targets.shape;
  const kernels = await Promise.all(weights.kernels.map(async (k) => Float64Array.from(await k.data(), toHalf)));
  const biases = await Promise.all(weights.biases.map((b) => b.data()));
  const x = Float64Array.from(await features.data(), toHalf);
  const y = await targets.data();
  const gradients = [...kernels, ...biases].map(({ length }) => new Float64Array(length));
  const last = layers.length - 1;
  const activate = (z: number) => slowActivation(spec, z);
  const isRectifier = activation === 'relu' || activation === 'leakyRelu';
  // A rectifier's slope is told from the rounded activation, as the kernel does.
  const slope = (z: number, a: number) =>
    isRectifier ? activate(a > 0 ? 1 : -1) * (a > 0 ? 1 : -1) : (activate(z + 1e-5) - activate(z - 1e-5)) / 2e-5;
  let squares = 0;
  for (let b = 0; b < fields; b++) {
    for (let p = 0; p < points; p++) {
      const row = (features.rank === 3 ? b * points : 0) + p;
      const own = Array.from(x.subarray(row * layers[0].inputs, (row + 1) * layers[0].inputs));
      const inputs: number[][] = [];
      const slopes: number[][] = [];
      let values = own;
      layers.forEach(({ inputs: rows, outputs }, l) => {
        inputs.push(l === skipLayer ? [...values, ...own] : values);
        const z = Array.from({ length: outputs }, (_, o) => {
          const terms = inputs[l].map((value, i) => value * kernels[l][(b * rows + i) * outputs + o]);
          return terms.reduce((sum, term) => sum + term, biases[l][b * outputs + o]);
        });
        values = l === last ? z : z.map((value) => toHalf(activate(value)));
        slopes.push(z.map((value, o) => toHalf(slope(value, values[o]))));
      });
      let deltas = values.map((z, c) => {
        const squashed = spec.output === 'sigmoid' ? 1 / (1 + Math.exp(-z)) : z;
        const difference = squashed - y[(b * points + p) * channels + c];
        squares += difference ** 2;
        return toHalf(LOSS_SCALE * difference * (spec.output === 'sigmoid' ? squashed * (1 - squashed) : 1));
      });
      for (let l = last; l >= 0; l--) {
        const { inputs: rows, outputs } = layers[l];
        const before = deltas;
        inputs[l].forEach((value, i) => {
          for (let o = 0; o < outputs; o++) gradients[l][(b * rows + i) * outputs + o] += value * before[o];
        });
        for (let o = 0; o < outputs; o++) gradients[last + 1 + l][b * outputs + o] += before[o];
        if (l === 0) break;
        deltas = slopes[l - 1].map((ofActivation, i) => {
          const sum = before.reduce((total, delta, o) => total + delta * kernels[l][(b * rows + i) * outputs + o], 0);
          return toHalf(sum * ofActivation);
        });
      }
    }
  }
  const scale = 2 / (fields * points * channels) / LOSS_SCALE;
  return {
    loss: squares / (fields * points * channels),
    gradients: gradients.map((values) => Float32Array.from(values, (value) => value * scale)),
  };
}
