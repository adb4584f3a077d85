import { describe, expect, it } from 'vitest';
import {
  debiasedSlicedDistance,
  hasPatches,
  pyramidPatches,
  slicedFloor,
  slicedWasserstein,
} from '../../src/metrics/slicedWasserstein.ts';
import { Random } from '../../src/random.ts';

const normals = (length: number, step: number) => Float64Array.from(new Random(8, 'synthetic', step).normals(length));
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('slicedWasserstein', () => {
  const directions = (seed = 1) => new Random(seed, 'evaluation');
  const level = (patches: Float64Array, images = 1, channels = 1) => ({
    width: 7,
    height: 7,
    channels,
    images,
    patches,
  });
  /** Patches of an image each: pixels of variance 1, `shared` of it common to all pixels of a patch. */
  const patchesOf = (count: number, shared: number, step: number) => {
    const [own, common] = [normals(49 * count, 2 * step), normals(count, 2 * step + 1)];
    return own.map((value, at) => Math.sqrt(1 - shared) * value + Math.sqrt(shared) * common[Math.floor(at / 49)]);
  };
  /** √(2/π) times how far apart the standard deviations along a direction are, √((1−s) + s(Σu)²) and 1. */
  const expected = (shared: number) => {
    const random = directions();
    const each = Array.from({ length: 256 }, () => {
      const unit = Array.from({ length: 49 }, () => random.normal());
      const sum = unit.reduce((total, value) => total + value) / Math.hypot(...unit);
      return Math.abs(Math.sqrt(1 - shared + shared * sum ** 2) - 1);
    });
    return 1000 * Math.sqrt(2 / Math.PI) * mean(each);
  };

  it('of Gaussian patches is √(2/π) times the mean difference of standard deviations along directions', () => {
    const [a, b] = [patchesOf(3000, 0.3, 40), patchesOf(3000, 0, 41)];
    expect(Math.abs(slicedWasserstein(level(a), level(b), directions()).value / expected(0.3) - 1)).toBeLessThan(0.1);
    expect(slicedWasserstein(level(a), level(a), directions()).value).toBe(0);
  });

  it('compares sets of different counts by their quantile functions', () => {
    const once = normals(49 * 40, 5);
    const thrice = Float64Array.from([...once, ...once, ...once]);
    expect(slicedWasserstein(level(once), level(thrice), directions()).value).toBeLessThan(1e-9);
  });

  it('is that of patches standardised per channel, group by group too, so that the gain of a set does not count', () => {
    const stack = (step: number, gain: number) => ({
      count: 12,
      width: 40,
      height: 33,
      pixels: normals(12 * 40 * 33 * 3, step).map((value) => gain * value + 3),
    });
    const draws = (stream: number) => new Random(2, 'evaluation', stream);
    const [a, louder, b] = [stack(6, 1), stack(6, 3), stack(7, 1)].map((set) => pyramidPatches(set, draws, 240));
    expect(a.map(({ width, height }) => [width, height])).toEqual([
      [40, 33],
      [20, 17],
    ]);
    expect(slicedWasserstein(a[0], louder[0], directions()).value).toBeLessThan(1e-6);
    const standardised = (patches: Float64Array) => {
      const channelOf = (at: number) => Math.floor((at % 147) / 49);
      const channels = [0, 1, 2].map((channel) => patches.filter((_, at) => channelOf(at) === channel));
      const means = channels.map(mean);
      const deviations = channels.map((values, c) => Math.sqrt(mean(values.map((value) => (value - means[c]) ** 2))));
      return patches.map((value, at) => (value - means[channelOf(at)]) / deviations[channelOf(at)]);
    };
    const slow = (p: Float64Array, q: Float64Array) => {
      const random = directions();
      const sets = [standardised(p), standardised(q)];
      let total = 0;
      for (let direction = 0; direction < 256; direction++) {
        const unit = Array.from({ length: 147 }, () => random.normal());
        const project = (patches: Float64Array) =>
          Float64Array.from({ length: patches.length / 147 }, (_, i) =>
            unit.reduce((sum, value, k) => sum + value * patches[147 * i + k], 0),
          ).sort();
        const [x, y] = sets.map(project);
        total += mean(x.map((value, i) => Math.abs(value - y[i]))) / Math.hypot(...unit);
      }
      return (1000 * total) / 256;
    };
    const { value, groups } = slicedWasserstein(a[1], b[1], directions(), 3);
    expect(value).toBeCloseTo(slow(a[1].patches, b[1].patches), 8);
    const second = (patches: Float64Array) => patches.slice(patches.length / 3, (2 * patches.length) / 3);
    expect(groups[1]).toBeCloseTo(slow(second(a[1].patches), second(b[1].patches)), 8);
    expect([hasPatches(7, 9), hasPatches(6, 99)]).toEqual([true, false]);
  });

  it('is 0 between flat images of any values, whose rounding is no shape', () => {
    const flat = (value: number) => ({
      count: 6,
      width: 33,
      height: 32,
      pixels: new Uint8Array(6 * 33 * 32 * 3).fill(value),
    });
    const draws = (stream: number) => new Random(2, 'evaluation', stream);
    const of = (value: number) => pyramidPatches(flat(value), draws, 120);
    for (const [a, b] of [
      [128, 130],
      [77, 200],
      [0, 255],
    ]) {
      const others = of(b);
      of(a).forEach((own, l) => {
        expect(slicedWasserstein(own, others[l], directions(), 2)).toEqual({ value: 0, groups: new Float64Array(2) });
      });
    }
  });

  it('cuts all sets at the same places, from the same images where there are as many', () => {
    // Pixels that say where they are, and in which image.
    const stack = (count: number) => ({
      count,
      width: 16,
      height: 16,
      channels: 1,
      pixels: Float64Array.from({ length: count * 256 }, (_, at) => at),
    });
    const patches = (count: number, total: number) =>
      pyramidPatches(stack(count), (stream) => new Random(3, 'evaluation', stream), total)[0].patches;
    expect(patches(6, 12)).toEqual(patches(6, 12));
    const place = (values: Float64Array, patch: number) => values[49 * patch] % 256;
    const [two, three] = [patches(6, 12), patches(5, 15)];
    for (let image = 0; image < 5; image++) {
      for (let patch = 0; patch < 2; patch++) {
        expect(place(three, 3 * image + patch)).toBe(place(two, 2 * image + patch));
      }
    }
  });

  it('is debiased, and has intervals that cover the distance of what the sets were drawn from, 0 too', () => {
    for (const shared of [0.2, 0]) {
      const [truth, repetitions] = [expected(shared), 25];
      let [covered, lower, values, debiased] = [0, 0, 0, 0];
      for (let repetition = 0; repetition < repetitions; repetition++) {
        const [a, b] = [patchesOf(800, shared, 100 + 2 * repetition), patchesOf(800, 0, 101 + 2 * repetition)];
        const distance = slicedWasserstein(level(a, 800), level(b, 800), directions(), 5);
        const { value, interval } = debiasedSlicedDistance(distance);
        const [low, high] = interval;
        expect(low <= value && value <= distance.value && distance.value <= high).toBe(true);
        values += distance.value / repetitions;
        debiased += value / repetitions;
        covered += Number(low <= truth && truth <= high);
        lower += Number(low > 0);
      }
      expect(covered / repetitions).toBeGreaterThanOrEqual(0.9);
      // Where there is a difference, it shows.
      if (shared > 0) expect(lower).toBe(repetitions);
      expect(values).toBeGreaterThan(truth);
      expect(Math.abs(debiased - truth)).toBeLessThan(0.2 * (values - truth));
    }
  });
});

