import { describe, expect, it } from 'vitest';
import { compareSpectra } from '../../../src/metrics/setSpectra.ts';
import { ringPartition } from '../../../src/metrics/signal/bands.ts';
import { resampledMeans } from '../../../src/metrics/signal/bootstrap.ts';
import { ROUNDING_POWER } from '../../../src/metrics/signal/imageStack.ts';
import {
  columnMeans,
  comparableBands,
  logSpectralDistance,
  type PowerPair,
  powerRatiosDb,
  spectralIntervals,
  splitHalfFloor,
} from '../../../src/metrics/signal/spectralDistance.ts';
import { bandPowers } from '../../../src/metrics/signal/windowedSpectrum.ts';
import { Random } from '../../../src/random.ts';

const noise = (count: number, step: number, size = 24) => ({
  count,
  width: size,
  height: size,
  channels: 1,
  pixels: Float64Array.from(new Random(4, 'synthetic', step).normals(count * size * size)),
});

const ratiosDb = (pair: PowerPair, rounding = 0) => powerRatiosDb(pair, rounding, comparableBands(pair, rounding));

/** The 3×3 binomial filter, around the edges. */
function blurred(stack: ReturnType<typeof noise>) {
  const { width: n, pixels } = stack;
  const taps = [0.25, 0.5, 0.25];
  const result = pixels.map((_, at) => {
    const [first, y, x] = [at - (at % (n * n)), Math.floor(at / n) % n, at % n];
    let sum = 0;
    taps.forEach((ty, dy) => {
      taps.forEach((tx, dx) => {
        sum += ty * tx * pixels[first + ((y + dy - 1 + n) % n) * n + ((x + dx - 1 + n) % n)];
      });
    });
    return sum;
  });
  return { ...stack, pixels: result };
}

describe('compareSpectra', () => {
  it("finds a binomial blur's analytic gain in every ring, the signal being white", () => {
    const size = 24;
    const [reference, other] = [noise(400, 0), noise(400, 1)];
    const { rings, octaves } = compareSpectra(blurred(other), reference, new Random(1, 'evaluation'));
    const partition = ringPartition(size, size);
    const gain = (k: number) => ((1 + Math.cos((2 * Math.PI * k) / size)) / 2) ** 2;
    // The window smears power over neighbouring modes, with the squares of its spectrum as weights: 1, 4, 1 over 6.
    const smeared = (k: number) => (gain(k - 1) + 4 * gain(k) + gain(k + 1)) / 6;
    const expected = new Float64Array(partition.bands.length);
    partition.membership.forEach((b, k) => {
      expected[b] += (smeared(k % size) * smeared(Math.floor(k / size))) / partition.bands[b].modes;
    });
    rings.forEach((ring, i) => {
      if (ring.fromCyclesPerImage < 2) return;
      const deltaDb = 10 * Math.log10(expected[i + 1]);
      expect(Math.abs(ring.deltaDb - deltaDb)).toBeLessThan(0.05 + 3 * ring.samplingDb);
      expect(ring.deltaDbLow).toBeLessThan(ring.deltaDb);
      expect(ring.deltaDbHigh).toBeGreaterThan(ring.deltaDb);
    });
    expect(octaves.at(-1)?.kind).toBe('corner');
  });

  it('is symmetric but for its sign, and 0 for one set twice', () => {
    const [a, b] = [noise(20, 2), blurred(noise(30, 3))];
    const [there, back] = [
      compareSpectra(a, b, new Random(1, 'evaluation')),
      compareSpectra(b, a, new Random(1, 'evaluation')),
    ];
    there.rings.forEach((ring, i) => {
      expect(ring.deltaDb).toBeCloseTo(-back.rings[i].deltaDb, 12);
    });
    expect(there.lsdDb).toBeCloseTo(back.lsdDb, 12);
    expect(compareSpectra(a, a, new Random(1, 'evaluation')).lsdDb).toBe(0);
  });

  it('resamples the sets independently, and has no interval below 16 images a side', () => {
    const set = noise(24, 4);
    const { rings, lsdDb, lsdIntervalDb, slopes } = compareSpectra(set, set, new Random(1, 'evaluation'));
    expect(lsdDb).toBe(0);
    // One set twice: resampled alike, its Δ would always be 0.
    for (const ring of rings) expect(ring.deltaDbHigh - ring.deltaDbLow).toBeGreaterThan(2 * ring.samplingDb);
    expect(lsdIntervalDb[1]).toBeGreaterThan(0);
    expect(slopes.generated.interval).not.toEqual(slopes.reference.interval);
    const few = compareSpectra(noise(15, 5), set, new Random(1, 'evaluation'));
    expect(few.lsdIntervalDb).toEqual([Number.NaN, Number.NaN]);
    expect(few.rings[0].deltaDbLow).toBeNaN();
    expect(few.slopes.generated.interval[0]).toBeNaN();
    expect(few.slopes.reference.interval[0]).toBeLessThan(few.slopes.reference.value);
  });

  it('expects of chance what sets of these two sizes give, whatever the halves have', () => {
    for (const [n, m] of [
      [6, 30],
      [90, 30],
    ]) {
      const { rings, floor } = compareSpectra(noise(n, 7), noise(m, 8), new Random(1, 'evaluation'));
      rings.forEach(({ samplingDb }, b) => {
        expect(samplingDb / floor!.ratiosDb[b]).toBeCloseTo(Math.sqrt((1 / n + 1 / m) / (2 / 15)), 12);
      });
    }
  });

  it('compares the same rings for the distance, its floor and its interval, whatever single halves are like', () => {
    // Waves of 3 cycles in two of 20 images: more power than rounding on the whole, not in every half.
    const quiet = (step: number) => {
      const random = new Random(step, 'synthetic');
      const pixels = new Uint8Array(20 * 256).fill(128);
      for (const image of [0, 7]) {
        for (let i = 0; i < 256; i++) {
          pixels[256 * image + i] = 128 + Math.round(4 * Math.cos((2 * Math.PI * 3 * (i % 16)) / 16) + random.normal());
        }
      }
      return { count: 20, width: 16, height: 16, channels: 1, pixels };
    };
    const { comparedRings, lsdDb, floor, lsdIntervalDb, rings } = compareSpectra(
      quiet(1),
      quiet(2),
      new Random(1, 'evaluation'),
    );
    const compared = rings.filter(({ kind, deltaDb }) => kind === 'ring' && !Number.isNaN(deltaDb));
    expect(compared).toHaveLength(comparedRings);
    expect(comparedRings).toBeGreaterThan(1);
    expect(comparedRings).toBeLessThan(7);
    expect(lsdDb).toBeCloseTo(
      Math.sqrt(compared.reduce((sum, ring) => sum + ring.deltaDb ** 2, 0) / comparedRings),
      12,
    );
    const squares = rings.map(({ kind }, b) => (kind === 'ring' ? floor!.ratiosDb[b] ** 2 : Number.NaN));
    const finite = squares.filter((square) => !Number.isNaN(square));
    expect(finite).toHaveLength(comparedRings);
    expect(floor!.lsdDb).toBeCloseTo(Math.sqrt(finite.reduce((sum, square) => sum + square, 0) / comparedRings), 12);
    for (const { deltaDbLow, deltaDbHigh, samplingDb } of compared) {
      for (const value of [deltaDbLow, deltaDbHigh, samplingDb]) expect(value).not.toBeNaN();
    }
    for (const end of lsdIntervalDb) expect(end).not.toBeNaN();
  });

  it('has no floor for three reference images, and still a value', () => {
    const { floor, lsdDb, rings } = compareSpectra(noise(2, 5), noise(3, 6), new Random(1, 'evaluation'));
    expect(floor).toBeUndefined();
    expect(lsdDb).toBeGreaterThan(0);
    expect(rings[0].samplingDb).toBeNaN();
  });
});

