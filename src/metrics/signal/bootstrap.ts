/**
 * Bootstrap intervals: how far a number would move if other images had been drawn from where these came from.
 *
 * Efron & Tibshirani 1993, "An Introduction to the Bootstrap", §13.3 (percentile interval): images are drawn with
 * replacement, the statistic is computed anew, and the middle 95 % of its values are the interval.
 */
import type { Random } from '../../random.ts';
import { type Interval, jackknifeInterval, leaveOneOutMeans } from './jackknife.ts';

export type { Interval };

/** Resamples per interval: the ends of a 95 % interval then stand on 10 values each. */
export const REPLICATES = 400;

/**
 * Below this many values resamples are too much alike: of 8 normal ones the middle 95 % hold the true mean 90 times in 100,
 * of 4 some 80 times, of 2 some 60.
 */
export const FEWEST_RESAMPLED = 16;

/** The middle `level` of the values. NaN where there are none; infinities count as values. */
export function percentileInterval(values: ArrayLike<number>, level = 0.95): Interval {
  const sorted = Float64Array.from(values).sort();
  const tail = (1 - level) / 2;
  return [quantileOfSorted(sorted, tail), quantileOfSorted(sorted, 1 - tail)];
}

/**
 * 95 % interval of a number from its values over resamples, widened where need be to hold the number itself: of few, very
 * unequal images nearly all resamples can lie on one side of it.
 */
export function bootstrapInterval(value: number, replicates: ArrayLike<number>): Interval {
  const [low, high] = percentileInterval(replicates);
  return [Math.min(low, value), Math.max(high, value)];
}

function quantileOfSorted(sorted: Float64Array, q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = q * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below === above ? below : below + (above - below) * (at - Math.floor(at));
}

/**
 * Means over resampled rows.
 *
 * @param rows [count, columns], one row an image.
 * @returns [replicates, columns].
 */
export function resampledMeans(
  rows: ArrayLike<number>,
  columns: number,
  random: Random,
  replicates = REPLICATES,
): Float64Array {
  const count = rows.length / columns;
  const means = new Float64Array(replicates * columns);
  for (let replicate = 0; replicate < replicates; replicate++) {
    const to = replicate * columns;
    for (let draw = 0; draw < count; draw++) {
      const from = random.integer(count) * columns;
      for (let column = 0; column < columns; column++) means[to + column] += rows[from + column];
    }
    for (let column = 0; column < columns; column++) means[to + column] /= count;
  }
  return means;
}

/** Interval of the mean of some values, one an image; by the jackknife where they are few; NaN where there is none. */
export function meanInterval(values: ArrayLike<number>, random: Random, scale?: 'linear' | 'log'): Interval {
  const mean = meanOf(values);
  if (values.length < FEWEST_RESAMPLED) return jackknifeInterval(mean, leaveOneOutMeans(values, 1), scale);
  return bootstrapInterval(mean, resampledMeans(values, 1, random));
}

/** Intervals without those that have no ends. */
export function withoutUnknown(intervals: Record<string, Interval>): Record<string, Interval> {
  return Object.fromEntries(Object.entries(intervals).filter(([, ends]) => !ends.some(Number.isNaN)));
}

/** Mean of the values; NaN where there are none. */
export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}
