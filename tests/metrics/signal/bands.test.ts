import { describe, expect, it } from 'vitest';
import { type BandPartition, octavePartition, ringPartition } from '../../../src/metrics/signal/bands.ts';

const sizes = [
  [1, 1],
  [2, 2],
  [1, 9],
  [28, 28],
  [31, 31],
  [49, 49],
  [64, 64],
  [96, 64],
  [30, 42],
  [64, 97],
] as const;

const signed = (k: number, n: number) => BigInt(2 * k > n ? k - n : k);

/** (ρ·2^s)² as an exact fraction, from signed frequencies and without reducing anything. */
function rhoSquared(index: number, { width, height }: BandPartition): { numerator: bigint; denominator: bigint } {
  const [w, h] = [BigInt(width), BigInt(height)];
  const kx = signed(index % width, width);
  const ky = signed(Math.floor(index / width), height);
  return { numerator: kx * kx * h * h + ky * ky * w * w, denominator: w * w * h * h };
}

describe.each([
  ['ringPartition', ringPartition],
  ['octavePartition', octavePartition],
] as const)('%s', (_, partitionOf) => {
  it.each(sizes)('puts every mode of %ix%i into exactly one band and counts it there', (width, height) => {
    const { bands, membership } = partitionOf(width, height);
    const counts = new Array<number>(bands.length).fill(0);
    for (const band of membership) counts[band]++;
    expect(bands.map((band) => band.modes)).toEqual(counts);
    expect(counts.reduce((sum, count) => sum + count)).toBe(width * height);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(new Set(bands.map((band) => band.name)).size).toBe(bands.length);
  });

  it.each(sizes)('has ascending bands for %ix%i: DC, those up to ½ cycle per pixel, the corner', (width, height) => {
    const { bands } = partitionOf(width, height);
    expect(bands[0]).toMatchObject({ kind: 'dc', toCyclesPerPixel: 0, modes: 1 });
    expect(bands.slice(1).every((band) => band.kind !== 'dc')).toBe(true);
    expect(bands.slice(0, -1).every((band) => band.kind !== 'corner')).toBe(true);
    for (let b = 2; b < bands.length; b++) {
      expect(bands[b].fromCyclesPerPixel).toBe(bands[b - 1].toCyclesPerPixel);
    }
    for (const band of bands) {
      expect(band.toCyclesPerPixel).toBeCloseTo(band.toCyclesPerImage / Math.min(width, height), 14);
    }
  });
});

describe('ringPartition', () => {
  it.each(sizes)(
    'holds i ≤ ρ·min(W,H) < i+1 in ring i of %ix%i, the last closed at ½, in exact arithmetic',
    (width, height) => {
      const partition = ringPartition(width, height);
      const shorter = BigInt(Math.min(width, height));
      partition.membership.forEach((b, index) => {
        const { numerator, denominator } = rhoSquared(index, partition);
        const band = partition.bands[b];
        if (numerator === 0n) expect(band.kind).toBe('dc');
        else if (4n * numerator > denominator) expect(band.kind).toBe('corner');
        else {
          expect(band.kind).toBe('ring');
          const ring = BigInt(band.fromCyclesPerImage);
          const scaled = shorter * shorter * numerator;
          expect(ring * ring * denominator <= scaled).toBe(true);
          const closed = band.toCyclesPerPixel === 0.5;
          expect(scaled < (ring + 1n) ** 2n * denominator || closed).toBe(true);
        }
      });
    },
  );

  it('has the mode counts of the integer lattice at 8x8', () => {
    // |k|² = 1, 2 | 4, 5, 8 | 9, 10, 13, 16 (at ±4 there is one mode, not two) | the rest is the corner.
    const { bands } = ringPartition(8, 8);
    expect(bands.map(({ name, modes }) => [name, modes])).toEqual([
      ['dc', 1],
      ['1-2', 8],
      ['2-3', 16],
      ['3-4', 22],
      ['corner', 17],
    ]);
  });

  it('keeps mode 1 of 49 pixels in ring 1, where floating point puts it into ring 0', () => {
    expect(Math.floor((1 / 49) * 49)).toBe(0);
    const { bands, membership } = ringPartition(49, 49);
    expect(bands[membership[1]].name).toBe('1-2');
  });

  it('gives the modes of a wide image that lie below one cycle per height a ring of their own', () => {
    const { bands, membership } = ringPartition(96, 64);
    expect(bands[1]).toMatchObject({ name: '0-1', kind: 'ring', modes: 2 });
    expect(membership[1]).toBe(1);
  });

  it('closes the last ring of an odd size at ½', () => {
    expect(ringPartition(31, 31).bands.at(-2)).toMatchObject({ fromCyclesPerImage: 15, toCyclesPerPixel: 0.5 });
  });

  it('leaves about 21.5 % of the modes to the corner', () => {
    expect(ringPartition(256, 256).bands.at(-1)!.modes / 256 ** 2).toBeCloseTo(1 - Math.PI / 4, 2);
  });

  it.each([
    [0, 4],
    [4, 1.5],
    [2 ** 26, 2 ** 26 - 1],
  ])('refuses %dx%d', (width, height) => {
    expect(() => ringPartition(width, height)).toThrow(RangeError);
  });
});

describe('octavePartition', () => {
  it('halves frequencies from Nyquist down, and keeps its edges when the image is drawn larger', () => {
    expect(octavePartition(64, 64).bands.map((band) => band.name)).toEqual([
      'dc',
      '1-2',
      '2-4',
      '4-8',
      '8-16',
      '16-32',
      'corner',
    ]);
    const edges = (size: number) =>
      octavePartition(size, size).bands.flatMap((band) => (band.kind === 'octave' ? [band.fromCyclesPerImage] : []));
    expect(edges(28)).toEqual([0.875, 1.75, 3.5, 7]);
    expect(edges(56)).toEqual([0.875, 1.75, 3.5, 7, 14]);
  });

  it.each(sizes)('decides by exact arithmetic for %ix%i', (width, height) => {
    const partition = octavePartition(width, height);
    partition.membership.forEach((b, index) => {
      const { numerator, denominator } = rhoSquared(index, partition);
      const { kind, fromCyclesPerPixel, toCyclesPerPixel } = partition.bands[b];
      if (kind !== 'octave') return;
      const [low, high] = [BigInt(1 / fromCyclesPerPixel), BigInt(1 / toCyclesPerPixel)];
      expect(low * low * numerator >= denominator).toBe(true);
      expect(high * high * numerator < denominator || toCyclesPerPixel === 0.5).toBe(true);
    });
  });
});