describe('powerRatiosDb', () => {
  it('takes powers below rounding as rounding, and compares nothing where both are near it', () => {
    const pair = { generated: [1, 0, 5 * ROUNDING_POWER, 0], reference: [0.1, 1, 2 * ROUNDING_POWER, 0] };
    const [above, vanished, near, empty] = ratiosDb(pair, ROUNDING_POWER);
    expect(above).toBeCloseTo(10, 12);
    expect(vanished).toBeCloseTo(10 * Math.log10(ROUNDING_POWER), 12);
    expect([near, empty]).toEqual([Number.NaN, Number.NaN]);
    expect(ratiosDb(pair)[1]).toBe(Number.NEGATIVE_INFINITY);
    expect(ratiosDb(pair)[3]).toBeNaN();
  });
});

describe('splitHalfFloor', () => {
  it('falls with the square root of the number of images, and is what two other draws differ by', () => {
    const [{ bands, powers }] = bandPowers(noise(1600, 7), [ringPartition(24, 24)]);
    const floor = (count: number, step: number) =>
      splitHalfFloor(
        bands,
        powers.subarray(0, count * bands.length).slice(),
        0,
        bands.map(() => true),
        new Random(step, 'evaluation'),
      )!;
    const [small, large] = [floor(100, 0), floor(1600, 1)];
    expect([small.images, large.images]).toEqual([50, 800]);
    expect(small.lsdDb / large.lsdDb).toBeGreaterThan(3.2);
    expect(small.lsdDb / large.lsdDb).toBeLessThan(5);
    const draws = Array.from({ length: 16 }, (_, draw) => {
      const part = (i: number) =>
        columnMeans(powers.slice(i * 50 * bands.length, (i + 1) * 50 * bands.length), bands.length);
      return logSpectralDistance(bands, ratiosDb({ generated: part(2 * draw), reference: part(2 * draw + 1) })) ** 2;
    });
    const typical = Math.sqrt(draws.reduce((sum, value) => sum + value, 0) / draws.length);
    expect(small.lsdDb / typical).toBeGreaterThan(0.75);
    expect(small.lsdDb / typical).toBeLessThan(1.33);
  });
});

