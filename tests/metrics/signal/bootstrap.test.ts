import { describe, expect, it } from 'vitest';
import {
  FEWEST_RESAMPLED,
  meanInterval,
  meanOf,
  percentileInterval,
  resampledMeans,
  withoutUnknown,
} from '../../../src/metrics/signal/bootstrap.ts';
import { Random } from '../../../src/random.ts';

describe('bootstrap', () => {
  it('takes the middle of sorted values, interpolating between neighbours', () => {
    const values = Array.from({ length: 101 }, (_, i) => 100 - i);
    expect(percentileInterval(values, 0.5)).toEqual([25, 75]);
    expect(percentileInterval([1, 2], 0.5)).toEqual([1.25, 1.75]);
    expect(percentileInterval([])).toEqual([Number.NaN, Number.NaN]);
  });

  it('keeps infinities, which identical images have as PSNR', () => {
    const infinite = Number.POSITIVE_INFINITY;
    expect(percentileInterval([30, infinite, infinite], 0.5)).toEqual([infinite, infinite]);
    const identical = Array.from({ length: FEWEST_RESAMPLED }, () => infinite);
    expect(meanInterval(identical, new Random(1, 'evaluation'))).toEqual([infinite, infinite]);
    expect(meanInterval([infinite, infinite], new Random(1, 'evaluation'))).toEqual([Number.NaN, Number.NaN]);
  });

  it("draws means whose spread is the mean's standard error, σ/√n, and whole rows at once", () => {
    const random = new Random(2, 'synthetic');
    const rows = Float64Array.from({ length: 2 * 500 }, (_, i) => (i % 2 === 0 ? random.normal() : 0));
    for (let i = 1; i < rows.length; i += 2) rows[i] = 3 * rows[i - 1];
    const means = resampledMeans(rows, 2, random, 2000);
    const column = means.filter((_, i) => i % 2 === 0);
    const centre = meanOf(column);
    const deviation = Math.sqrt(meanOf(column.map((value) => (value - centre) ** 2)));
    expect(deviation / (1 / Math.sqrt(500))).toBeGreaterThan(0.88);
    expect(deviation / (1 / Math.sqrt(500))).toBeLessThan(1.12);
    column.forEach((value, i) => {
      expect(means[2 * i + 1]).toBeCloseTo(3 * value, 12);
    });
  });

  it.each([2, 4, 8, 15])('covers the true mean of %i values in about 95 of 100 samples, however few', (count) => {
    let covered = 0;
    for (let trial = 0; trial < 800; trial++) {
      const random = new Random(5, 'synthetic', trial);
      const [low, high] = meanInterval(random.normals(count), random);
      covered += Number(low <= 0 && 0 <= high);
    }
    expect(covered / 800).toBeGreaterThan(0.93);
    expect(covered / 800).toBeLessThan(0.97);
  });

  it('leaves out intervals without ends', () => {
    expect(withoutUnknown({ a: [1, 2], b: [Number.NaN, 2], c: [0, Number.POSITIVE_INFINITY] })).toEqual({
      a: [1, 2],
      c: [0, Number.POSITIVE_INFINITY],
    });
  });

  it('covers the true mean of a skewed variable in about 95 of 100 samples', () => {
    let covered = 0;
    for (let trial = 0; trial < 300; trial++) {
      const random = new Random(3, 'synthetic', trial);
      const values = Array.from({ length: 100 }, () => -Math.log(1 - random.uniform()));
      const [low, high] = meanInterval(values, random);
      covered += Number(low <= 1 && 1 <= high);
    }
    expect(covered / 300).toBeGreaterThan(0.9);
    expect(covered / 300).toBeLessThan(0.985);
  });
});
