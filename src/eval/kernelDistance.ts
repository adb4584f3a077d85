/**
 * KID, the kernel distance (Bińkowski et al. 2018, "Demystifying MMD GANs", §4): the unbiased estimate of the squared
 * maximum mean discrepancy under the kernel (x·y/d + 1)³. It may be negative, and is then as good as 0.
 *
 * Deviations: all pairs at once rather than a mean over subsets, and an interval by the jackknife over images.
 */
import type { Interval } from './bootstrap.ts';

export interface KernelDistance {
  value: number;
  /** ±1.96 jackknife standard errors. NaN for fewer than 3 images a side. */
  interval: Interval;
}

/** @param a, b features [count, dimensions] of at least 2 images each. */
export function kernelDistance(a: Float64Array, b: Float64Array, dimensions: number): KernelDistance {
  const [m, n] = [a.length / dimensions, b.length / dimensions];
  if (m < 2 || n < 2) throw new RangeError(`a kernel distance needs 2 images a side, got ${m} and ${n}`);
  const own = (rows: Float64Array) => kernelRowSums(rows, rows, dimensions, true);
  const [aa, bb] = [own(a), own(b)];
  const ab = kernelRowSums(a, b, dimensions, false);
  const ba = kernelRowSums(b, a, dimensions, false);
  const total = (sums: Float64Array) => sums.reduce((sum, value) => sum + value, 0);
  const [sumA, sumB, sumAB] = [total(aa), total(bb), total(ab)];
  const value = sumA / (m * (m - 1)) + sumB / (n * (n - 1)) - (2 * sumAB) / (m * n);
  if (m < 3 || n < 3) return { value, interval: [Number.NaN, Number.NaN] };
  // Leaving an image out takes its row and its column away.
  const without = (own: Float64Array, sum: number, cross: Float64Array, count: number, others: number, rest: number) =>
    own.map(
      (row, i) =>
        (sum - 2 * row) / ((count - 1) * (count - 2)) + rest - (2 * (sumAB - cross[i])) / ((count - 1) * others),
    );
  const variance =
    jackknifeVariance(without(aa, sumA, ab, m, n, sumB / (n * (n - 1)))) +
    jackknifeVariance(without(bb, sumB, ba, n, m, sumA / (m * (m - 1))));
  const margin = 1.96 * Math.sqrt(variance);
  return { value, interval: [value - margin, value + margin] };
}

/** (n−1)/n Σ(θ_i − θ̄)² (Efron & Stein 1981). */
function jackknifeVariance(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return ((values.length - 1) / values.length) * values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
}

/** Σ_j k(x_i, y_j) for each i, without j = i where the sets are one. */
function kernelRowSums(x: Float64Array, y: Float64Array, dimensions: number, same: boolean): Float64Array {
  const rows = new Float64Array(x.length / dimensions);
  const columns = y.length / dimensions;
  for (let i = 0; i < rows.length; i++) {
    for (let j = 0; j < columns; j++) {
      if (same && i === j) continue;
      let dot = 0;
      for (let k = 0, p = i * dimensions, q = j * dimensions; k < dimensions; k++) dot += x[p + k] * y[q + k];
      rows[i] += (dot / dimensions + 1) ** 3;
    }
  }
  return rows;
}
