import { createHash } from 'node:crypto';
import { chmod, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { decodeByName, spreadEvenly } from '../../src/data/decodeSet.ts';
import { type LoadOptions, loadImages, skippedReport } from '../../src/data/loadImages.ts';
import { RunError, UsageError } from '../../src/errors.ts';
import { dataConfig, folderOf, noise, plain, temporaryFolder, withoutRights, zipOf } from './files.ts';

afterEach(() => vi.restoreAllMocks());

/** `count` plain grey images, named and coloured by their number; those in `bad` are text. */
async function numbered(count: number, bad: readonly number[] = []): Promise<Record<string, Uint8Array | string>> {
  const files: Record<string, Uint8Array | string> = {};
  for (let i = 0; i < count; i++) {
    files[`${String(i).padStart(3, '0')}.png`] = bad.includes(i) ? 'text' : await plain([i, i, i]).png().toBuffer();
  }
  return files;
}

/** Decoded images carry their number as colour: it must be that of their name. */
function numbersOf(set: Awaited<ReturnType<typeof loadImages>>): number[] {
  const length = set.width * set.height * 3;
  expect(set.pixels).toHaveLength(set.count * length);
  return set.names.map((name, i) => {
    const pixels = set.pixels.subarray(i * length, (i + 1) * length);
    expect(pixels.every((value) => value === Number.parseInt(name, 10))).toBe(true);
    return pixels[0];
  });
}

async function countDecoded(config: Parameters<typeof loadImages>[0], options: LoadOptions = {}): Promise<number> {
  let decoded = 0;
  await loadImages(config, { ...options, onProgress: () => decoded++ });
  return decoded;
}

describe('loadImages', () => {
  it('loads good files from among bad ones, and reports the rest', async () => {
    const jpeg = await noise(40, 40).jpeg().toBuffer();
    const folder = await folderOf({
      'good/1.png': await plain([1, 1, 1]).png().toBuffer(),
      'good/2.png': await plain([2, 2, 2], 20_000, 2).png().toBuffer(),
      'good/3.png': await plain([3, 3, 3], 1, 1).png().toBuffer(),
      'bad/cut.jpg': jpeg.subarray(0, jpeg.length >> 1),
      'bad/zero.png': '',
      'bad/text.png': 'hello',
      'bad/phone.heic': 'x',
    });
    const set = await loadImages(dataConfig({ source: 'folder', path: folder, size: 8 }));
    expect(set.names).toEqual(['good/1.png', 'good/2.png', 'good/3.png']);
    expect([set.classes, set.labels]).toEqual([
      ['bad', 'good'],
      [1, 1, 1],
    ]);
    expect(set.nativeScale).toBe(1 / 8);
    expect([0, 1, 2].map((i) => set.pixels[i * 192])).toEqual([1, 2, 3]);
    expect(skippedReport(set)).toEqual([
      'skipped 4 of 7 files:',
      '  bad/cut.jpg: VipsJpeg: premature end of JPEG image',
      '  bad/phone.heic: HEIC is not supported; convert it to JPEG, PNG or AVIF',
      '  bad/text.png: unsupported image format',
      '  bad/zero.png: empty file',
    ]);
    expect(skippedReport(set, 1).slice(1)).toEqual([expect.stringContaining('cut.jpg'), '  … and 3 more']);
    expect(skippedReport({ count: 3, skipped: [] })).toEqual([]);
  });

  it('spreads a limit evenly over the list', async () => {
    expect(spreadEvenly([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4)).toEqual([0, 2, 5, 7]);
    expect(spreadEvenly([0, 1], 5)).toEqual([0, 1]);
    const folder = await folderOf(await numbered(10));
    const set = await loadImages(dataConfig({ source: 'folder', path: folder, size: 4, limit: 4 }));
    expect(numbersOf(set)).toEqual([0, 2, 5, 7]);
  });

  it('fills a limit from the other files when some are bad', async () => {
    const folder = await folderOf(await numbered(12, [0, 3, 6, 7, 9]));
    const load = (limit?: number) => loadImages(dataConfig({ source: 'folder', path: folder, size: 4, limit }));
    // 0, 3, 6, 9 are tried, then four of the other eight: 1, 4, 7, 10; then one of the last four: 2.
    const set = await load(4);
    expect(numbersOf(set)).toEqual([1, 2, 4, 10]);
    expect(set.skipped.map(({ name }) => name)).toEqual(['000.png', '003.png', '006.png', '007.png', '009.png']);
    expect(numbersOf(await load(7))).toEqual([1, 2, 4, 5, 8, 10, 11]);
    expect(numbersOf(await load(100))).toEqual([1, 2, 4, 5, 8, 10, 11]);
    expect(numbersOf(await load())).toEqual([1, 2, 4, 5, 8, 10, 11]);
  });

  it('loads the same images at another scale, or some of them', async () => {
    const folder = await folderOf(await numbered(9, [0, 4]));
    const config = dataConfig({ source: 'folder', path: folder, size: '4x6', limit: 4 });
    const base = await loadImages(config);
    const scaled = await loadImages(config, { scale: 3 });
    expect([scaled.width, scaled.height]).toEqual([12, 18]);
    expect(numbersOf(scaled)).toEqual(numbersOf(base));
    expect(scaled.skipped).toEqual(base.skipped);
    expect(scaled.nativeScale).toBeCloseTo(base.nativeScale / 3, 12);
    expect(scaled.digest).not.toBe(base.digest);
    const some = await loadImages(config, { scale: 3, images: [2, 0] });
    expect(numbersOf(some)).toEqual([numbersOf(base)[2], numbersOf(base)[0]]);
    await expect(loadImages(config, { images: [4] })).rejects.toThrow('image 4 of 4');
    await expect(loadImages(config, { scale: 1.5 })).rejects.toThrow('positive integer');
  });

  it('agrees with itself across scales: blocks of the finer image average to the coarser one', async () => {
    const config = dataConfig({ source: 'fluent-emoji', size: 32, limit: 12 });
    const [base, fine] = [await loadImages(config), await loadImages(config, { scale: 4 })];
    expect(fine.names).toEqual(base.names);
    expect([base.nativeScale, fine.nativeScale]).toEqual([Infinity, Infinity]);
    let squares = 0;
    for (let i = 0; i < base.pixels.length; i++) {
      const [image, y, x, c] = [Math.floor(i / 3072), Math.floor(i / 96) % 32, Math.floor(i / 3) % 32, i % 3];
      let sum = 0;
      for (let dy = 0; dy < 4; dy++) {
        for (let dx = 0; dx < 4; dx++) {
          sum += fine.pixels[((image * 128 + 4 * y + dy) * 128 + 4 * x + dx) * 3 + c];
        }
      }
      squares += (base.pixels[i] - sum / 16) ** 2;
    }
    // Beside rounding, renderers differ from area coverage at overlapping edges only; half a pixel would cost 20 levels.
    expect(Math.sqrt(squares / base.pixels.length)).toBeLessThan(3);
  });

  it('holds out images of a list, spread evenly over it, and trains on the others', async () => {
    const labels = Array.from({ length: 10 }, (_, i) => [`00${i}.png`, i % 3]);
    const path = await zipOf({ ...(await numbered(10)), 'dataset.json': JSON.stringify({ labels }) });
    for (const config of [
      dataConfig({ source: 'folder', path: await folderOf(await numbered(10)), size: 4, heldOut: 3 }),
      dataConfig({ source: 'zip', path, size: 4, heldOut: 3 }),
    ]) {
      const [training, held] = [await loadImages(config), await loadImages(config, { part: 'heldOut' })];
      expect(numbersOf(held)).toEqual([0, 3, 6]);
      expect(numbersOf(training)).toEqual([1, 2, 4, 5, 7, 8, 9]);
      expect(training.digest).not.toBe(held.digest);
      if (config.source === 'zip') expect(held.labels).toEqual([0, 0, 0]);
      // Of what is left, and at any scale.
      expect(numbersOf(await loadImages({ ...config, limit: 3 }))).toEqual([1, 4, 7]);
      expect(numbersOf(await loadImages({ ...config, limit: 3 }, { part: 'heldOut' }))).toEqual([0, 3, 6]);
      expect(numbersOf(await loadImages(config, { part: 'heldOut', scale: 2, images: [2] }))).toEqual([6]);
      expect(await countDecoded(config)).toBe(0);
    }
  });

  it('holds out the same images whether or not they can be read', async () => {
    const folder = await folderOf(await numbered(10, [3, 4]));
    const config = dataConfig({ source: 'folder', path: folder, size: 4, heldOut: 3 });
    const held = await loadImages(config, { part: 'heldOut' });
    expect(numbersOf(held)).toEqual([0, 6]);
    expect(held.skipped.map(({ name }) => name)).toEqual(['003.png']);
    expect(numbersOf(await loadImages(config))).toEqual([1, 2, 5, 7, 8, 9]);
  });

  it('says in one line which parts a source lacks', async () => {
    const folder = await folderOf(await numbered(4));
    const load = (heldOut: number | undefined, part?: LoadOptions['part']) =>
      loadImages(dataConfig({ source: 'folder', path: folder, size: 4, heldOut }), { part });
    await expect(load(undefined, 'heldOut')).rejects.toThrow(
      `nothing of folder "${folder}" is held out of training; set data.heldOut to a number of images`,
    );
    await expect(load(4)).rejects.toThrow(
      `data.heldOut: 4 of the 4 images of folder "${folder}" leave none to train on; hold out fewer`,
    );
    await expect(load(1, 'combinations')).rejects.toThrow(
      'source "folder" leaves no combinations of attributes out of training; source "faces" does',
    );
    expect(numbersOf(await load(3))).toEqual([3]);
  });

  it('finds the packs of configs that hold nothing out where they always were', async () => {
    const config = dataConfig({ source: 'fluent-emoji', size: 8, limit: 3 });
    const key = {
      format: 1,
      decoder: { sharp: sharp.versions.sharp, vips: sharp.versions.vips, rsvg: sharp.versions.rsvg },
      source: ['@iconify-json/fluent-emoji-flat', '1.2.6'],
      transform: { width: 8, height: 8, fit: 'crop', background: '#ffffff', scale: 1 },
      limit: 3,
    };
    const digest = createHash('sha256').update(JSON.stringify(key)).digest('hex');
    for (const heldOut of [undefined, 0]) expect((await loadImages({ ...config, heldOut })).digest).toBe(digest);
    expect((await loadImages({ ...config, heldOut: 1 })).digest).not.toBe(digest);
  });

  it('reads zips with labels', async () => {
    const labels = [0, 1, 2].map((i) => [`00${i}.png`, 10 - i]);
    const path = await zipOf({ ...(await numbered(3)), 'dataset.json': JSON.stringify({ labels }) });
    const set = await loadImages(dataConfig({ source: 'zip', path, size: 4 }));
    expect(numbersOf(set)).toEqual([0, 1, 2]);
    expect(set.labels).toEqual([10, 9, 8]);
  });

  it('loads the photograph', async () => {
    const set = await loadImages(dataConfig({ source: 'photo', size: '40x60', fit: 'pad' }));
    expect([set.count, set.width, set.height]).toEqual([1, 40, 60]);
    expect(set.nativeScale).toBeGreaterThan(16);
    expect([...set.pixels.subarray(0, 3)]).toEqual([255, 255, 255]);
    expect(Math.max(...set.pixels) - Math.min(...set.pixels)).toBeGreaterThan(150);
  });

  it('says what to do when there is no image to load', async () => {
    const failure = async (files: Record<string, string>) => {
      const path = await folderOf(files);
      const error = await loadImages(dataConfig({ source: 'folder', path })).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toContain(`folder "${path}"`);
      expect(error.message).not.toContain('\n');
      return error.message;
    };
    expect(await failure({ 'notes.txt': 'x' })).toContain('put images there (JPEG, PNG,');
    const bad = await failure({ 'a.png': '', 'b.heic': '', 'c.jpg': 'text', 'd.gif': '' });
    expect(bad).toContain('skipped 4, a.png (empty file), b.heic (HEIC is not supported');
  });

  it('says so when the images would not fit in memory', async () => {
    const config = dataConfig({ source: 'fluent-emoji', size: 100_000 });
    await expect(loadImages(config)).rejects.toThrow(/1594 images of 100000×100000 take 44\d+\.\d GiB; set data.limit/);
  });
});

describe('decodeByName', () => {
  it('fails when an image that was there at one scale is bad at the next', async () => {
    const entries = [{ name: 'a.png', read: async () => Buffer.from('text') }];
    const source = { title: 'folder "x"', identity: 0, entries, skipped: [], close: async () => {} };
    const transform = { width: 4, height: 4, scale: 2, fit: 'crop', background: '#ffffff' } as const;
    const error = await decodeByName(source, ['a.png'], transform).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toBe(`"a.png" in folder "x" can't be read at 2× the size: unsupported image format`);
  });
});

describe('packed cache', () => {
  const setUp = async (count = 3) => {
    const path = await folderOf(await numbered(count));
    const config = dataConfig({ source: 'folder', path, size: 4 });
    const first = await loadImages(config);
    const file = async (extension: string) => {
      const names = await readdir(config.cache);
      return join(config.cache, names.find((name) => name.endsWith(extension))!);
    };
    return { config, path, first, file };
  };

  it('is reused, and holds all of the set', async () => {
    const { config, first } = await setUp();
    let decoded = 0;
    expect(await loadImages(config, { onProgress: () => decoded++ })).toEqual(first);
    expect(decoded).toBe(0);
    const emoji = dataConfig({ source: 'fluent-emoji', size: 8, limit: 2 });
    await loadImages(emoji);
    expect((await loadImages(emoji)).nativeScale).toBe(Infinity);
  });

  it('is rebuilt when it is cut short, altered or gone', async () => {
    const { config, first, file } = await setUp();
    const damages = [
      async () => truncate(await file('.u8'), 100),
      async () => {
        const pixels = await readFile(await file('.u8'));
        pixels[7] ^= 1;
        await writeFile(await file('.u8'), pixels);
      },
      async () => truncate(await file('.json'), 50),
      async () => writeFile(await file('.json'), '{"digest": 1}'),
      async () => rm(await file('.u8')),
      async () => rm(await file('.json')),
    ];
    for (const damage of damages) {
      await damage();
      expect(await loadImages(config)).toEqual(first);
      expect(await countDecoded(config)).toBe(0);
    }
  });

  it('is not used for changed files or another transform', async () => {
    const { config, path, first } = await setUp();
    for (const change of [{ size: 5 }, { fit: 'pad' as const }, { background: '#000000' }, { limit: 2 }]) {
      expect(await countDecoded({ ...config, ...change })).toBeGreaterThan(0);
    }
    expect(await countDecoded(config)).toBe(0);
    expect(await countDecoded({ ...config, background: '#FFFFFF' })).toBe(0);
    await writeFile(join(path, '001.png'), await plain([9, 9, 9]).png().toBuffer());
    const changed = await loadImages(config);
    expect(changed.pixels[48]).toBe(9);
    expect(changed.digest).not.toBe(first.digest);
  });

  it('is not written when a file could not be read from the disk, as that may pass', async () => {
    const path = await zipOf(await numbered(3));
    const bytes = await readFile(path);
    bytes[bytes.indexOf('001.png') + 20] ^= 1; // inside the file that follows its name
    await writeFile(path, bytes);
    const config = dataConfig({ source: 'zip', path, size: 4 });
    const set = await loadImages(config);
    expect(numbersOf(set)).toEqual([0, 2]);
    expect(set.skipped).toEqual([{ name: '001.png', reason: expect.stringContaining('checksum mismatch') }]);
    expect(await readdir(config.cache)).toEqual([]);
  });

  it('only warns when it cannot be written', async () => {
    const path = await folderOf(await numbered(2));
    const lines: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
    const blocked = join(await folderOf({ file: 'x' }), 'file', 'cache');
    expect(numbersOf(await loadImages(dataConfig({ source: 'folder', path, size: 4, cache: blocked })))).toEqual([
      0, 1,
    ]);
    expect(lines).toEqual([
      expect.stringMatching(/^warning: can't write the image cache in ".*" \(not a folder\); .*\n$/),
    ]);

    const readOnly = temporaryFolder();
    await chmod(readOnly, 0o555);
    await withoutRights(() => loadImages(dataConfig({ source: 'folder', path, size: 4, cache: readOnly })));
    expect(lines[1]).toContain('(permission denied)');
    expect(await readdir(readOnly)).toEqual([]);
  });

  it('serves processes that load at the same time', async () => {
    const path = await folderOf(await numbered(20));
    const config = dataConfig({ source: 'folder', path, size: 4 });
    const sets = await Promise.all(Array.from({ length: 6 }, () => loadImages(config)));
    for (const set of sets) expect(set).toEqual(sets[0]);
    expect((await readdir(config.cache)).map((name) => name.replace(/.*\./, '')).sort()).toEqual(['json', 'u8']);
  });

  it('does not grow without bound, and removes nothing that is not its own', async () => {
    const path = await folderOf(await numbered(1));
    const cache = await folderOf({
      'mine.json': '',
      'chladni-notes.txt': '',
      'chladni-folder-0123456789abcdef.u8.99-00.tmp': '',
      'chladni-folder-fedcba9876543210.u8.99-00.tmp': '',
    });
    const longAgo = new Date(Date.now() - 48 * 3600 * 1000);
    await utimes(join(cache, 'chladni-folder-0123456789abcdef.u8.99-00.tmp'), longAgo, longAgo);
    const config = dataConfig({ source: 'folder', path, cache, size: 1 });
    const oldest = await loadImages(config);
    for (let size = 2; size <= 20; size++) await loadImages({ ...config, size });
    const names = await readdir(cache);
    expect(names.filter((name) => /^chladni-folder-.*\.u8$/.test(name))).toHaveLength(16);
    expect(names.filter((name) => /^chladni-folder-.*\.json$/.test(name))).toHaveLength(16);
    expect(names).toEqual(expect.arrayContaining(['mine.json', 'chladni-notes.txt']));
    expect(names.filter((name) => name.endsWith('.tmp'))).toEqual(['chladni-folder-fedcba9876543210.u8.99-00.tmp']);
    expect(names.some((name) => name.includes(oldest.digest.slice(0, 16)))).toBe(false);
  });

  it('reads folders through a link like the folder itself', async () => {
    const { config, path, first } = await setUp();
    const link = join(temporaryFolder(), 'link');
    await symlink(path, link);
    expect(await countDecoded({ ...config, path: link })).toBe(0);
    expect((await loadImages({ ...config, path: link })).digest).toBe(first.digest);
  });
});
