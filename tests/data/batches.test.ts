import { describe, expect, it } from 'vitest';
import { batchIndices, epochOrder, gatherTargets, pointIndices } from '../../src/data/batches.ts';
import { Random } from '../../src/random.ts';

const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('batchIndices', () => {
  it('goes through every image once an epoch, in another order each time', () => {
    for (const [batch, count] of [
      [4, 12],
      [1, 7],
      [7, 7],
    ]) {
      const steps = count / batch;
      const epochs = range(3).map((epoch) =>
        range(steps).flatMap((i) => [...batchIndices(5, epoch * steps + i, batch, count)]),
      );
      for (const [epoch, order] of epochs.entries()) {
        expect(sorted(order)).toEqual(range(count));
        expect(order).toEqual([...epochOrder(5, epoch, count)]);
      }
      expect(epochs[0]).not.toEqual(epochs[1]);
    }
  });

  it('never holds an image twice in a batch, also around the end of an epoch, and leaves none out for good', () => {
    const seen = new Set<number>();
    for (let step = 0; step < 200; step++) {
      const images = batchIndices(1, step, 4, 11);
      expect(new Set(images).size).toBe(4);
      for (const image of images) seen.add(image);
    }
    expect(sorted(seen)).toEqual(range(11));
  });

  it('does not depend on which steps were asked for before', () => {
    const forwards = range(30).map((step) => [...batchIndices(2, step, 3, 10)]);
    const backwards = range(30)
      .reverse()
      .map((step) => [...batchIndices(2, step, 3, 10)]);
    expect(backwards.reverse()).toEqual(forwards);
    expect([...batchIndices(3, 0, 3, 10)]).not.toEqual(forwards[0]);
  });

  it('repeats images evenly when there are fewer than a batch', () => {
    const counts = [0, 0, 0];
    for (let step = 0; step < 3; step++) {
      const images = batchIndices(0, step, 8, 3);
      expect(images).toHaveLength(8);
      for (const image of images) counts[image]++;
    }
    expect(counts).toEqual([8, 8, 8]);
  });
});

describe('pointIndices', () => {
  it('equals a partial shuffle of all pixels, in any order of calls', () => {
    for (const [step, points, total] of [
      [0, 10, 40],
      [1, 1024, 4096],
      [2, 39, 40],
      [3, 1, 70_000],
      [0, 10, 40],
    ]) {
      expect(pointIndices(9, step, points, total)).toEqual(new Random(9, 'points', step).sample(total, points));
    }
  });

  it('gives all pixels in order when there are no more than asked for', () => {
    expect([...pointIndices(0, 5, 12, 12)]).toEqual(range(12));
    expect([...pointIndices(0, 5, 100, 12)]).toEqual(range(12));
  });

  it('draws every pixel equally often', () => {
    const [total, points, steps] = [50, 10, 4000];
    const counts = new Array<number>(total).fill(0);
    for (let step = 0; step < steps; step++) for (const point of pointIndices(4, step, points, total)) counts[point]++;
    const expected = (steps * points) / total;
    const variance = expected * (1 - points / total);
    const chiSquare = counts.reduce((sum, n) => sum + (n - expected) ** 2 / variance, 0) * ((total - 1) / total);
    expect(chiSquare).toBeLessThan(49 + 5 * Math.sqrt(2 * 49)); // 49 degrees of freedom
  });
});

describe('gatherTargets', () => {
  const set = { count: 3, width: 4, height: 2, pixels: Uint8Array.from({ length: 72 }, (_, i) => (i * 37) % 256) };

  it('gives the colours of the asked pixels of the asked images, in their order', () => {
    const images = Int32Array.of(2, 0);
    const points = Int32Array.of(7, 0, 3);
    const expected = [...images].flatMap((image) =>
      [...points].flatMap((point) => range(3).map((c) => Math.fround(set.pixels[(image * 8 + point) * 3 + c] / 255))),
    );
    expect([...gatherTargets(set, images, points)]).toEqual(expected);
  });

  it('gives whole images when all pixels are asked for in order, and heeds another order', () => {
    const images = Int32Array.of(1);
    const inOrder = gatherTargets(set, images, Int32Array.from(range(8)));
    expect([...inOrder]).toEqual([...set.pixels.subarray(24, 48)].map((value) => Math.fround(value / 255)));
    const reversed = gatherTargets(set, images, Int32Array.from(range(8).reverse()));
    expect([...reversed.subarray(21)]).toEqual([...inOrder.subarray(0, 3)]);
  });

  it('refuses images and pixels that are not there', () => {
    expect(() => gatherTargets(set, Int32Array.of(3), Int32Array.of(0))).toThrow('no image 3');
    expect(() => gatherTargets(set, Int32Array.of(0), Int32Array.of(8))).toThrow('no pixel 8');
    expect(() => gatherTargets(set, Int32Array.of(-1), Int32Array.of(0))).toThrow('no image -1');
  });
});
