/** Sizes of images on disk as they are, for whoever must not resize them. */
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import sharp from 'sharp';
import { UsageError } from '../errors.ts';
import type { Size } from './placement.ts';
import { READABLE_FORMATS, reasonOf } from './source.ts';
import { folderSource } from './sources/folder.ts';

export interface NamedSize extends Size {
  name: string;
}

/**
 * Upright sizes of a folder's images, read from their headers; files that can't be read are passed over.
 *
 * @param option what named the folder, for messages: `--reference`.
 * @throws UsageError where the folder can't be read or holds no image.
 */
export async function imageSizes(path: string, option: string): Promise<NamedSize[]> {
  const source = await folderSource(path).catch((error: unknown) => {
    const { cause } = error as Error;
    throw cause ? new UsageError(`${option} ${path}: ${reasonOf(cause)}`) : error;
  });
  try {
    const parallel = pLimit(availableParallelism());
    const sizes = await parallel.map(source.entries, async (entry) => {
      try {
        const { autoOrient } = await sharp(await entry.read()).metadata();
        return { name: entry.name, width: autoOrient.width, height: autoOrient.height };
      } catch {
        return undefined;
      }
    });
    const found = sizes.filter((size) => size !== undefined);
    if (found.length === 0) throw new UsageError(`${option} ${path} holds no readable image (${READABLE_FORMATS})`);
    return found;
  } finally {
    await source.close();
  }
}

/** The size that all have. @throws UsageError naming two that differ. */
export function commonSize([first, ...others]: readonly NamedSize[], option: string): Size {
  const other = others.find(({ width, height }) => width !== first.width || height !== first.height);
  if (other) {
    const text = ({ name, width, height }: NamedSize) => `${name} is ${width}x${height}`;
    throw new UsageError(`${option}: ${text(first)}, ${text(other)}; bring all to one size with --size`);
  }
  return first;
}