describe('splitHalfFloor of rings near rounding', () => {
  it('is over the rings it is told, though some halves have nothing there and others have', () => {
    // The second ring is above 10 times rounding only where both of its images fall in one half, the third never asked for.
    const bands = ringPartition(8, 8).bands.slice(1, 4);
    const random = new Random(5, 'synthetic');
    const powers = Float64Array.from({ length: 8 * 3 }, (_, i) =>
      i % 3 === 1 ? (i < 6 ? 36e-6 : 1e-6) : 0.5 + random.uniform(),
    );
    const { lsdDb, ratiosDb } = splitHalfFloor(bands, powers, 1e-6, [true, true, false], new Random(0, 'evaluation'))!;
    expect([...ratiosDb].map(Number.isNaN)).toEqual([false, false, true]);
    expect(lsdDb).toBeCloseTo(Math.sqrt((ratiosDb[0] ** 2 + ratiosDb[1] ** 2) / 2), 12);
  });
});

describe('spectralIntervals', () => {
  const intervalsOf = (
    bands: ReturnType<typeof ringPartition>['bands'],
    sets: { generated: Float64Array; reference: Float64Array },
    random: Random,
  ) => {
    const [means, resampled] = [
      columnMeans,
      (rows: Float64Array, columns: number) => resampledMeans(rows, columns, random),
    ].map((statistic) => ({
      generated: statistic(sets.generated, bands.length),
      reference: statistic(sets.reference, bands.length),
    }));
    return spectralIntervals(
      bands,
      means,
      resampled,
      0,
      bands.map(() => true),
    );
  };

  it('cover the true Δ and the true LSD in about 95 of 100 draws', () => {
    // Exponential powers, as of single modes; the generated set's truly lie 0, 0.5 and 1 dB higher.
    const bands = ringPartition(8, 8).bands.slice(1, 4);
    const truth = [0, 0.5, 1];
    const lsd = Math.sqrt((0.25 + 1) / 3);
    const [trials, count] = [150, 120];
    let [covered, lsdCovered] = [0, 0];
    for (let trial = 0; trial < trials; trial++) {
      const random = new Random(11, 'synthetic', trial);
      const draw = (gains: number[]) =>
        Float64Array.from({ length: count * 3 }, (_, i) => -Math.log(1 - random.uniform()) * 10 ** (gains[i % 3] / 10));
      const sets = { generated: draw(truth), reference: draw([0, 0, 0]) };
      const { ratiosDb, lsdDb } = intervalsOf(bands, sets, random);
      covered += ratiosDb.filter(([low, high], b) => low <= truth[b] && truth[b] <= high).length;
      lsdCovered += Number(lsdDb.interval[0] <= lsd && lsd <= lsdDb.interval[1]);
    }
    expect(covered / (3 * trials)).toBeGreaterThan(0.9);
    expect(covered / (3 * trials)).toBeLessThan(0.985);
    expect(lsdCovered / trials).toBeGreaterThan(0.88);
  });

  it.each([
    [0.35, 1],
    [1.1, 0.99],
  ])('cover a true LSD of %d dB in about 95 of 100 draws, more where sampling noise is larger', (lsd, most) => {
    // As many dB in each of 31 rings, whose sampling noise is 0.56 dB: the LSD of the sets themselves lies above.
    const bands = ringPartition(64, 64).bands.slice(1, 32);
    const [trials, count] = [100, 120];
    let [covered, ownLsd, debiasedSquare] = [0, 0, 0];
    for (let trial = 0; trial < trials; trial++) {
      const random = new Random(12, 'synthetic', trial);
      const draw = (gainDb: number) =>
        Float64Array.from({ length: count * 31 }, () => -Math.log(1 - random.uniform()) * 10 ** (gainDb / 10));
      const sets = { generated: draw(lsd), reference: draw(0) };
      const { value, interval } = intervalsOf(bands, sets, random).lsdDb;
      const [low, high] = interval;
      expect(low <= value && value <= high).toBe(true);
      debiasedSquare += value ** 2 / trials;
      covered += Number(low <= lsd && lsd <= high);
      const own = { generated: columnMeans(sets.generated, 31), reference: columnMeans(sets.reference, 31) };
      ownLsd += logSpectralDistance(bands, ratiosDb(own)) / trials;
    }
    expect(ownLsd).toBeGreaterThan(1.05 * lsd);
    expect(Math.abs(Math.sqrt(debiasedSquare) - lsd)).toBeLessThan(0.2 * (ownLsd - lsd));
    expect(covered / trials).toBeGreaterThanOrEqual(0.88);
    expect(covered / trials).toBeLessThanOrEqual(most);
  });
});
