import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { imageKind, reasonOf } from '../../src/data/source.ts';
import { distinctIcons, fluentEmojiSource } from '../../src/data/sources/fluentEmoji.ts';
import { folderSource } from '../../src/data/sources/folder.ts';
import { zipSource } from '../../src/data/sources/zip.ts';
import { UsageError } from '../../src/errors.ts';
import { folderOf, temporaryFolder, withoutRights, zipOf } from './files.ts';

const names = (source: { entries: { name: string }[] }) => source.entries.map(({ name }) => name);

describe('fluentEmojiSource', () => {
  it('holds each emoji once: no skin tones, no hidden icons', async () => {
    const source = await fluentEmojiSource();
    expect(source.entries).toHaveLength(1594);
    expect(names(source)).toEqual([...names(source)].sort());
    expect(names(source)).toEqual(expect.arrayContaining(['police-car-light', 'waving-hand', 'red-heart', 'swan']));
    expect(names(source)).not.toContain('waving-hand-medium-light');
  });

  it("agrees with the package's own map of code points, where skin tones are U+1F3FB to U+1F3FF", async () => {
    const require = createRequire(import.meta.url);
    const read = async (file: string) =>
      JSON.parse(await readFile(require.resolve(`@iconify-json/fluent-emoji-flat/${file}`), 'utf8'));
    const [chars, { icons }] = await Promise.all([read('chars.json'), read('icons.json')]);
    const toneless = Object.entries<string>(chars).filter(([points]) => !/1f3f[b-f]/.test(points));
    expect(new Set(toneless.map(([, name]) => name))).toEqual(new Set(distinctIcons(icons)));
  });
});

describe('folderSource', () => {
  it('lists images at every depth in an order that no locale changes, and nothing else', async () => {
    const folder = await folderOf({
      'b.PNG': '',
      'a/ä.jpeg': '',
      'a/z.webp': '',
      'B.gif': '',
      'a/deep/er/日本.tif': '',
      'notes.txt': '',
      '.hidden.png': '',
      '.git/x.png': '',
    });
    expect(names(await folderSource(folder))).toEqual(['B.gif', 'a/deep/er/日本.tif', 'a/z.webp', 'a/ä.jpeg', 'b.PNG']);
  });

  it('takes first-level folders as classes when every image lies in one', async () => {
    const folder = await folderOf({ 'dog/1.png': '', 'cat/old/2.png': '', 'cat/3.png': '', 'empty/x.txt': '' });
    const source = await folderSource(folder);
    expect(source.classes).toEqual(['cat', 'dog']);
    expect(source.entries.map(({ name, label }) => [name, label])).toEqual([
      ['cat/3.png', 0],
      ['cat/old/2.png', 0],
      ['dog/1.png', 1],
    ]);
    await writeFile(join(folder, 'loose.png'), '');
    const mixed = await folderSource(folder);
    expect(mixed.classes).toBeUndefined();
    expect(mixed.entries.every(({ label }) => label === undefined)).toBe(true);
  });

  it('follows links, but not in circles, nor to a folder around the root', async () => {
    const outer = await folderOf({ 'root/a/1.png': '', 'root/b/2.png': '', 'beside/3.png': '', 'outside.png': '' });
    const root = join(outer, 'root');
    await symlink('..', join(root, 'a', 'up'));
    await symlink(outer, join(root, 'around'));
    await symlink('../b', join(root, 'a', 'toB'));
    await symlink('../a', join(root, 'b', 'toA'));
    await symlink('../beside', join(root, 'link'));
    await symlink('../root', join(outer, 'beside', 'back'));
    await symlink('../outside.png', join(root, 'file.png'));
    await symlink('self.png', join(root, 'self.png'));
    await symlink('nowhere.png', join(root, 'broken.png'));
    const source = await folderSource(root);
    expect(names(source)).toEqual(['a/1.png', 'b/2.png', 'file.png', 'link/3.png']);
    expect(source.skipped).toEqual([
      { name: 'broken.png', reason: 'link: no such file or folder' },
      { name: 'self.png', reason: 'link: the link leads to itself' },
    ]);
  });

  it('skips what it may not read, and says so', async () => {
    const folder = await folderOf({ 'ok/1.png': '', 'closed/2.png': '', 'secret.png': '', 'phone.HEIC': '' });
    await chmod(join(folder, 'closed'), 0);
    await chmod(join(folder, 'secret.png'), 0);
    await withoutRights(async () => {
      const source = await folderSource(folder);
      expect(names(source)).toEqual(['ok/1.png']);
      expect(source.skipped).toEqual([
        { name: 'closed/', reason: 'permission denied' },
        { name: 'phone.HEIC', reason: 'HEIC is not supported; convert it to JPEG, PNG or AVIF' },
        { name: 'secret.png', reason: 'permission denied' },
      ]);
    });
    await chmod(join(folder, 'closed'), 0o755);
  });

  it('names a folder that is missing, is a file or may not be read', async () => {
    const folder = await folderOf({ 'x.zip': '', 'closed/1.png': '' });
    const failure = async (path: string) => {
      const error = await folderSource(path).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toContain(`folder "${path}"`);
      return error.message;
    };
    expect(await failure(join(folder, 'none'))).toContain('no such file or folder; check data.path');
    expect(await failure(join(folder, 'x.zip'))).toContain('set data.source to zip');
    await chmod(join(folder, 'closed'), 0);
    expect(await withoutRights(() => failure(join(folder, 'closed')))).toContain('permission denied');
    await chmod(join(folder, 'closed'), 0o755);
  });

  it('has an identity that changes with names, sizes and times, and not with where the folder is', async () => {
    const folder = await folderOf({ 'a.png': 'x' });
    const identity = async (path: string) => JSON.stringify((await folderSource(path)).identity);
    const before = await identity(folder);
    const link = join(temporaryFolder(), 'link');
    await symlink(folder, link);
    expect(await identity(link)).toBe(before);
    await writeFile(join(folder, 'a.png'), 'y');
    const touched = await identity(folder);
    expect(touched).not.toBe(before);
    await mkdir(join(folder, 'sub'));
    expect(await identity(folder)).toBe(touched);
    await writeFile(join(folder, 'sub', 'b.png'), '');
    expect(await identity(folder)).not.toBe(touched);
  });
});

