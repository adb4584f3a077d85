/** Small random fields, and the same fields evaluated point by point in float64. */

import { fullView } from '../../src/grid.ts';
import type { Encoding } from '../../src/models/encodings/encoding.ts';
import { type FourierFeatures, fourierFeatures } from '../../src/models/encodings/fourierFeatures.ts';
import type { FieldSpec } from '../../src/ops/field.ts';
import { Random } from '../../src/random.ts';
import type { DrawableField } from '../../src/render/drawableField.ts';
import { tf } from '../../src/tf.ts';

export interface RandomField extends DrawableField {
  /** Colour of field `b` at a point, Fourier features multiplied by `gains` (one per frequency). */
  colour(b: number, x: number, y: number, gains?: ArrayLike<number>): number[];
}

export interface RandomFieldOptions {
  fields?: number;
  /** Units of each hidden layer; none for a field that is linear in its features. */
  hidden?: number[];
  frequencies?: number;
  /** Instead of random ones, [K,2]. */
  given?: Float64Array;
  /** Standard deviation of the frequencies, in cycles per image. */
  sigma?: number;
  activation?: FieldSpec['activation'];
  output?: FieldSpec['output'];
  encoding?: Encoding;
  trainingSize?: number;
}

export function randomField(options: RandomFieldOptions = {}): RandomField {
  const { fields = 1, hidden = [16, 16], activation = 'relu', output = 'sigmoid', trainingSize = 32 } = options;
  const random = new Random(11, 'evaluation');
  const { frequencies: count = 12, sigma = 3 } = options;
  const frequencies = options.given ?? Float64Array.from(random.normals(2 * count, sigma));
  const encoding: Encoding = options.encoding ?? fourierFeatures(frequencies);
  const inputs = encoding.features;
  const widths = [inputs, ...hidden, 3];
  const layers = hidden.concat(3).map((outputs, i) => ({ inputs: widths[i], outputs }));
  const kernels = layers.map((l) => random.normals(fields * l.inputs * l.outputs, Math.sqrt(2 / l.inputs)));
  const biases = layers.map((l) => random.normals(fields * l.outputs, 0.2));
  const omega = 3;

  function colour(b: number, x: number, y: number, gains?: ArrayLike<number>): number[] {
    let values = [2 * x - 1, 2 * y - 1]; // of the encoding `none`
    if ('frequencies' in encoding) {
      const { frequencies: waves } = encoding as FourierFeatures;
      const phases = Array.from(
        { length: inputs / 2 },
        (_, k) => 2 * Math.PI * (waves[2 * k] * x + waves[2 * k + 1] * y),
      );
      const gain = (k: number) => (gains ? gains[k] : 1);
      values = [...phases.map((p, k) => gain(k) * Math.sin(p)), ...phases.map((p, k) => gain(k) * Math.cos(p))];
    }
    layers.forEach((layer, l) => {
      const last = l === layers.length - 1;
      const next: number[] = [];
      for (let o = 0; o < layer.outputs; o++) {
        let sum = biases[l][b * layer.outputs + o];
        for (let i = 0; i < layer.inputs; i++) {
          sum += values[i] * kernels[l][(b * layer.inputs + i) * layer.outputs + o];
        }
        if (!last) next.push(activation === 'relu' ? Math.max(0, sum) : Math.sin(omega * sum));
        else next.push(output === 'sigmoid' ? 1 / (1 + Math.exp(-sum)) : sum);
      }
      values = next;
    });
    return values;
  }

  return {
    encoding,
    spec: { layers, activation, omega, output },
    training: fullView(trainingSize, trainingSize),
    weights: {
      kernels: layers.map((l, i) => tf.tensor3d(kernels[i], [fields, l.inputs, l.outputs])),
      biases: layers.map((l, i) => tf.tensor2d(biases[i], [fields, l.outputs])),
    },
    colour,
  };
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths ${a.length} and ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

/** Mean of each factor×factor block of an image [size·factor, size·factor, 3], in float64. */
export function blockMeans(pixels: ArrayLike<number>, size: number, factor: number): Float64Array {
  const means = new Float64Array(size * size * 3);
  for (let row = 0; row < size * factor; row++) {
    for (let column = 0; column < size * factor; column++) {
      for (let channel = 0; channel < 3; channel++) {
        const target = (Math.floor(row / factor) * size + Math.floor(column / factor)) * 3 + channel;
        means[target] += pixels[(row * size * factor + column) * 3 + channel] / factor ** 2;
      }
    }
  }
  return means;
}
