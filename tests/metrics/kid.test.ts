import { describe, expect, it } from 'vitest';
import { kernelDistance } from '../../src/metrics/kid.ts';
import { studentQuantile } from '../../src/metrics/signal/jackknife.ts';
import { Random } from '../../src/random.ts';

const normals = (length: number, step: number) => Float64Array.from(new Random(8, 'synthetic', step).normals(length));
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('kernelDistance', () => {
  it('is −2.375 for {(1,0),(0,1)} against {(1,1),(0,0)}, by hand', () => {
    const { value, interval } = kernelDistance(Float64Array.of(1, 0, 0, 1), Float64Array.of(1, 1, 0, 0), 2);
    expect(value).toBeCloseTo(-2.375, 14);
    expect(interval).toEqual([Number.NaN, Number.NaN]);
    expect(() => kernelDistance(Float64Array.of(1, 0), Float64Array.of(1, 1, 0, 0), 2)).toThrow('2 images a side');
  });

  it('has the jackknife interval that leaving images out one by one gives', () => {
    const [a, b] = [normals(5 * 3, 0), normals(7 * 3, 1)];
    const without = (rows: Float64Array, image: number) => rows.filter((_, at) => Math.floor(at / 3) !== image);
    const spread = (values: number[]) =>
      ((values.length - 1) / values.length) * values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0);
    const variance =
      spread([0, 1, 2, 3, 4].map((i) => kernelDistance(without(a, i), b, 3).value)) +
      spread([0, 1, 2, 3, 4, 5, 6].map((i) => kernelDistance(a, without(b, i), 3).value));
    const { value, interval } = kernelDistance(a, b, 3);
    expect(interval[1] - value).toBeCloseTo(studentQuantile(4) * Math.sqrt(variance), 10);
  });

  it('is 0 on average between equal distributions, and its intervals hold 0 in about 95 of 100', () => {
    const draws = Array.from({ length: 200 }, (_, i) =>
      kernelDistance(normals(160, 2 * i + 9), normals(160, 2 * i + 10), 4),
    );
    const values = draws.map(({ value }) => value);
    const error = Math.sqrt(mean(values.map((value) => value ** 2)) / values.length);
    expect(Math.abs(mean(values))).toBeLessThan(3.5 * error);
    expect(draws.filter(({ interval }) => interval[0] <= 0 && interval[1] >= 0).length).toBeGreaterThan(180);
  });
});
