/** `evaluate images` as a user runs it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseJson } from '../../src/eval/result.ts';
import { Random } from '../../src/random.ts';

const root = resolve(import.meta.dirname, '../..');
let folder: string;

function evaluate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const command = [
    '--import',
    join(root, 'node_modules/tsx/dist/loader.mjs'),
    join(root, 'scripts/evaluate.ts'),
    'images',
  ];
  return new Promise((done) => {
    // In the folder: the image cache lies where the command runs.
    execFile(process.execPath, [...command, ...args], { cwd: folder }, (error, out, err) =>
      done({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

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
  await writeImages('a', 7, 20, 13);
  await writeImages('b', 5, 20, 13);
  await writeImages('large', 2, 24, 24);
  await writeImages('grey', 7, 20, 13, 1);
  await writeImages('one', 1, 20, 13);
  await writeImages('mixed', 2, 20, 13);
  await sharp(join(folder, 'large/1.png')).toFile(join(folder, 'mixed/1.png'));
  await writeFile(join(folder, 'a/broken.png'), 'not an image');
});
afterAll(() => rm(folder, { recursive: true }));

describe('evaluate images', () => {
  it('compares two folders as sets, of any size and different counts', async () => {
    const { code, out, err } = await evaluate('--generated', 'a', '--reference', 'b', '--out', 'sets/out.json');
    expect(err).toContain('skipped 1 of 8 files');
    expect(err).toContain('coverage is left out');
    expect(code).toBe(0);
    expect(out).toMatch(/lsd_r6_n7_db +[\d.]+ +\[/);
    const { metrics, rings } = parseJson(await readFile(join(folder, 'sets/out.json'), 'utf8')) as {
      metrics: Record<string, number>;
      rings: unknown[];
    };
    expect(metrics).toMatchObject({ images_generated: 7, images_reference: 5, fwd_haar1_n7: expect.any(Number) });
    expect(rings).toHaveLength(7);
  });

  it('compares pairs by name, resized where asked, on one channel where both sides are grey', async () => {
    await rm(join(folder, 'a/broken.png'));
    const same = await evaluate(
      '--generated',
      'grey',
      '--reference',
      'grey',
      '--paired',
      '--out',
      'same.json',
      '--size',
      '16',
    );
    expect(same.err).toContain('measured on one channel');
    expect(same.code).toBe(0);
    const { metrics, images, protocol } = parseJson(await readFile(join(folder, 'same.json'), 'utf8')) as {
      metrics: Record<string, number>;
      images: unknown[];
      protocol: string;
    };
    expect(metrics).toMatchObject({ paired_mse: 0, paired_psnr_db: Infinity, paired_images: 7 });
    expect(images[2]).toEqual({ name: '2.png', psnrDb: Infinity, ssim: 1 });
    expect(protocol).toContain('7 images of 16x16x1');
    const other = await evaluate('--generated', 'grey', '--reference', 'a', '--paired', '--out', 'other.json');
    expect(other.err).toContain('all generated images are grey, the others are not');
    expect(other.code).toBe(0);
  });

  it.each([
    [
      ['--reference', 'large'],
      '--generated has images of 20x13, --reference of 24x24; bring both to one size with --size',
    ],
    [['--reference', 'mixed'], '0.png is 20x13, 1.png is 24x24; bring all to one size with --size'],
    [['--reference', 'one'], '--reference has 1 image; a set needs at least 2'],
    [['--reference', 'b', '--paired'], '7 generated, 5 reference images, "5.png" has no partner'],
    [['--reference', 'b', '--size', '0x4'], '--size 0x4: expected N or WIDTHxHEIGHT'],
    [['--reference', 'b', '--metrics', 'fid'], '"fid" is none of spectrum, fwd, swd'],
    [['--reference', 'b', '--seed', '-1'], '--seed -1: expected a whole number'],
    [['--reference', 'nowhere'], 'can\'t read folder "nowhere": no such file or folder'],
    [['--reference', 'sets'], 'no readable image in folder "sets"'],
  ])('refuses %j in one line', async (args, line) => {
    const { code, err } = await evaluate('--generated', 'a', ...args, '--out', 'refused.json');
    expect(err).toContain(line);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
    expect(existsSync(join(folder, 'refused.json'))).toBe(false);
  });
});
