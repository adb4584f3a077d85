import { expect, test } from 'vitest';
import { Random } from '../../../src/random.ts';
import { histogramRows } from '../../../src/run/tensorboard/histogram.ts';

function rowsOf(values: ArrayLike<number>, buckets?: number): number[][] {
  const flat = histogramRows(values, buckets);
  return Array.from({ length: flat.length / 3 }, (_, i) => Array.from(flat.subarray(3 * i, 3 * i + 3)));
}

test('buckets are half-open intervals of equal width, the last one closed', () => {
  expect(rowsOf([0, 1, 1.9, 2, 3, 4, 4], 2)).toEqual([
    [0, 2, 3],
    [2, 4, 4],
  ]);
});

test('every value is counted in the bucket whose edges hold it', () => {
  const values = new Random(3, 'evaluation').normals(5000);
  const rows = rowsOf(values);
  expect(rows).toHaveLength(30);
  expect(rows[0][0]).toBe(Math.min(...values));
  expect(rows[29][1]).toBe(Math.max(...values));
  rows.forEach(([left, right, count], i) => {
    expect(right).toBe(rows[i + 1]?.[0] ?? right);
    const within = values.filter((value) => value >= left && (value < right || i === 29)).length;
    expect(count).toBe(within);
  });
});

test('no values give zeros, as TensorBoard writes them', () => {
  expect(rowsOf([], 2)).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
});

test('equal values are all counted in the last bucket, whose edges are that value', () => {
  expect(rowsOf(new Float32Array(7).fill(0.5), 3)).toEqual([
    [0.5, 0.5, 0],
    [0.5, 0.5, 0],
    [0.5, 0.5, 7],
  ]);
});

test('NaN and infinities are left out, even where nothing else is there', () => {
  expect(rowsOf([Number.NaN, 1, Infinity, 3, -Infinity], 2)).toEqual([
    [1, 2, 1],
    [2, 3, 1],
  ]);
  expect(rowsOf([Number.NaN, Infinity], 1)).toEqual([[0, 0, 0]]);
});

test('the largest and the smallest doubles neither overflow nor vanish', () => {
  const largest = Number.MAX_VALUE;
  expect(rowsOf([-largest, 0, largest], 2)).toEqual([
    [-largest, 0, 1],
    [0, largest, 2],
  ]);
  expect(rowsOf([0, Number.MIN_VALUE], 4).reduce((sum, [, , count]) => sum + count, 0)).toBe(2);
});

test('fewer than one bucket is a mistake', () => {
  expect(() => histogramRows([1], 0)).toThrow('buckets must be at least 1');
});
