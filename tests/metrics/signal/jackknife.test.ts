import { describe, expect, it } from 'vitest';
import {
  jackknife,
  jackknifeInterval,
  jackknifeRatio,
  studentQuantile,
} from '../../../src/metrics/signal/jackknife.ts';
import { Random } from '../../../src/random.ts';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("Student's t", () => {
  it('has the quantiles of the tables, odd and even', () => {
    const table = { 1: 12.7062, 2: 4.30265, 3: 3.18245, 4: 2.77645, 7: 2.36462, 8: 2.306, 30: 2.04227, 100: 1.98397 };
    for (const [degrees, quantile] of Object.entries(table)) {
      expect(studentQuantile(Number(degrees))).toBeCloseTo(quantile, 4);
    }
    expect(studentQuantile(20_000)).toBeCloseTo(1.96, 3);
  });
});

describe('jackknife intervals', () => {
  const values = [3, 4, 1, 7, 5];

  it('of a mean are the textbook ones', () => {
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - 4) ** 2, 0) / 4);
    const half = (2.776445 * deviation) / Math.sqrt(5);
    const { value, interval } = jackknife(values, mean);
    expect(value).toBe(4);
    expect(interval[0]).toBeCloseTo(4 - half, 5);
    expect(interval[1]).toBeCloseTo(4 + half, 5);
  });

  it('of a ratio are those of the ratio computed anew without each unit', () => {
    const denominators = [2, 1, 2, 4, 1];
    for (const scale of ['linear', 'log'] as const) {
      const units = values.map((value, i) => [value, denominators[i]]);
      const direct = jackknife(units, (some) => mean(some.map(([n]) => n)) / mean(some.map(([, d]) => d)), scale);
      const ratio = jackknifeRatio(values, denominators, scale);
      expect(ratio.value).toBeCloseTo(direct.value, 12);
      ratio.interval.forEach((end, i) => {
        expect(end).toBeCloseTo(direct.interval[i], 12);
      });
    }
  });

  it('stay positive on a log scale, and are on a linear one where a value is not', () => {
    const [low, high] = jackknifeInterval(1, [0.1, 1, 3], 'log');
    expect(low).toBeGreaterThan(0);
    expect(low * high).toBeCloseTo(1, 10);
    expect(jackknifeInterval(0, [0, 0, 0], 'log')).toEqual([0, 0]);
  });

  it('are not made up where there is one unit or a number that is not finite', () => {
    expect(jackknife([3], mean).interval).toEqual([Number.NaN, Number.NaN]);
    expect(jackknifeRatio([1, 2], [0, 0]).interval).toEqual([Number.NaN, Number.NaN]);
  });

  it('cover the truth 95 times in 100, with 4 and with 8 units, of means and of ratios of positive sums', () => {
    const trials = 800;
    for (const units of [4, 8]) {
      const covered = { mean: 0, ratio: 0 };
      for (let trial = 0; trial < trials; trial++) {
        const random = new Random(units, 'synthetic', trial);
        const draws = Array.from(random.normals(units), (value) => 2 + value);
        const [low, high] = jackknife(draws, mean).interval;
        if (low <= 2 && 2 <= high) covered.mean++;
        // Energies: sums of squares of 20 numbers each, independent, so that the ratio of expectations is 1.
        const energies = () =>
          Array.from({ length: units }, () => random.normals(20).reduce((sum, value) => sum + value ** 2, 0));
        const [lowest, highest] = jackknifeRatio(energies(), energies(), 'log').interval;
        if (lowest <= 1 && 1 <= highest) covered.ratio++;
      }
      // A standard error of 0.8 %.
      expect(covered.mean / trials).toBeGreaterThan(0.925);
      expect(covered.mean / trials).toBeLessThan(0.975);
      expect(covered.ratio / trials).toBeGreaterThan(0.925);
      expect(covered.ratio / trials).toBeLessThan(0.985);
    }
  });
});
