/**
 * Encodings: coordinates in the image square become features. Frequencies are in cycles per image.
 *
 * All but `none` are Fourier features γ(v) = [sin 2πBv, cos 2πBv] with unit amplitudes (Tancik et al. 2020, eq. 5);
 * they differ in the frequencies B alone.
 */
import type { EncodingConfig } from '../config/schema.ts';
import { pixelCentres, pixelFootprint, type View } from '../grid.ts';
import { type FourierGrid, type GridPixels, gridFeatureKernel } from '../ops/gridFeatures.ts';
import { Random } from '../random.ts';
import { type Tensor2D, tf } from '../tf.ts';

export type Encoding =
  | { kind: 'coordinates'; scale: number; offset: number }
  | {
      kind: 'fourier';
      /** [K,2] row-major: cycles per image along x and y. */
      frequencies: Float64Array;
    };

/** Makes the encoding that a config names; `seed` draws the Gaussian frequencies. */
export function makeEncoding(config: EncodingConfig, seed: number): Encoding {
  switch (config.kind) {
    case 'none':
      return config.range === 'unit'
        ? { kind: 'coordinates', scale: 1, offset: 0 }
        : { kind: 'coordinates', scale: 2, offset: -1 };
    case 'basic':
      return { kind: 'fourier', frequencies: Float64Array.of(1, 0, 0, 1) };
    case 'positional': {
      // B = 2^linspace(0, S, n) − 1 on each axis, as in the authors' notebook (2d_image_regression, `posenc`).
      const ladder = Array.from({ length: config.frequencies }, (_, i) => {
        return 2 ** ((config.maxLog2 * i) / Math.max(1, config.frequencies - 1)) - 1;
      });
      return { kind: 'fourier', frequencies: Float64Array.from(ladder.flatMap((f) => [f, 0, 0, f])) };
    }
    case 'gaussian': {
      const draws = new Random(seed, 'encoding').normals(2 * config.frequencies, config.sigma);
      return { kind: 'fourier', frequencies: Float64Array.from(draws) };
    }
  }
}

/** Number of features per point. */
export function featureCount(encoding: Encoding): number {
  return encoding.kind === 'coordinates' ? 2 : encoding.frequencies.length;
}

/**
 * Features of arbitrary points.
 *
 * @param coordinates [P,2]
 * @returns [P,F]: all sines, then all cosines. Differentiable with respect to the coordinates.
 */
export function encodePoints(encoding: Encoding, coordinates: Tensor2D): Tensor2D {
  return tf.tidy(() => {
    if (encoding.kind === 'coordinates') {
      return tf.add(tf.mul(coordinates, encoding.scale), encoding.offset) as Tensor2D;
    }
    const cyclesToRadians = Float32Array.from(encoding.frequencies, (f) => 2 * Math.PI * f);
    const matrix = tf.tensor2d(cyclesToRadians, [cyclesToRadians.length / 2, 2]); // [K,2]
    const phases = tf.matMul(coordinates, matrix, false, true) as Tensor2D; // [P,K]
    return tf.concat([tf.sin(phases), tf.cos(phases)], 1) as Tensor2D; // [P,2K]
  });
}

/**
 * How much each frequency is attenuated where a pixel covers more of the image than a training pixel did: a Gaussian
 * of the variance by which the two box footprints differ, exp(−2π²f²(s²−s₀²)/12), as integrated positional encoding
 * does for cones (Barron et al. 2021, eq. 14). It is 1 at the training size and above.
 *
 * @param footprint size of a pixel, in image units.
 * @param trainingFootprint size of a pixel during training.
 */
export function footprintAttenuation(
  encoding: Encoding,
  footprint: readonly [number, number],
  trainingFootprint: readonly [number, number],
): Float64Array {
  if (encoding.kind === 'coordinates') return new Float64Array(0);
  const varianceX = Math.max(0, footprint[0] ** 2 - trainingFootprint[0] ** 2) / 12;
  const varianceY = Math.max(0, footprint[1] ** 2 - trainingFootprint[1] ** 2) / 12;
  const { frequencies } = encoding;
  return Float64Array.from({ length: frequencies.length / 2 }, (_, k) => {
    return Math.exp(
      -2 * Math.PI ** 2 * (frequencies[2 * k] ** 2 * varianceX + frequencies[2 * k + 1] ** 2 * varianceY),
    );
  });
}