describe('zipSource', () => {
  it("reads images and StyleGAN's labels", async () => {
    const labels = [
      ['00/b.png', 4],
      ['00/a.png', 0],
    ];
    const files = { '00/b.png': 'B', '00/a.png': 'A', '__MACOSX/00/._a.png': '', 'README.txt': '', 'c.bmp': '' };
    const source = await zipSource(await zipOf({ ...files, 'dataset.json': JSON.stringify({ labels }) }));
    expect(source.entries.map(({ name, label }) => [name, label])).toEqual([
      ['00/a.png', 0],
      ['00/b.png', 4],
    ]);
    expect(Buffer.from(await source.entries[1].read()).toString()).toBe('B');
    expect(source.skipped.map(({ name }) => name)).toEqual(['c.bmp']);
    await source.close();
  });

  it('needs no labels', async () => {
    const extras: Record<string, string>[] = [{}, { 'dataset.json': '{"labels": null}' }, { 'dataset.json': '{}' }];
    for (const extra of extras) {
      const source = await zipSource(await zipOf({ 'ünï.png': 'A', ...extra }));
      expect(source.entries.map(({ name, label }) => [name, label])).toEqual([['ünï.png', undefined]]);
      await source.close();
    }
  });

  it('says what is wrong with labels', async () => {
    for (const [json, reason] of [
      ['{"labels": [["a.png", 1]', /JSON/],
      ['{"labels": 3}', /must be null or a list/],
      ['{"labels": [["a.png", 0.5]]}', /labels\[0\] must be \[path, class\]/],
      ['{"labels": [["other.png", 0]]}', /no label for "a.png" \(1 of 1 images\)/],
    ] as const) {
      const error = await zipSource(await zipOf({ 'a.png': 'A', 'dataset.json': json })).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toMatch(reason);
      expect(error.message).toContain('dataset.json in zip "');
    }
  });

  it('refuses an archive that is cut short, empty, missing or none', async () => {
    const whole = await readFile(await zipOf({ 'a.png': 'A'.repeat(1000) }));
    const folder = await folderOf({ 'cut.zip': whole.subarray(0, 900), 'empty.zip': '', 'text.zip': 'hello' });
    for (const name of ['cut.zip', 'empty.zip', 'text.zip', 'none.zip']) {
      const error = await zipSource(join(folder, name)).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toContain(name);
      expect(error.message).not.toContain('\n');
    }
  });

  it('notices damage inside an archive', async () => {
    const bytes = await readFile(await zipOf({ 'a.png': 'A'.repeat(1000), 'b.png': 'B' }));
    bytes[500] ^= 1;
    const source = await zipSource(join(await folderOf({ 'x.zip': bytes }), 'x.zip'));
    await expect(source.entries[0].read()).rejects.toThrow('checksum mismatch');
    expect(Buffer.from(await source.entries[1].read()).toString()).toBe('B');
    await source.close();
  });
});

describe('imageKind and reasonOf', () => {
  it('go by the extension', () => {
    expect(imageKind('a/b.c/x.JpEg')?.readable).toBe(true);
    expect(imageKind('a.png/readme')).toBeUndefined();
    expect(imageKind('photo.heif')?.reason).toContain('HEIF is not supported');
  });

  it('make one line of many', () => {
    const error = new Error('source: bad seek to 1\nheif: Invalid input\n (2.100)\nheif: Invalid input\n');
    expect(reasonOf(error)).toBe('heif: Invalid input; (2.100)');
    expect(reasonOf(new Error('Input buffer contains unsupported image format'))).toBe('unsupported image format');
    expect(reasonOf('x'.repeat(999))).toHaveLength(200);
  });
});
