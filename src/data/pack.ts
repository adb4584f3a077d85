/**
 * Packed caches: the decoded images of a set as one raw uint8 file [count, height, width, 3] with a JSON header beside it.
 * Packs are named by what they were made from, so a change of source, transform or version makes another one.
 */
import { open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { makeFolder } from '../files/makeFolder.ts';
import type { ImageAttributes, ImageSet } from './imageSet.ts';

/** Packs kept in a cache folder, by last use; a training run needs one and its evaluation a few. */
const KEPT_PACKS = 16;
const PACK_FILE = /^chladni-[\w-]+-[0-9a-f]{16}\.(u8|json)(\..*\.tmp)?$/;
const ABANDONED_AFTER_MS = 24 * 3600 * 1000;
const READ_BYTES = 2 ** 26;

interface PackHeader {
  digest: string;
  /** Checksum of the pixel file. */
  crc32: number;
  set: Omit<ImageSet, 'pixels' | 'nativeScale' | 'attributes'> & {
    nativeScale: number | 'Infinity';
    attributes?: Omit<ImageAttributes, 'ofImages'> & { ofImages: number[] };
  };
}

function packPaths(folder: string, name: string, digest: string): { pixels: string; header: string } {
  const stem = join(folder, `chladni-${name}-${digest.slice(0, 16)}`);
  return { pixels: `${stem}.u8`, header: `${stem}.json` };
}

async function readPixels(path: string, length: number): Promise<Uint8Array | undefined> {
  const file = await open(path);
  try {
    if ((await file.stat()).size !== length) return undefined;
    const pixels = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await file.read(pixels, at, Math.min(READ_BYTES, length - at), at);
      if (bytesRead === 0) return undefined;
      at += bytesRead;
    }
    return pixels;
  } finally {
    await file.close();
  }
}

/** The cached set, or undefined when there is none or it is damaged in any way. */
export async function readPack(folder: string, name: string, digest: string): Promise<ImageSet | undefined> {
  const paths = packPaths(folder, name, digest);
  try {
    const header: PackHeader = JSON.parse(await readFile(paths.header, 'utf8'));
    const { attributes, ...set } = header.set;
    if (header.digest !== digest || set.names.length !== set.count) return undefined;
    const pixels = await readPixels(paths.pixels, set.count * set.height * set.width * 3);
    if (pixels === undefined || crc32(pixels) !== header.crc32) return undefined;
    const now = new Date();
    await utimes(paths.header, now, now).catch(() => undefined);
    return {
      ...set,
      ...(attributes && { attributes: { ...attributes, ofImages: Uint8Array.from(attributes.ofImages) } }),
      pixels,
      nativeScale: Number(set.nativeScale),
    };
  } catch {
    return undefined;
  }
}

/** Writes the pixels, then the header that vouches for them, each atomically. Processes that race write the same bytes. */
export async function writePack(folder: string, name: string, { pixels, attributes, ...set }: ImageSet): Promise<void> {
  await makeFolder(folder);
  const paths = packPaths(folder, name, set.digest);
  const nativeScale = set.nativeScale === Infinity ? 'Infinity' : set.nativeScale;
  const known = attributes && { attributes: { ...attributes, ofImages: [...attributes.ofImages] } };
  const header: PackHeader = { digest: set.digest, crc32: crc32(pixels), set: { ...set, ...known, nativeScale } };
  await writeFileAtomically(paths.pixels, pixels);
  try {
    await writeFileAtomically(paths.header, JSON.stringify(header));
  } catch (error) {
    await rm(paths.pixels, { force: true });
    throw error;
  }
  await removeOldPacks(folder);
}

/** Keeps the packs used last, and clears away what killed processes left half-written. */
async function removeOldPacks(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => PACK_FILE.test(name));
  const ages = await Promise.all(
    names.map(async (name) => {
      const stats = await stat(join(folder, name)).catch(() => undefined);
      return { name, used: stats?.mtimeMs ?? 0 };
    }),
  );
  const packs = ages.filter(({ name }) => name.endsWith('.json')).sort((a, b) => b.used - a.used);
  const old = packs.slice(KEPT_PACKS).flatMap(({ name }) => [name, name.replace(/json$/, 'u8')]);
  const known = new Set(packs.map(({ name }) => name));
  // Half a pack may be one that another process is writing now; after a day it isn't.
  const isOrphan = ({ name }: { name: string }) =>
    name.endsWith('.tmp') || (name.endsWith('.u8') && !known.has(name.replace(/u8$/, 'json')));
  const abandoned = ages.filter((file) => isOrphan(file) && Date.now() - file.used > ABANDONED_AFTER_MS);
  for (const name of [...old, ...abandoned.map(({ name }) => name)]) await rm(join(folder, name), { force: true });
}
