import { chmodSync, createWriteStream, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import sharp, { type Sharp } from 'sharp';
import { onTestFinished } from 'vitest';
import { ZipFile } from 'yazl';
import { experimentSchema } from '../../src/config/schema.ts';
import type { DataConfig } from '../../src/data/schema.ts';
import { Random } from '../../src/random.ts';

/** A folder that goes when the test ends; readable by everyone. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'chladni-data-')));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files (with their folders) and returns the folder. */
export async function folderOf(files: Record<string, Uint8Array | string>): Promise<string> {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

/** Writes an archive of uncompressed files. */
export async function zipOf(files: Record<string, Uint8Array | string>): Promise<string> {
  const path = join(temporaryFolder(), 'images.zip');
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name, { compress: false });
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

/** A complete data config; the cache lies in a folder of its own. */
export function dataConfig(changes: Partial<DataConfig>): DataConfig {
  const data = experimentSchema().parse({ data: { source: 'photo' } }).data;
  return { ...data, cache: changes.cache ?? temporaryFolder(), ...changes };
}

/** An image whose pixels are `colour(x, y)`. */
export function painted(width: number, height: number, colour: (x: number, y: number) => readonly number[]): Sharp {
  const pixels = Array.from({ length: width * height }, (_, i) => colour(i % width, Math.floor(i / width)));
  const channels = pixels[0].length as 1 | 2 | 3 | 4;
  return sharp(Buffer.from(pixels.flat()), { raw: { width, height, channels } });
}

/** One colour all over. */
export function plain(colour: readonly number[], width = 8, height = 8): Sharp {
  return painted(width, height, () => colour);
}

/** White noise: compresses badly, so a part cut off holds pixels. */
export function noise(width: number, height: number): Sharp {
  const random = new Random(0, 'synthetic');
  return painted(width, height, () => [random.integer(256), random.integer(256), random.integer(256)]);
}

/** Runs without the rights of root, who could read and write everything. */
export async function withoutRights<T>(action: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid!(65534);
  try {
    return await action();
  } finally {
    if (isRoot) process.seteuid!(0);
  }
}
