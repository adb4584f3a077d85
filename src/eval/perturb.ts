/**
 * How much a generator's images change when something about it is disturbed, per band: E‖Π_bΔf‖² / ‖Π_bf‖², over images,
 * channels and random disturbances. Images are floats, neither clamped nor quantised.
 */
import type { FieldWeights } from '../engine/field.ts';
import type { Random } from '../random.ts';
import type { DrawableField } from '../render/drawableField.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../tf.ts';
import type { Band, BandPartition } from './bands.ts';
import { type Interval, percentileInterval, REPLICATES } from './bootstrap.ts';
import { planeSpectra } from './noise.ts';

/** Sums over channels and repeats of one image, of unnormalised coefficients. */
interface ImageEnergies {
  signal: Float64Array;
  change: Float64Array;
  cross: Float64Array;
}

export interface BandChange extends Band {
  /** E‖Π_bΔf‖² / ‖Π_bf‖²: 0 unmoved, 2 as different as two unrelated images. NaN without energy in the band. */
  relativeChange: number;
  relativeChangeLow: number;
  relativeChangeHigh: number;
  /** Re Σ F*F̃ / Σ|F|²: how much of the image is still there. */
  transfer: number;
}

/** Collects pairs of an image and its disturbed version; several disturbances of an image count as one in intervals. */
export class BandChanges {
  private readonly images = new Map<number, ImageEnergies>();

  constructor(
    readonly partition: BandPartition,
    readonly channels = 3,
  ) {}

  add(image: number, before: ArrayLike<number>, after: ArrayLike<number>): void {
    const { partition, channels } = this;
    const zeros = () => new Float64Array(partition.bands.length);
    const sums = this.images.get(image) ?? { signal: zeros(), change: zeros(), cross: zeros() };
    this.images.set(image, sums);
    const shape = { width: partition.width, height: partition.height, channels };
    const difference = Float64Array.from(before, (value, i) => after[i] - value);
    const changes = planeSpectra(difference, shape);
    planeSpectra(before, shape).forEach((f, channel) => {
      const d = changes[channel];
      for (let k = 0; k < partition.membership.length; k++) {
        const band = partition.membership[k];
        const energy = f.re[k] ** 2 + f.im[k] ** 2;
        sums.signal[band] += energy;
        sums.change[band] += d.re[k] ** 2 + d.im[k] ** 2;
        sums.cross[band] += energy + f.re[k] * d.re[k] + f.im[k] * d.im[k];
      }
    });
  }

  /** With 95 % bootstrap intervals over images. */
  result(random: Random): BandChange[] {
    const images = [...this.images.values()];
    const resamples = Array.from({ length: REPLICATES }, () => images.map(() => images[random.integer(images.length)]));
    return this.partition.bands.map((band, b) => {
      const ratio = (of: readonly ImageEnergies[], key: 'change' | 'cross') =>
        of.reduce((sum, image) => sum + image[key][b], 0) / of.reduce((sum, image) => sum + image.signal[b], 0);
      const [low, high]: Interval = percentileInterval(resamples.map((resample) => ratio(resample, 'change')));
      return {
        ...band,
        relativeChange: ratio(images, 'change'),
        relativeChangeLow: low,
        relativeChangeHigh: high,
        transfer: ratio(images, 'cross'),
      };
    });
  }
}

/**
 * Weights plus noise. `isotropic`: one direction on the unit sphere of all weights of a field, scaled to `size` times
 * their norm (Rahaman et al. 2019, §4.2, whose δ is absolute). `layer`: independent in every layer, `size` relative to
 * the norm of its kernel and bias, so that small layers are disturbed as much as large ones.
 */
export function perturbWeights(
  weights: FieldWeights,
  kind: 'isotropic' | 'layer',
  size: number,
  random: Random,
  only?: number,
): FieldWeights {
  return tf.tidy(() => {
    const layers = weights.kernels.map((kernel, l) => ({
      kernel,
      bias: weights.biases[l],
      chosen: only === undefined || l === only,
    }));
    const noise = layers.map(({ kernel, bias }) => ({
      kernel: normalLike(kernel, random),
      bias: normalLike(bias, random),
    }));
    const squares = (part: { kernel: Tensor; bias: Tensor }) =>
      tf.add(tf.sum(tf.square(part.kernel), [1, 2]), tf.sum(tf.square(part.bias), 1)); // [B]
    const scaleOf = (of: readonly number[]) => {
      const total = (parts: readonly { kernel: Tensor; bias: Tensor }[]) => tf.addN(of.map((l) => squares(parts[l])));
      return tf.mul(tf.sqrt(tf.div(total(layers), total(noise))), size); // [B]
    };
    const all = layers.flatMap(({ chosen }, l) => (chosen ? [l] : []));
    const common = kind === 'isotropic' ? scaleOf(all) : undefined;
    const disturbed = layers.map(({ kernel, bias, chosen }, l) => {
      if (!chosen) return { kernel: tf.clone(kernel), bias: tf.clone(bias) };
      const scale = common ?? scaleOf([l]);
      return {
        kernel: tf.add(kernel, tf.mul(noise[l].kernel, tf.reshape(scale, [-1, 1, 1]))) as Tensor3D,
        bias: tf.add(bias, tf.mul(noise[l].bias, tf.reshape(scale, [-1, 1]))) as Tensor2D,
      };
    });
    return { kernels: disturbed.map(({ kernel }) => kernel), biases: disturbed.map(({ bias }) => bias) } as never;
  });
}

function normalLike(tensor: Tensor, random: Random): Tensor {
  return tf.tensor(random.normals(tensor.size), tensor.shape);
}

/** Fourier features with every frequency moved by N(0, standardDeviation²), in cycles per image; the field as it was. */
export function perturbFrequencies(field: DrawableField, standardDeviation: number, random: Random): DrawableField {
  const { encoding } = field;
  if (encoding.kind !== 'fourier') throw new RangeError('an encoding without frequencies has none to move');
  const frequencies = encoding.frequencies.map((frequency) => frequency + standardDeviation * random.normal());
  return { ...field, encoding: { ...encoding, frequencies } };
}
