/** Whatever is measured of whatever images: no value lies outside its own interval. */
import { describe, expect, it } from 'vitest';
import { holds } from '../../src/metrics/findings.ts';
import { evaluateImageSets } from '../../src/metrics/imageSets.ts';
import { PairedImages } from '../../src/metrics/pairedImages.ts';
import { metricNames } from '../../src/metrics/registry.ts';
import type { EvaluationResult } from '../../src/metrics/result.ts';
import { bootstrapInterval, meanInterval, meanOf } from '../../src/metrics/signal/bootstrap.ts';
import { imageOf } from '../../src/metrics/signal/imageStack.ts';
import type { Interval } from '../../src/metrics/signal/jackknife.ts';
import { Random } from '../../src/random.ts';

/** Kinds of sets that distances find hard: noise, smooth, a few images with all the energy, copies, flat ones. */
const KINDS = ['noise', 'smooth', 'few', 'copies', 'flat'] as const;

function stackOf(random: Random, count: number, side: number) {
  const kind = KINDS[random.integer(KINDS.length)];
  const pixels = new Float64Array(count * side * side);
  const gain = 0.02 + 0.3 * random.uniform();
  for (let image = 0; image < count; image++) {
    const own = kind === 'few' && image % 5 > 0 ? 0.004 : gain;
    const [frequency, phase] = [1 + random.integer(3), 7 * random.uniform()];
    for (let i = 0; i < side * side; i++) {
      const wave = Math.cos((2 * Math.PI * frequency * (i % side)) / side + phase);
      const value = { noise: random.normal(), smooth: wave, few: random.normal(), copies: random.normal(), flat: 0 }[
        kind
      ];
      pixels[image * side * side + i] =
        kind === 'copies' && image > 2 ? pixels[(image % 3) * side * side + i] : 0.5 + own * value;
    }
  }
  const bytes = Uint8Array.from(pixels, (value) => Math.max(0, Math.min(255, Math.round(255 * value))));
  return { count, width: side, height: side, channels: 1, pixels: random.integer(3) > 0 ? bytes : pixels };
}

/** Also of the columns of bands and rings: `deltaDb` between `deltaDbLow` and `deltaDbHigh`. */
function outside({ findings = [], intervals = {}, metrics, bands = [], rings = [] }: EvaluationResult): unknown[] {
  const entries = [...bands, ...rings].flatMap((entry) =>
    Object.keys(entry)
      .filter((key) => `${key}Low` in entry && !Number.isNaN(entry[`${key}Low`]))
      .map((key) => [key, entry[key], [entry[`${key}Low`], entry[`${key}High`]]]),
  );
  const named = Object.entries(intervals).map(([name, interval]) => [name, metrics[name], interval]);
  const found = findings.flatMap(({ name, value, interval }) => (interval ? [[name, value, interval]] : []));
  expect(found.length).toBe(named.length);
  return [...entries, ...named].filter(([, value, interval]) => !holds(interval as Interval, value as number));
}

describe('intervals', () => {
  it('of sets hold their values, whatever the images: 24 pairs of random sets, all metrics', () => {
    const random = new Random(31, 'synthetic');
    let known = new Set<string>();
    for (let trial = 0; trial < 24; trial++) {
      // Every third time large enough for all that has intervals; MS-SSIM needs 11 pixels, FWD many images a pixel.
      const isLarge = trial % 3 === 0;
      const side = isLarge ? 7 + random.integer(2) : 7 + random.integer(8);
      const [n, m] = [1, 2].map(() => (isLarge ? 32 + random.integer(30) : 2 + random.integer(30)));
      const [generated, reference] = [stackOf(random, n, side), stackOf(random, m, side)];
      // SWD takes most of the time, and is one of six.
      const metrics = metricNames().filter((name) => name !== 'swd' || isLarge);
      const { result, notes } = evaluateImageSets(generated, reference, { seed: trial, metrics });
      expect(outside(result)).toEqual([]);
      // By themselves, not because the interval was left out.
      expect(notes.filter((note) => note.includes('lies beside'))).toEqual([]);
      known = new Set([...known, ...result.findings!.filter(({ interval }) => interval).map(({ key }) => key)]);
    }
    expect([...known].sort()).toEqual([
      'coverage',
      'delta',
      'density',
      'fwd_debiased',
      'kid',
      'lsd_debiased',
      'ms_ssim_generated',
      'ms_ssim_reference',
      'slope_generated',
      'slope_reference',
      'swd_debiased',
      'swd_debiased_mean',
    ]);
  });

  it('of pairs hold their values, in every band and ring: 40 random sets', () => {
    const random = new Random(32, 'synthetic');
    for (let trial = 0; trial < 40; trial++) {
      const [side, count] = [7 + random.integer(8), 2 + random.integer(30)];
      const [a, b] = [stackOf(random, count, side), stackOf(random, count, side)];
      const pairs = new PairedImages(side, side, 1);
      for (let i = 0; i < count; i++) pairs.add(imageOf(a, i), imageOf(b, i));
      expect(outside(pairs.evaluation('p', 'float', trial))).toEqual([]);
    }
  });

  it('of means and of resamples hold their values, where all resamples lie on one side too', () => {
    const random = new Random(33, 'synthetic');
    for (let trial = 0; trial < 200; trial++) {
      const values = Array.from({ length: 2 + random.integer(40) }, () => Math.exp(6 * random.normal()));
      expect(holds(meanInterval(values, random), meanOf(values))).toBe(true);
    }
    expect(bootstrapInterval(9, [1, 2, 3])).toEqual([expect.closeTo(1.05, 12), 9]);
    expect(bootstrapInterval(Number.NaN, [1, 2, 3])).toEqual([Number.NaN, Number.NaN]);
    expect(bootstrapInterval(1, [])).toEqual([Number.NaN, Number.NaN]);
  });
});
