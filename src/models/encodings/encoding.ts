/** The contract of encodings: coordinates in the image square become features. Frequencies are in cycles per image. */
import { pixelCentres, type View } from '../../grid.ts';
import type { FourierGrid, GridPixels } from '../../ops/gridFeatures.ts';
import type { Random } from '../../random.ts';
import { type Tensor2D, tf } from '../../tf.ts';
import type { Keys, Settings } from '../kind.ts';
import type { InitialParameters, Parameters } from '../parameters.ts';

/** Size of a pixel along x and y, in image units. */
export type Footprint = readonly [width: number, height: number];

export interface Encoding {
  /** Features of a point, F. */
  features: number;
  /**
   * Where it is trained with the model: its parameters' shapes and first values, by names that begin with `encoding.`.
   * `grid`, `attenuated` and `shifted` know nothing of them: such an encoding has none of the three.
   */
  initial?: InitialParameters;
  /**
   * Features of arbitrary points [P,2] → [P,F], in TensorFlow.js ops. Differentiable with respect to the coordinates and
   * the parameters.
   */
  points(coordinates: Tensor2D, parameters: Parameters): Tensor2D;
  /** The same of a view's pixels, where there is a faster or finer way than by their coordinates in 32 bits. */
  grid?(view: View): GridEncoder;
  /**
   * This encoding for pixels of that footprint, where training had smaller ones: what is finer than a pixel goes, what
   * training saw stays. Absent: drawing takes several points a pixel instead.
   */
  attenuated?(footprint: Footprint, training: Footprint): Encoding;
  /** This encoding with each frequency moved by N(0, σ²I), in cycles per image. Absent: it has none to move. */
  shifted?(standardDeviation: number, random: Random): Encoding;
}

/** Features of the pixels of one view. */
export interface GridEncoder {
  /** Of whole rows, or of pixels by their row-major indices: [P,F], made by the engine in use where it can. */
  tensor(pixels: GridPixels): Tensor2D;
  /** The same as numbers. */
  values?(pixels: GridPixels): Float32Array;
  /** The grid itself, where its features are Fourier features: for kernels that need not make them. */
  grid?: FourierGrid;
}

/** What a config's `model.encoding.kind` names. */
export interface EncodingKind<K extends Keys = Keys> {
  keys: K;
  /** @param seed of what is drawn at random and never trained, such as frequencies. */
  make(settings: Settings<K>, seed: number): Encoding;
}

/** An `EncodingKind` whose `make` is checked against its keys. */
export function defineEncoding<K extends Keys>(kind: EncodingKind<K>): EncodingKind<K> {
  return kind;
}

/** Encodes the pixels of a view: the encoding's own way, or by the coordinates of their centres. */
export function gridEncoder(encoding: Encoding, view: View, parameters: Parameters = {}): GridEncoder {
  if (encoding.grid) return encoding.grid(view);
  return {
    tensor: (pixels) =>
      tf.tidy(() => {
        const centres = pixelCoordinates(view, pixels);
        return encoding.points(tf.tensor2d(centres, [centres.length / 2, 2]), parameters);
      }),
  };
}

/** Centres of some pixels of a view, [P,2]. */
export function pixelCoordinates({ window: [x0, y0, x1, y1], width, height }: View, pixels: GridPixels): Float32Array {
  const [xs, ys] = [pixelCentres(x0, x1, width), pixelCentres(y0, y1, height)];
  const isList = pixels instanceof Int32Array;
  const centres = new Float32Array(2 * (isList ? pixels.length : pixels.rowCount * width));
  for (let p = 0; p < centres.length / 2; p++) {
    const index = isList ? pixels[p] : pixels.firstRow * width + p;
    centres[2 * p] = xs[index % width];
    centres[2 * p + 1] = ys[Math.floor(index / width)];
  }
  return centres;
}
