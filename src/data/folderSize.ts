/** The size that images on disk have in common, for whoever must not resize them. */
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import sharp from 'sharp';
import { UsageError } from '../errors.ts';
import type { Size } from './placement.ts';
import { READABLE_FORMATS } from './source.ts';
import { folderSource } from './sources/folder.ts';

/**
 * Upright sizes of a folder's images, read from their headers; files that can't be read are passed over.
 *
 * @throws UsageError where there is no image, or not all have one size.
 */
export async function commonSize(path: string): Promise<Size> {
  const source = await folderSource(path);
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
    const [first, ...others] = sizes.filter((size) => size !== undefined);
    if (!first) throw new UsageError(`no readable image in ${source.title}: put images there (${READABLE_FORMATS})`);
    const other = others.find(({ width, height }) => width !== first.width || height !== first.height);
    if (other) {
      const text = ({ name, width, height }: typeof first) => `${name} is ${width}x${height}`;
      throw new UsageError(`${source.title}: ${text(first)}, ${text(other)}; bring all to one size with --size`);
    }
    return { width: first.width, height: first.height };
  } finally {
    await source.close();
  }
}
