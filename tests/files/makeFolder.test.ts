import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunError } from '../../src/errors.ts';
import { makeFolder } from '../../src/files/makeFolder.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-folder-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('making a folder', () => {
  it('makes those above it too, many at once, and leaves what is there', async () => {
    const path = join(folder, 'a', 'b', 'c');
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(path)));
    await makeFolder(path);
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it('fails where a file is in the way', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(makeFolder(file)).rejects.toThrow(/EEXIST/);
    await expect(makeFolder(join(file, 'below', 'it'))).rejects.toThrow(/ENOTDIR/);
  });

  it.runIf(existsSync('/proc/self'))('does not try for ever where nothing can be made', async () => {
    const made = makeFolder('/proc/nothing/here');
    await expect(made).rejects.toThrow(RunError);
    await expect(made).rejects.toThrow('/proc holds no new folders');
  });
});
