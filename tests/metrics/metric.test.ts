import { describe, expect, it } from 'vitest';
import { namedDraws } from '../../src/metrics/metric.ts';
import { fnv1a, Random } from '../../src/random.ts';

describe('fnv1a', () => {
  it('has the published test vectors', () => {
    expect(['', 'a', 'foobar'].map(fnv1a)).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});

describe('namedDraws', () => {
  const words = (random: Random) => Array.from({ length: 4 }, () => random.word());

  it('are the same at each call, and others for other names, parts and seeds', () => {
    const all = [
      words(namedDraws(3, 'fwd')()),
      words(namedDraws(3, 'swd')()),
      words(namedDraws(3, 'fwd')(1)),
      words(namedDraws(3, 'fwd')(2 ** 21 - 1)),
      words(namedDraws(4, 'fwd')()),
    ];
    expect(new Set(all.flat()).size).toBe(20);
    expect(words(namedDraws(3, 'fwd')(0))).toEqual(all[0]);
    expect(words(namedDraws(3, 'fwd')(1))).toEqual(words(new Random(3, 'evaluation', 2 ** 32 + fnv1a('fwd'))));
  });

  it('have no parts that a number could not tell apart', () => {
    for (const part of [2 ** 21, -1, 0.5]) expect(() => namedDraws(0, 'fwd')(part)).toThrow(`no part ${part}`);
  });
});
