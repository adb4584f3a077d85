/**
 * How the power spectra of two sets of images differ: per band Δ_b = 10 log₁₀(P̂_b/P_b) in dB, over rings their root mean
 * square, the log-spectral distance LSD = √mean_b Δ_b².
 *
 * Power is averaged over images before the logarithm is taken: the mean of logs would lie 2.5 dB lower for Gaussian
 * modes. LSD is never 0 between finite sets, so it stands beside its floor: the LSD of two halves of the reference.
 */
import type { Random } from '../../random.ts';
import type { Band } from './bands.ts';
import { bootstrapInterval } from './bootstrap.ts';
import type { Estimate, Interval } from './jackknife.ts';

/** Mean powers of two sets, per band. */
export interface PowerPair {
  generated: ArrayLike<number>;
  reference: ArrayLike<number>;
}

/** Random splits that a floor is the mean of. */
const SPLITS = 16;

/** Spectra mean something where they have more than this many times the power of rounding. */
export const MEASURABLE = 10;

/** Means over the rows of [count, columns]. */
export function columnMeans(rows: ArrayLike<number>, columns: number): Float64Array {
  const means = new Float64Array(columns);
  for (let i = 0; i < rows.length; i++) means[i % columns] += rows[i];
  return means.map((sum) => (sum * columns) / rows.length);
}

/**
 * Bands where one side at least is well above rounding: elsewhere there is nothing to compare. Decided once, from the
 * two sets, so that a distance, its floor and its resamples are all over the same rings.
 */
export function comparableBands({ generated, reference }: PowerPair, rounding: number): boolean[] {
  return Array.from(reference, (power, b) => Math.max(generated[b], power) > MEASURABLE * rounding);
}

/** Δ_b in dB, NaN for bands that are not comparable. Powers below that of rounding count as that: two such differ by 0. */
export function powerRatiosDb(
  { generated, reference }: PowerPair,
  rounding: number,
  comparable: readonly boolean[],
): Float64Array {
  return Float64Array.from(comparable, (isComparable, b) =>
    isComparable ? 10 * Math.log10(Math.max(generated[b], rounding) / Math.max(reference[b], rounding)) : Number.NaN,
  );
}

/** Root mean square of the Δ of rings that have one. NaN where none has. */
export function logSpectralDistance(bands: readonly Band[], ratiosDb: ArrayLike<number>): number {
  const used = Array.from(ratiosDb).filter((ratio, b) => bands[b].kind === 'ring' && !Number.isNaN(ratio));
  return Math.sqrt(used.reduce((sum, ratio) => sum + ratio ** 2, 0) / used.length);
}

export interface SpectralFloor {
  /** Images in each half. */
  images: number;
  /** Root mean square over random splits. */
  lsdDb: number;
  /** Root mean square over random splits of each band's Δ. */
  ratiosDb: Float64Array;
}

/** What two halves of one set differ by in some bands. Undefined for fewer than 4 images. */
export function splitHalfFloor(
  bands: readonly Band[],
  powers: Float64Array,
  rounding: number,
  comparable: readonly boolean[],
  random: Random,
): SpectralFloor | undefined {
  const count = powers.length / bands.length;
  const images = Math.floor(count / 2);
  if (images < 2) return undefined;
  const squares = new Float64Array(bands.length);
  let lsdSquare = 0;
  for (let split = 0; split < SPLITS; split++) {
    const order = random.sample(count, 2 * images);
    const half = (first: number) => {
      const sums = new Float64Array(bands.length);
      for (let i = first; i < first + images; i++) {
        for (let b = 0; b < sums.length; b++) sums[b] += powers[order[i] * sums.length + b] / images;
      }
      return sums;
    };
    const ratios = powerRatiosDb({ generated: half(0), reference: half(images) }, rounding, comparable);
    for (let b = 0; b < squares.length; b++) squares[b] += ratios[b] ** 2 / SPLITS;
    lsdSquare += logSpectralDistance(bands, ratios) ** 2 / SPLITS;
  }
  return { images, lsdDb: Math.sqrt(lsdSquare), ratiosDb: squares.map(Math.sqrt) };
}

export interface SpectralIntervals {
  ratiosDb: Interval[];
  /**
   * Estimate of the distance between what the sets were drawn from. Sampling adds the mean variance of the Δ to LSD².
   * Resampling shows that variance and adds it once more (Efron & Tibshirani 1993, ch. 6 and §10.2): it is subtracted
   * once from LSD², twice from the resamples' that give the interval. The estimate is never above the LSD of the sets
   * themselves; both may be 0.
   */
  lsdDb: Estimate;
}

/**
 * Bootstrap intervals over images.
 *
 * @param means of the sets themselves.
 * @param resampled of resamples of each set, independent of the other's: [replicates, bands].
 */
export function spectralIntervals(
  bands: readonly Band[],
  means: PowerPair,
  resampled: { generated: Float64Array; reference: Float64Array },
  rounding: number,
  comparable: readonly boolean[],
): SpectralIntervals {
  const columns = bands.length;
  const replicates = resampled.generated.length / columns;
  const ratios: Float64Array[] = Array.from({ length: replicates }, (_, r) => {
    const row = (rows: Float64Array) => rows.subarray(r * columns, (r + 1) * columns);
    const pair = { generated: row(resampled.generated), reference: row(resampled.reference) };
    return powerRatiosDb(pair, rounding, comparable);
  });
  const own = powerRatiosDb(means, rounding, comparable);
  const centre = own.map((_, b) => ratios.reduce((sum, row) => sum + row[b], 0) / replicates);
  const squareOf = (row: Float64Array) => logSpectralDistance(bands, row) ** 2;
  const noise = ratios.reduce((sum, row) => sum + squareOf(row.map((ratio, b) => ratio - centre[b])), 0) / replicates;
  const value = Math.sqrt(Math.max(0, squareOf(own) - noise));
  return {
    ratiosDb: bands.map((_, b) =>
      bootstrapInterval(
        own[b],
        ratios.map((row) => row[b]),
      ),
    ),
    lsdDb: {
      value,
      interval: bootstrapInterval(
        value,
        ratios.map((row) => Math.sqrt(Math.max(0, squareOf(row) - 2 * noise))),
      ),
    },
  };
}
