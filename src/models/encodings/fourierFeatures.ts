/**
 * Fourier features γ(v) = [sin 2πBv, cos 2πBv] with unit amplitudes (Tancik et al. 2020, eq. 5). The kinds that make them
 * differ in the frequencies B alone.
 */
import { pixelCentres, type View } from '../../grid.ts';
import { type GridPixels, gridFeatureKernel } from '../../ops/gridFeatures.ts';
import type { Random } from '../../random.ts';
import { type Tensor2D, tf } from '../../tf.ts';
import type { Encoding, Footprint, GridEncoder } from './encoding.ts';

export interface FourierFeatures extends Encoding {
  /** [K,2] row-major: cycles per image along x and y. */
  frequencies: Float64Array;
  /** Factor of each frequency, [K], or none. */
  gains?: Float64Array;
  grid(view: View): Required<GridEncoder>;
  attenuated(footprint: Footprint, training: Footprint): FourierFeatures;
  shifted(standardDeviation: number, random: Random): FourierFeatures;
}

/**
 * @param frequencies [K,2] row-major: cycles per image along x and y.
 * @param gains one factor per frequency (`footprintAttenuation`), or none.
 */
export function fourierFeatures(frequencies: Float64Array, gains?: Float64Array): FourierFeatures {
  return {
    frequencies,
    gains,
    features: frequencies.length,
    points(coordinates) {
      return tf.tidy(() => {
        const cyclesToRadians = Float32Array.from(frequencies, (f) => 2 * Math.PI * f);
        const matrix = tf.tensor2d(cyclesToRadians, [cyclesToRadians.length / 2, 2]); // [K,2]
        const phases = tf.matMul(coordinates, matrix, false, true) as Tensor2D; // [P,K]
        const waves = tf.concat([tf.sin(phases), tf.cos(phases)], 1) as Tensor2D; // [P,2K]
        if (!gains) return waves;
        const factors = Float32Array.from([...gains, ...gains]);
        return tf.mul(waves, tf.tensor1d(factors)) as Tensor2D;
      });
    },
    grid: (view) => fourierGridEncoder(frequencies, view, gains),
    attenuated(footprint, training) {
      if (footprint[0] <= training[0] && footprint[1] <= training[1]) return fourierFeatures(frequencies, gains);
      const attenuation = footprintAttenuation(frequencies, footprint, training);
      return fourierFeatures(frequencies, gains ? attenuation.map((gain, k) => gain * gains[k]) : attenuation);
    },
    shifted(standardDeviation, random) {
      return fourierFeatures(
        frequencies.map((frequency) => frequency + standardDeviation * random.normal()),
        gains,
      );
    },
  };
}

/**
 * How much each frequency is attenuated where a pixel covers more of the image than a training pixel did: a Gaussian
 * of the variance by which the two box footprints differ, exp(−2π²f²(s²−s₀²)/12), as integrated positional encoding
 * does for cones (Barron et al. 2021, eq. 14). It is 1 at the training size and above.
 *
 * @param footprint size of a pixel, in image units.
 * @param training size of a pixel during training.
 */
export function footprintAttenuation(
  frequencies: Float64Array,
  footprint: Footprint,
  training: Footprint,
): Float64Array {
  const varianceX = Math.max(0, footprint[0] ** 2 - training[0] ** 2) / 12;
  const varianceY = Math.max(0, footprint[1] ** 2 - training[1] ** 2) / 12;
  return Float64Array.from({ length: frequencies.length / 2 }, (_, k) => {
    return Math.exp(
      -2 * Math.PI ** 2 * (frequencies[2 * k] ** 2 * varianceX + frequencies[2 * k + 1] ** 2 * varianceY),
    );
  });
}

/**
 * The phase is separable, 2π(fₓx + f_y y), so sines and cosines are taken once per column and once per row, in float64
 * (deep zooms keep their precision), and each feature costs two products.
 */
function fourierGridEncoder(frequencies: Float64Array, view: View, gains?: Float64Array): Required<GridEncoder> {
  const [x0, y0, x1, y1] = view.window;
  const xs = pixelCentres(x0, x1, view.width);
  const ys = pixelCentres(y0, y1, view.height);
  const grid = { xs, ys, frequencies, gains };
  // Made when first needed: the waves of a whole view are not free, and a kernel makes its own.
  let writer: FeatureWriter | undefined;
  const values = (pixels: GridPixels) => {
    writer ??= fourierWriter(frequencies, xs, ys, gains);
    return writeFeatures(writer, pixels, view.width, frequencies.length);
  };
  const tensor = (pixels: GridPixels): Tensor2D => {
    const kernel = gridFeatureKernel();
    return kernel ? kernel.encode(grid, pixels) : tensorOf(values(pixels), frequencies.length);
  };
  return { values, tensor, grid };
}

/** Writes the features of pixel (row, column) at an offset. */
export type FeatureWriter = (features: Float32Array, at: number, row: number, column: number) => void;

/** Features of some pixels of a grid, [P,F]. */
export function writeFeatures(write: FeatureWriter, pixels: GridPixels, width: number, count: number): Float32Array {
  const isList = pixels instanceof Int32Array;
  const first = isList ? 0 : pixels.firstRow * width;
  const length = isList ? pixels.length : pixels.rowCount * width;
  const features = new Float32Array(length * count);
  for (let p = 0; p < length; p++) {
    const index = isList ? pixels[p] : first + p;
    write(features, p * count, Math.floor(index / width), index % width);
  }
  return features;
}

export function tensorOf(features: Float32Array, count: number): Tensor2D {
  return tf.tensor2d(features, [features.length / count, count]);
}

function fourierWriter(
  frequencies: Float64Array,
  xs: Float64Array,
  ys: Float64Array,
  gains?: Float64Array,
): FeatureWriter {
  const count = frequencies.length / 2;
  /** sin and cos of 2π·f·position for each position and frequency, [N,K] each. */
  const waves = (positions: Float64Array, axis: 0 | 1, gain?: Float64Array) => {
    const [sin, cos] = [new Float64Array(positions.length * count), new Float64Array(positions.length * count)];
    for (let i = 0; i < positions.length; i++) {
      for (let k = 0; k < count; k++) {
        const phase = 2 * Math.PI * frequencies[2 * k + axis] * positions[i];
        sin[i * count + k] = Math.sin(phase) * (gain ? gain[k] : 1);
        cos[i * count + k] = Math.cos(phase) * (gain ? gain[k] : 1);
      }
    }
    return { sin, cos };
  };
  const x = waves(xs, 0);
  const y = waves(ys, 1, gains);
  return (features, at, row, column) => {
    for (let k = 0, i = column * count, j = row * count; k < count; k++, i++, j++) {
      features[at + k] = x.sin[i] * y.cos[j] + x.cos[i] * y.sin[j];
      features[at + count + k] = x.cos[i] * y.cos[j] - x.sin[i] * y.sin[j];
    }
  };
}
