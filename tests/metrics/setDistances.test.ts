import { describe, expect, it } from 'vitest';
import { densityCoverage, expectedCoverage } from '../../src/metrics/coverage.ts';
import { kernelDistance } from '../../src/metrics/kid.ts';
import { RANDOM_FEATURES, randomFeatures } from '../../src/metrics/randomFeatures.ts';
import { balancedSplits } from '../../src/metrics/signal/halfSamples.ts';
import { studentQuantile } from '../../src/metrics/signal/jackknife.ts';
import { expand, laplacianPyramid, reduce } from '../../src/metrics/signal/laplacianPyramid.ts';
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

describe('balancedSplits', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('of %i pairs are all different, mirrored or not, and balanced from 4 on', (pairs) => {
    const splits = balancedSplits(pairs);
    expect(splits).toHaveLength([1, 2, 4, 8, 8, 8, 8][pairs - 1]);
    const seen = new Set(splits.flatMap((split) => [split.join(), split.map((change) => !change).join()]));
    expect(seen.size).toBe(2 * splits.length);
    if (pairs < 4) return;
    for (let i = 0; i < pairs; i++) {
      expect(splits.filter((split) => split[i])).toHaveLength(4);
      for (let j = 0; j < i; j++) expect(splits.filter((split) => split[i] === split[j])).toHaveLength(4);
    }
  });

  it('are of 7 pairs at most', () => {
    expect(() => balancedSplits(8)).toThrow('not 1 to 7');
    expect(() => balancedSplits(0)).toThrow('not 1 to 7');
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

describe('randomFeatures', () => {
  const image = Float64Array.from(new Random(9, 'synthetic').uniforms(32 * 32 * 3, 0, 1));

  it('equal the network written out pixel by pixel', () => {
    let [values, side, inputs] = [image.map((value) => (value - 0.5) / 0.25) as Float64Array, 32, 3];
    for (const [layer, outputs] of [16, 32, 64].entries()) {
      const weights = new Random(0, 'randomFeatures', layer).normals(9 * inputs * outputs, Math.sqrt(2 / (9 * inputs)));
      const next = new Float64Array((side / 2) ** 2 * outputs);
      for (let at = 0; at < next.length; at++) {
        const [o, x, y] = [at % outputs, Math.floor(at / outputs) % (side / 2), Math.floor(at / outputs / (side / 2))];
        let sum = 0;
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) {
            for (let c = 0; c < inputs; c++) {
              const [sy, sx] = [2 * y + dy, 2 * x + dx];
              if (sy < 0 || sx < 0) continue;
              sum +=
                values[(sy * side + sx) * inputs + c] * weights[((3 * (dy + 1) + dx + 1) * inputs + c) * outputs + o];
            }
          }
        }
        next[at] = Math.max(0, sum);
      }
      [values, side, inputs] = [next, side / 2, outputs];
    }
    const features = randomFeatures({ count: 1, width: 32, height: 32, pixels: image });
    for (const [quadrant, x, y] of [
      [0, 0, 0],
      [1, 2, 0],
      [2, 0, 2],
      [3, 2, 2],
    ]) {
      for (let o = 0; o < 64; o += 7) {
        const pixels = [0, 1, 4, 5].map((step) => values[((y + (step >> 2)) * 4 + x + (step & 3)) * 64 + o]);
        expect(features[quadrant * 64 + o]).toBeCloseTo(mean(pixels), 10);
      }
    }
  });

  it('see an enlarged image as the same, and a grey one as RGB', () => {
    const doubled = Float64Array.from({ length: 64 * 64 * 3 }, (_, at) => {
      const [c, x, y] = [at % 3, Math.floor(at / 3) % 64, Math.floor(at / 192)];
      return image[((y >> 1) * 32 + (x >> 1)) * 3 + c];
    });
    const [own, large] = [
      randomFeatures({ count: 1, width: 32, height: 32, pixels: image }),
      randomFeatures({ count: 1, width: 64, height: 64, pixels: doubled }),
    ];
    expect(own).toHaveLength(RANDOM_FEATURES);
    own.forEach((value, i) => {
      expect(large[i]).toBeCloseTo(value, 12);
    });
    const grey = image.filter((_, at) => at % 3 === 0);
    const rgb = Float64Array.from({ length: 32 * 32 * 3 }, (_, at) => grey[Math.floor(at / 3)]);
    expect(randomFeatures({ count: 1, width: 32, height: 32, channels: 1, pixels: grey })).toEqual(
      randomFeatures({ count: 1, width: 32, height: 32, pixels: rgb }),
    );
  });
});
