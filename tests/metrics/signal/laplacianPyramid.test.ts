import { describe, expect, it } from 'vitest';
import { expand, laplacianPyramid, reduce } from '../../../src/metrics/signal/laplacianPyramid.ts';
import { Random } from '../../../src/random.ts';

const normals = (length: number, step: number) => Float64Array.from(new Random(8, 'synthetic', step).normals(length));

describe('laplacianPyramid', () => {
  const image = { width: 21, height: 34, values: normals(21 * 34, 3) };

  it('adds up to the image', () => {
    const levels = laplacianPyramid(image, 5);
    expect(levels.map(({ width, height }) => [width, height])).toEqual([
      [21, 34],
      [11, 17],
      [6, 9],
    ]);
    let sum = levels[2];
    for (const level of [levels[1], levels[0]]) {
      const enlarged = expand(sum, level.width, level.height);
      sum = { ...level, values: level.values.map((value, i) => value + enlarged.values[i]) };
    }
    sum.values.forEach((value, i) => {
      expect(value).toBeCloseTo(image.values[i], 12);
    });
  });

  it('reduces with 1 4 6 4 1, mirrored at the ends, and keeps flat images flat both ways', () => {
    const line = { width: 5, height: 1, values: Float64Array.of(1, 2, 4, 8, 16) };
    const by = (...weights: number[]) => weights.reduce((sum, weight, i) => sum + weight * line.values[i], 0) / 16;
    expect([...reduce(line).values]).toEqual([by(6, 8, 2, 0, 0), by(1, 4, 6, 4, 1), by(0, 0, 2, 8, 6)]);
    const flat = { width: 7, height: 6, values: new Float64Array(42).fill(0.3) };
    for (const value of expand(reduce(flat), 7, 6).values) expect(value).toBeCloseTo(0.3, 14);
  });
});
