import { describe, expect, it } from 'vitest';
import { densityCoverage, expectedCoverage } from '../../src/metrics/coverage.ts';
import { studentQuantile } from '../../src/metrics/signal/jackknife.ts';
import { Random } from '../../src/random.ts';

const normals = (length: number, step: number) => Float64Array.from(new Random(8, 'synthetic', step).normals(length));
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('densityCoverage', () => {
  it('counts balls around reference points on a line, by hand', () => {
    // k = 1: radii 1, 1, 2 around 0, 1, 3. Generated: 0.4 lies in the first two, 2.5 in the last, 9 in none.
    const { densities, covered } = densityCoverage(Float64Array.of(0.4, 2.5, 9), Float64Array.of(0, 1, 3), 1, 1);
    expect([...densities]).toEqual([2, 1, 0]);
    expect([...covered]).toEqual([1, 1, 1]);
    expect([...densityCoverage(Float64Array.of(-1), Float64Array.of(0, 1, 3), 1, 1).covered]).toEqual([0, 0, 0]);
    expect(() => densityCoverage(Float64Array.of(0), Float64Array.of(0, 1, 3), 1, 3)).toThrow('no 3 nearest');
  });

  it('has points for balls around copies, which hold further copies and nothing else', () => {
    // k = 2: four images at 0 and three at 5 have two copies or more; 7 and 9 have radii 2 and 4.
    const reference = Float64Array.of(0, 0, 0, 0, 5, 5, 5, 7, 9);
    const { densities, covered, points } = densityCoverage(Float64Array.of(0, 5, 0.1, 8), reference, 1, 2);
    expect(points).toBe(7);
    expect([...covered]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1]);
    // 0 lies in four points that hold three others each, 5 in three that hold two; 8 in the balls of 7 and 9.
    [4 / 3, 3 / 2, 0, 1].forEach((density, i) => {
      expect(densities[i]).toBeCloseTo(density, 14);
    });
    const same = new Float64Array(40).fill(0.3);
    expect(densityCoverage(same, same, 2, 5).covered).toEqual(new Float64Array(20).fill(1));
    expect(mean(densityCoverage(same, same, 2, 5).densities)).toBeCloseTo(20 / 19, 12);
    expect(
      mean(
        densityCoverage(
          same.map((value) => value + 1e-9),
          same,
          2,
          5,
        ).covered,
      ),
    ).toBe(0);
  });

  it('have the jackknife intervals that leaving images of both sides out one by one gives, copies or not', () => {
    const reference = normals(12 * 2, 70);
    // The last four images are copies of the first.
    for (let i = 16; i < 24; i++) reference[i] = reference[i % 2];
    const generated = Float64Array.from([...normals(6 * 2, 71), reference[0], reference[1]]);
    const without = (rows: Float64Array, image: number) => rows.filter((_, at) => Math.floor(at / 2) !== image);
    const whole = densityCoverage(generated, reference, 2, 3);
    expect(whole.points).toBeGreaterThan(0);
    for (const metric of ['density', 'coverage'] as const) {
      const spread = (values: number[]) =>
        ((values.length - 1) / values.length) * values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0);
      const each = (count: number) => Array.from({ length: count }, (_, i) => i);
      const variance =
        spread(each(7).map((i) => densityCoverage(without(generated, i), reference, 2, 3)[metric].value)) +
        spread(each(12).map((i) => densityCoverage(generated, without(reference, i), 2, 3)[metric].value));
      const { value, interval } = whole[metric];
      const margin = studentQuantile(6) * Math.sqrt(variance);
      expect(interval[0]).toBeCloseTo(Math.max(0, value - margin), 10);
      expect(interval[1]).toBeCloseTo(Math.min(metric === 'coverage' ? 1 : Infinity, value + margin), 10);
    }
  });

  it.each([
    [40, 40, 1, 0],
    [100, 60, 0.5, 0],
    [60, 100, 1, 1],
  ])(
    'have intervals for %i reference and %i generated images, gain %d, shift %d, that hold what others would have',
    (n, m, gain, shift) => {
      const draws = Array.from({ length: 80 }, (_, i) =>
        densityCoverage(
          normals(m * 6, 500 + 2 * i).map((value) => gain * value + shift),
          normals(n * 6, 501 + 2 * i),
          6,
          5,
        ),
      );
      for (const metric of ['density', 'coverage'] as const) {
        const expected = mean(draws.map((draw) => draw[metric].value));
        const known = draws.map((draw) => draw[metric].interval).filter(([low]) => !Number.isNaN(low));
        expect(known.length).toBeGreaterThan(70);
        const held = known.filter(([low, high]) => low <= expected && expected <= high).length;
        expect(held / known.length).toBeGreaterThanOrEqual(0.93);
      }
    },
  );

  it('have no interval where nothing varies, nor for very few images', () => {
    const same = new Float64Array(40).fill(0.3);
    expect(densityCoverage(same, same, 2, 5).coverage).toEqual({ value: 1, interval: [Number.NaN, Number.NaN] });
    expect(densityCoverage(normals(4, 1), normals(40, 2), 2, 5).density.interval[0]).toBeNaN();
    expect(densityCoverage(normals(40, 1), normals(12, 2), 2, 5).density.interval[0]).toBeNaN();
  });

  it('expects 0.9699 of 200 against 200 images at k = 5, 0.96877 of 10,000, and measures it', () => {
    expect(expectedCoverage(200, 200, 5)).toBeCloseTo(0.9699, 4);
    expect(expectedCoverage(10_000, 10_000, 5)).toBeCloseTo(0.96877, 5);
    const draws = Array.from({ length: 30 }, (_, i) =>
      densityCoverage(normals(1200, 2 * i), normals(1200, 2 * i + 1), 6, 5),
    );
    expect(Math.abs(mean(draws.map(({ covered }) => mean(covered))) - 0.9699)).toBeLessThan(0.006);
    expect(Math.abs(mean(draws.map(({ densities }) => mean(densities))) - 1)).toBeLessThan(0.03);
  });
});