describe('slicedFloor', () => {
  const stack = (count: number, step: number) => ({
    count,
    width: 16,
    height: 16,
    channels: 1,
    pixels: normals(count * 256, step),
  });
  const levelsOf = (count: number, step: number, total: number) =>
    pyramidPatches(stack(count, step), (stream) => new Random(step, 'evaluation', (stream + 1) >> 1), total);

  it('is what two draws are apart on average, and steadier than one split', () => {
    const floors = Array.from({ length: 8 }, (_, i) =>
      slicedFloor(levelsOf(24, 200 + i, 480), () => new Random(1, 'evaluation')),
    );
    const single = Array.from({ length: 24 }, (_, i) => {
      const [a, b] = [levelsOf(12, 300 + i, 240), levelsOf(12, 400 + i, 240)];
      return slicedWasserstein(a[0], b[0], new Random(1, 'evaluation'), 0, 64).value;
    });
    expect(floors[0].splits).toBe(8);
    const values = floors.map((floor) => floor.values[0]);
    expect(Math.abs(mean(values) / mean(single) - 1)).toBeLessThan(0.1);
    const variation = (each: number[]) => Math.sqrt(mean(each.map((value) => (value / mean(each) - 1) ** 2)));
    expect(variation(values)).toBeLessThan(0.7 * variation(single));
  });
});
