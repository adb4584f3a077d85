/**
 * KID, the kernel distance (Bińkowski et al. 2018, "Demystifying MMD GANs", §4): the unbiased estimate of the squared
 * maximum mean discrepancy under the kernel (x·y/d + 1)³. It may be negative, and is then as good as 0.
 *
 * Deviations: all pairs at once rather than a mean over subsets, and an interval by the jackknife over images.
 */
import type { Metric } from './metric.ts';
import { RANDOM_FEATURES, sharedFeatures } from './randomFeatures.ts';
import { type Interval, NO_INTERVAL, twoSampleInterval } from './signal/jackknife.ts';

export const kid: Metric = {
  name: 'kid',
  about: {
    label: 'KID, random features',
    better: 'low',
    reads: 'distance of features; 0 is equal, may be negative',
    source: 'Bińkowski et al. 2018, §4',
    protocol: 'KID: features of a random network, no learned weights; jackknife interval',
  },
  measure: (sets) => {
    const { generated, reference, count } = sharedFeatures(sets);
    const distance = kernelDistance(generated, reference, RANDOM_FEATURES);
    return [{ key: 'kid', protocol: `random${RANDOM_FEATURES}_n${count}`, ...distance }];
  },
};

export interface KernelDistance {
  value: number;
  /** 95 % interval by the jackknife over images of both sides. NaN for fewer than 3 images a side. */
  interval: Interval;
}

/** @param a, b features [count, dimensions] of at least 2 images each. */
export function kernelDistance(a: Float64Array, b: Float64Array, dimensions: number): KernelDistance {
  const [m, n] = [a.length / dimensions, b.length / dimensions];
  if (m < 2 || n < 2) throw new RangeError(`a kernel distance needs 2 images a side, got ${m} and ${n}`);
  const [aa, bb] = [ownSums(a, dimensions), ownSums(b, dimensions)];
  const [ab, ba] = crossSums(a, b, dimensions);
  const total = (sums: Float64Array) => sums.reduce((sum, value) => sum + value, 0);
  const [sumA, sumB, sumAB] = [total(aa), total(bb), total(ab)];
  const value = sumA / (m * (m - 1)) + sumB / (n * (n - 1)) - (2 * sumAB) / (m * n);
  if (m < 3 || n < 3) return { value, interval: NO_INTERVAL };
  // Leaving an image out takes its row and its column away.
  const without = (own: Float64Array, sum: number, cross: Float64Array, count: number, others: number, rest: number) =>
    own.map(
      (row, i) =>
        (sum - 2 * row) / ((count - 1) * (count - 2)) + rest - (2 * (sumAB - cross[i])) / ((count - 1) * others),
    );
  return {
    value,
    interval: twoSampleInterval(
      value,
      without(aa, sumA, ab, m, n, sumB / (n * (n - 1))),
      without(bb, sumB, ba, n, m, sumA / (m * (m - 1))),
    ),
  };
}

/** Σ_{j≠i} k(x_i, x_j) for each i. */
function ownSums(x: Float64Array, dimensions: number): Float64Array {
  const sums = new Float64Array(x.length / dimensions);
  for (let i = 0; i < sums.length; i++) {
    for (let j = 0; j < i; j++) {
      const value = kernel(x, i, x, j, dimensions);
      sums[i] += value;
      sums[j] += value;
    }
  }
  return sums;
}

/** Σ_j k(x_i, y_j) for each i, and Σ_i k(x_i, y_j) for each j. */
function crossSums(x: Float64Array, y: Float64Array, dimensions: number): [Float64Array, Float64Array] {
  const [rows, columns] = [new Float64Array(x.length / dimensions), new Float64Array(y.length / dimensions)];
  for (let i = 0; i < rows.length; i++) {
    for (let j = 0; j < columns.length; j++) {
      const value = kernel(x, i, y, j, dimensions);
      rows[i] += value;
      columns[j] += value;
    }
  }
  return [rows, columns];
}

function kernel(x: Float64Array, i: number, y: Float64Array, j: number, dimensions: number): number {
  let dot = 0;
  for (let k = 0, p = i * dimensions, q = j * dimensions; k < dimensions; k++) dot += x[p + k] * y[q + k];
  return (dot / dimensions + 1) ** 3;
}
