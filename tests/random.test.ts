import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { philox4x32, Random, STREAMS } from '../src/random.ts';

const hex = (words: number[]) => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');

describe('Philox4x32-10', () => {
  // Known answers of Random123 (Salmon et al. 2011), file kat_vectors.
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('gives the published words for counter %j and key %j', (counter, key, expected) => {
    expect(hex(philox4x32(counter, key))).toBe(expected);
  });
});

describe('Random', () => {
  it('is a function of seed, stream and step', () => {
    const draw = (seed: number, step: number) => new Random(seed, 'points', step).uniform();
    expect(draw(1, 2)).toBe(draw(1, 2));
    expect(new Set([draw(1, 2), draw(1, 3), draw(2, 2), new Random(1, 'latentNoise', 2).uniform()]).size).toBe(4);
  });

  it('has one stream a purpose: no two files of the source draw from the same one', () => {
    const users = new Map<string, Set<string>>();
    const root = resolve(import.meta.dirname, '../src');
    for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    )) {
      const text = readFileSync(join(root, file), 'utf8');
      // Where a generator is made, and where the stream of initial values is named.
      for (const [, made, named, constant] of text.matchAll(
        /new Random\([^,]+, '(\w+)'|\bstream: '(\w+)'|= '(\w+)' satisfies Stream/g,
      )) {
        const stream = made ?? named ?? constant;
        users.set(stream, (users.get(stream) ?? new Set()).add(file));
      }
    }
    const { plugin: _, ...ours } = STREAMS; // a plugin's is not ours to draw from
    expect([...users.keys()].sort()).toEqual(Object.keys(ours).sort());
    expect([...users].filter(([, files]) => files.size > 1)).toEqual([]);
    expect(new Set(Object.values(STREAMS)).size).toBe(Object.keys(STREAMS).length);
  });

  it('draws uniforms and normals with the right moments', () => {
    const count = 100_000;
    const random = new Random(7, 'latentNoise');
    const normals = random.normals(count, 2);
    const uniforms = random.uniforms(count, -1, 3);
    const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / count;
    const variance = (values: Float32Array) => {
      const centre = mean(values);
      return mean(values.map((value) => (value - centre) ** 2));
    };
    // Four standard errors of each estimate.
    expect(Math.abs(mean(normals))).toBeLessThan((4 * 2) / Math.sqrt(count));
    expect(Math.abs(variance(normals) - 4)).toBeLessThan(4 * 4 * Math.sqrt(2 / count));
    expect(Math.abs(mean(uniforms) - 1)).toBeLessThan((4 * Math.sqrt(16 / 12)) / Math.sqrt(count));
    expect(uniforms.every((value) => value >= -1 && value < 3)).toBe(true);
  });

  it('samples without replacement, every element equally often', () => {
    const counts = new Int32Array(10);
    for (let step = 0; step < 5000; step++) {
      const drawn = new Random(3, 'points', step).sample(10, 4);
      expect(new Set(drawn).size).toBe(4);
      for (const index of drawn) counts[index]++;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(4 * Math.sqrt(5000 * 0.4 * 0.6));
  });

  it('refuses a seed that is no whole number', () => {
    expect(() => new Random(1.5, 'points')).toThrow(RangeError);
    expect(() => new Random(-1, 'points')).toThrow(RangeError);
  });

  it('gives many normals by pairs of Box and Muller from the words of whole blocks', () => {
    const count = 40_000;
    const values = new Random(3, 'plugin', 7).manyNormals(count);
    const words = philox4x32([1, 0, 7, STREAMS.plugin], [3, 0]);
    const radius = Math.sqrt(-2 * Math.log((words[2] + 1) / 2 ** 32));
    const angle = (2 * Math.PI * words[3]) / 2 ** 32;
    expect(values[6]).toBeCloseTo(radius * Math.cos(angle), 5);
    expect(values[7]).toBeCloseTo(radius * Math.sin(angle), 5);
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power / count, 0);
    expect(Math.abs(moment(1))).toBeLessThan(0.02);
    expect(moment(2)).toBeCloseTo(1, 1);
    expect(moment(4)).toBeGreaterThan(2.8);
    expect(moment(4)).toBeLessThan(3.2);
    // Neighbours, which may share a radius, are not correlated.
    expect(Math.abs(values.reduce((sum, value, i) => sum + (value * values[i ^ 1]) / count, 0))).toBeLessThan(0.02);
    expect(new Random(3, 'plugin', 7).manyNormals(5)).toEqual(values.slice(0, 5));
  });
});
