import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EvaluationResult } from '../../src/metrics/result.ts';
import { octavePartition } from '../../src/metrics/signal/bands.ts';
import { readEvaluation, readSummary, writeEvaluation } from '../../src/run/evaluations.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'chladni-result-')), 'eval');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

const result = (metrics: Record<string, number>): EvaluationResult => ({ protocol: 'a test', metrics });

describe('writeEvaluation', () => {
  it('reads back what it wrote, non-finite numbers and bands included', async () => {
    const bands = octavePartition(8, 8).bands.map((band) => ({ ...band, fvu: Number.NaN, frc: 0.5 }));
    const written = { ...result({ psnr_db: Number.POSITIVE_INFINITY, slope: -2.5 }), bands };
    await writeEvaluation(folder, 'reconstruction', written);
    expect(await readEvaluation(join(folder, 'reconstruction.json'))).toEqual(written);
    expect(await readSummary(folder)).toEqual(written.metrics);
  });

  it('writes JSON that any reader accepts, with infinities as words', async () => {
    await writeEvaluation(folder, 'reconstruction', result({ b: Number.NEGATIVE_INFINITY, a: 1 }));
    expect(await readFile(join(folder, 'summary.json'), 'utf8')).toBe('{\n  "a": 1,\n  "b": "-Infinity"\n}\n');
  });

  it('keeps the entries of other metrics in the summary and drops its own stale ones', async () => {
    await writeEvaluation(folder, 'first', result({ a: 1, b: 2 }));
    await writeEvaluation(folder, 'second', result({ c: 3 }));
    await writeEvaluation(folder, 'first', result({ a: 4 }));
    expect(await readSummary(folder)).toEqual({ a: 4, c: 3 });
  });

  it('loses nothing when several are written at once, and leaves no temporary file', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `metric_${i}`);
    await Promise.all(names.map((name, i) => writeEvaluation(folder, name, result({ [name]: i }))));
    expect(await readSummary(folder)).toEqual(Object.fromEntries(names.map((name, i) => [name, i])));
    expect((await readdir(folder)).sort()).toEqual([...names.map((name) => `${name}.json`), 'summary.json']);
  });

  it.each(['{"a": 1', '[1, 2]', '{"a": "high"}', 'null'])(
    'refuses a summary that holds %s, names it, and leaves it alone',
    async (text) => {
      await writeEvaluation(folder, 'first', result({ a: 1 }));
      const path = join(folder, 'summary.json');
      await writeFile(path, text);
      await expect(writeEvaluation(folder, 'second', result({ b: 1 }))).rejects.toThrow(`${path} does not hold`);
      expect(await readFile(path, 'utf8')).toBe(text);
      expect(await readdir(folder)).not.toContain('second.json');
      await rm(path);
      await writeEvaluation(folder, 'second', result({ b: 1 }));
      expect(await readSummary(folder)).toEqual({ b: 1 });
    },
  );

  it.each(['summary', '../outside', '', 'a b'])('refuses the name "%s"', async (name) => {
    await expect(writeEvaluation(folder, name, result({}))).rejects.toThrow(RangeError);
  });

  it('has an empty summary where nothing was evaluated', async () => {
    expect(await readSummary(folder)).toEqual({});
  });
});