/** Features of the pixels of one view. */
export interface GridEncoder {
  /** Features of the pixels of rows [firstRow, firstRow+rowCount), row by row: [rowCount·width, F]. */
  rows(firstRow: number, rowCount: number): Float32Array;
  /** Features of the pixels with these row-major indices: [P, F]. */
  pixels(indices: Int32Array): Float32Array;
  /** The grid itself, where its features are Fourier features: for kernels that need not make them. */
  grid?: FourierGrid;
  /** Either of these as a tensor, made by the engine in use where it has a kernel for that. */
  tensor(pixels: GridPixels): Tensor2D;
}

/**
 * Encodes the pixels of a view.
 *
 * The phase is separable, 2π(fₓx + f_y y), so sines and cosines are taken once per column and once per row, in float64
 * (deep zooms keep their precision), and each feature costs two products.
 *
 * @param attenuation one factor per frequency (`viewAttenuation`), or none.
 */
export function makeGridEncoder(encoding: Encoding, view: View, attenuation?: Float64Array): GridEncoder {
  const [x0, y0, x1, y1] = view.window;
  const xs = pixelCentres(x0, x1, view.width);
  const ys = pixelCentres(y0, y1, view.height);
  const count = featureCount(encoding);
  const grid =
    encoding.kind === 'fourier' ? { xs, ys, frequencies: encoding.frequencies, gains: attenuation } : undefined;
  // Made when first needed: the waves of a whole view are not free, and a kernel makes its own.
  let writer: FeatureWriter | undefined;
  const write: FeatureWriter = (...where) => {
    writer ??=
      encoding.kind === 'coordinates' ? linearWriter(encoding, xs, ys) : fourierWriter(encoding, xs, ys, attenuation);
    writer(...where);
  };
  const rows = (firstRow: number, rowCount: number) => {
    const features = new Float32Array(rowCount * view.width * count);
    for (let row = firstRow, at = 0; row < firstRow + rowCount; row++) {
      for (let column = 0; column < view.width; column++, at += count) write(features, at, row, column);
    }
    return features;
  };
  const pixels = (indices: Int32Array) => {
    const features = new Float32Array(indices.length * count);
    indices.forEach((index, p) => {
      write(features, p * count, Math.floor(index / view.width), index % view.width);
    });
    return features;
  };
  const tensor = (chosen: GridPixels): Tensor2D => {
    const kernel = grid && gridFeatureKernel();
    if (kernel) return kernel.encode(grid, chosen);
    const features = chosen instanceof Int32Array ? pixels(chosen) : rows(chosen.firstRow, chosen.rowCount);
    return tf.tensor2d(features, [features.length / count, count]);
  };
  return { rows, pixels, tensor, grid };
}

/** Writes the features of pixel (row, column) at an offset. */
type FeatureWriter = (features: Float32Array, at: number, row: number, column: number) => void;

function linearWriter(
  { scale, offset }: Encoding & { kind: 'coordinates' },
  xs: Float64Array,
  ys: Float64Array,
): FeatureWriter {
  return (features, at, row, column) => {
    features[at] = scale * xs[column] + offset;
    features[at + 1] = scale * ys[row] + offset;
  };
}

function fourierWriter(
  { frequencies }: Encoding & { kind: 'fourier' },
  xs: Float64Array,
  ys: Float64Array,
  attenuation?: Float64Array,
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
  const y = waves(ys, 1, attenuation);
  return (features, at, row, column) => {
    for (let k = 0, i = column * count, j = row * count; k < count; k++, i++, j++) {
      features[at + k] = x.sin[i] * y.cos[j] + x.cos[i] * y.sin[j];
      features[at + count + k] = x.cos[i] * y.cos[j] - x.sin[i] * y.sin[j];
    }
  };
}

/** `footprintAttenuation` of a view, for a model trained on full images of the given size. */
export function viewAttenuation(encoding: Encoding, view: View, training: View): Float64Array | undefined {
  const [footprint, trainingFootprint] = [pixelFootprint(view), pixelFootprint(training)];
  if (footprint[0] <= trainingFootprint[0] && footprint[1] <= trainingFootprint[1]) return undefined;
  return footprintAttenuation(encoding, footprint, trainingFootprint);
}
