/** `evaluate images` as a user runs it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { evaluateImages } from '../../scripts/evaluateImages.ts';
import { UsageError } from '../../src/errors.ts';
import { addMetric } from '../../src/metrics/registry.ts';
import type { EvaluationResult } from '../../src/metrics/result.ts';
import { Random } from '../../src/random.ts';
import { parseJson } from '../../src/run/evaluations.ts';

const root = resolve(import.meta.dirname, '../..');
let folder: string;

interface Result {
  code: number;
  out: string;
  err: string;
}

/** As a process. In the folder: the image cache lies where the command runs. */
function launch(...args: string[]): Promise<Result> {
  const loader = join(root, 'node_modules/tsx/dist/loader.mjs');
  const command = ['--import', loader, join(root, 'scripts/evaluate.ts'), 'images', ...args];
  return new Promise((done) => {
    execFile(process.execPath, command, { cwd: folder }, (error, out, err) =>
      done({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

/** Within this process, which is faster; the options as yargs gives them. */
async function evaluate(options: Record<string, unknown>): Promise<string[]> {
  const said: string[] = [];
  const hear = vi.spyOn(console, 'error').mockImplementation((line: string) => void said.push(line));
  vi.spyOn(console, 'log').mockImplementation(() => {});
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  const defaults = { generated: 'a', paired: false, plugin: [], seed: 0 };
  try {
    await evaluateImages.handler({ ...defaults, ...options });
  } finally {
    vi.restoreAllMocks();
  }
  hear.mockRestore();
  return said;
}

const read = async (name: string) => parseJson(await readFile(join(folder, name), 'utf8')) as EvaluationResult;

async function writeImages(name: string, count: number, width: number, height: number, channels: 1 | 3 = 3) {
  await mkdir(join(folder, name), { recursive: true });
  for (let i = 0; i < count; i++) {
    const pixels = Uint8Array.from(new Random(i, 'synthetic').uniforms(width * height * channels, 0, 256));
    const image = sharp(pixels, { raw: { width, height, channels } });
    await image.png().toFile(join(folder, name, `${i}.png`));
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-evaluate-'));
  process.chdir(folder);
  await writeImages('a', 7, 20, 13);
  await writeImages('b', 5, 20, 13);
  await writeImages('large', 2, 24, 24);
  await writeImages('grey', 7, 20, 13, 1);
  await writeImages('one', 1, 20, 13);
  await writeImages('mixed', 2, 20, 13);
  await sharp(join(folder, 'large/1.png')).toFile(join(folder, 'mixed/1.png'));
  await writeFile(join(folder, 'a/broken.png'), 'not an image');
});
afterAll(() => {
  process.chdir(root);
  return rm(folder, { recursive: true });
});

describe('evaluate images', () => {
  it('compares two folders as sets, of any size and different counts', async () => {
    const { code, out, err } = await launch('--generated', 'a', '--reference', 'b', '--out', 'sets/out.json');
    expect(err).toContain('skipped 1 of 8 files');
    expect(err).toContain('coverage is left out');
    expect(code).toBe(0);
    expect(out).toMatch(/lsd_r7_n7_db +[\d.]+/);
    const { metrics, rings } = await read('sets/out.json');
    expect(metrics).toMatchObject({ images_generated: 7, images_reference: 5, fwd_haar1_c3_n7: expect.any(Number) });
    expect(rings).toHaveLength(8);
    const refused = await launch('--generated', 'a', '--reference', 'large', '--out', 'refused.json');
    expect(refused.err.trim()).toBe(
      '--generated has images of 20x13, --reference of 24x24; bring both to one size with --size',
    );
    expect(refused.code).toBe(2);
    expect(existsSync(join(folder, 'refused.json'))).toBe(false);
  });

  it('compares pairs by name, resized where asked, on one channel where both sides are grey', async () => {
    const pairs = { reference: 'grey', paired: true };
    const said = await evaluate({ ...pairs, generated: 'grey', size: '16', out: 'same.json' });
    expect(said).toContain('all images are grey: measured on one channel');
    const { metrics, images, notes, protocol } = await read('same.json');
    expect(metrics).toMatchObject({ paired_mse_n7: 0, paired_psnr_n7_db: Infinity, paired_images: 7 });
    expect(images![2]).toEqual({ name: '2.png', psnrDb: Infinity, ssim: 1 });
    expect(protocol).toContain('7 images of 16x16x1');
    expect(protocol).toContain('brought to 16x16 by centre crop');
    expect(notes).toEqual(['all images are grey: measured on one channel']);
    expect(await evaluate({ ...pairs, out: 'other.json' })).toContain(
      'all reference images are grey, the others are not: measured as RGB',
    );
  });

  it('measures metrics that were added, by default and by name', async () => {
    addMetric({
      name: 'images',
      about: { label: 'Images', source: 'a test' },
      measure: ({ generated, reference }) => [
        { key: 'images', protocol: '', value: generated.count / reference.count },
      ],
    });
    await evaluate({ reference: 'b', metrics: 'images,kid', out: 'added.json' });
    const { metrics, findings } = await read('added.json');
    expect(metrics).toMatchObject({ images: 1.4, kid_random256_n7: expect.any(Number) });
    expect(findings!.map(({ key }) => key)).toEqual(['images', 'kid']);
    await evaluate({ reference: 'b', out: 'added.json' });
    expect((await read('added.json')).metrics).toMatchObject({ images: 1.4, fwd_haar1_c3_n7: expect.any(Number) });
  });

  it.each([
    [{ reference: 'mixed' }, '--reference: 0.png is 20x13, 1.png is 24x24; bring all to one size with --size'],
    [{ reference: 'one' }, '--reference has 1 image; a set needs at least 2 (--paired compares image by image)'],
    [{ reference: 'b', paired: true }, '7 generated, 5 reference images, "5.png" has no partner'],
    [{ reference: 'grey', paired: true, metrics: 'fwd' }, '--metrics are of sets; --paired always measures the same'],
    [{ reference: 'b', size: '0x4' }, '--size 0x4: expected N or WIDTHxHEIGHT'],
    [{ reference: 'b', metrics: 'fid' }, 'metric "fid" is unknown; choose one of spectrum, fwd, swd'],
    [{ reference: 'b', seed: -1 }, '--seed -1: expected a whole number'],
    [{ reference: 'nowhere' }, '--reference nowhere: no such file or folder'],
    [{ reference: 'sets' }, '--reference sets holds no readable image (JPEG, PNG'],
  ])('refuses %j', async (options, line) => {
    const refusal = evaluate({ ...options, out: 'refused.json' });
    await expect(refusal).rejects.toThrow(UsageError);
    await expect(refusal).rejects.toThrow(line);
    expect(existsSync(join(folder, 'refused.json'))).toBe(false);
  });
});
