import { describe, expect, it } from 'vitest';
import { ringPartition } from '../../src/eval/bands.ts';
import { ROUNDING_POWER } from '../../src/eval/imageStack.ts';
import { compareSpectra } from '../../src/eval/setSpectra.ts';
import {
  columnMeans,
  logSpectralDistance,
  powerRatiosDb,
  spectralIntervals,
  splitHalfFloor,
} from '../../src/eval/spectralDistance.ts';
import { bandPowers } from '../../src/eval/windowedSpectrum.ts';
import { Random } from '../../src/random.ts';

const noise = (count: number, step: number, size = 24) => ({
  count,
  width: size,
  height: size,
  channels: 1,
  pixels: Float64Array.from(new Random(4, 'synthetic', step).normals(count * size * size)),
});

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
    const [above, vanished, near, empty] = powerRatiosDb(pair, ROUNDING_POWER);
    expect(above).toBeCloseTo(10, 12);
    expect(vanished).toBeCloseTo(10 * Math.log10(ROUNDING_POWER), 12);
    expect([near, empty]).toEqual([Number.NaN, Number.NaN]);
    expect(powerRatiosDb(pair, 0)[1]).toBe(Number.NEGATIVE_INFINITY);
    expect(powerRatiosDb(pair, 0)[3]).toBeNaN();
  });
});

describe('splitHalfFloor', () => {
  it('falls with the square root of the number of images, and is what two other draws differ by', () => {
    const [{ bands, powers }] = bandPowers(noise(1600, 7), [ringPartition(24, 24)]);
    const floor = (count: number, step: number) =>
      splitHalfFloor(bands, powers.subarray(0, count * bands.length).slice(), 0, new Random(step, 'evaluation'))!;
    const [small, large] = [floor(100, 0), floor(1600, 1)];
    expect([small.images, large.images]).toEqual([50, 800]);
    expect(small.lsdDb / large.lsdDb).toBeGreaterThan(3.2);
    expect(small.lsdDb / large.lsdDb).toBeLessThan(5);
    const draws = Array.from({ length: 16 }, (_, draw) => {
      const part = (i: number) =>
        columnMeans(powers.slice(i * 50 * bands.length, (i + 1) * 50 * bands.length), bands.length);
      return (
        logSpectralDistance(bands, powerRatiosDb({ generated: part(2 * draw), reference: part(2 * draw + 1) }, 0)) ** 2
      );
    });
    const typical = Math.sqrt(draws.reduce((sum, value) => sum + value, 0) / draws.length);
    expect(small.lsdDb / typical).toBeGreaterThan(0.75);
    expect(small.lsdDb / typical).toBeLessThan(1.33);
  });
});

describe('spectralIntervals', () => {
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
      const { ratiosDb, lsdDb } = spectralIntervals(bands, sets, 0, random);
      covered += ratiosDb.filter(([low, high], b) => low <= truth[b] && truth[b] <= high).length;
      lsdCovered += Number(lsdDb[0] <= lsd && lsd <= lsdDb[1]);
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
    let [covered, ownLsd] = [0, 0];
    for (let trial = 0; trial < trials; trial++) {
      const random = new Random(12, 'synthetic', trial);
      const draw = (gainDb: number) =>
        Float64Array.from({ length: count * 31 }, () => -Math.log(1 - random.uniform()) * 10 ** (gainDb / 10));
      const sets = { generated: draw(lsd), reference: draw(0) };
      const [low, high] = spectralIntervals(bands, sets, 0, random).lsdDb;
      covered += Number(low <= lsd && lsd <= high);
      const own = { generated: columnMeans(sets.generated, 31), reference: columnMeans(sets.reference, 31) };
      ownLsd += logSpectralDistance(bands, powerRatiosDb(own, 0)) / trials;
    }
    expect(ownLsd).toBeGreaterThan(1.05 * lsd);
    expect(covered / trials).toBeGreaterThanOrEqual(0.88);
    expect(covered / trials).toBeLessThanOrEqual(most);
  });
});
