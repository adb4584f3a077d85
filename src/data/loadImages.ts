/**
 * Loads the images that `data` in a config names: opens the source, reuses the packed cache or decodes and writes it.
 */
import { createHash } from 'node:crypto';
import { UsageError } from '../errors.ts';
import { DECODER_VERSIONS, type Transform } from './decodeImage.ts';
import { type DecodedSet, decodeByName, decodeSelection, type Progress, spreadEvenly } from './decodeSet.ts';
import type { ImageSet } from './imageSet.ts';
import { readPack, writePack } from './pack.ts';
import { type DataConfig, trainingSize } from './schema.ts';
import { type ImageSource, reasonOf } from './source.ts';
import { SOURCES } from './sources/registry.ts';

export { skippedReport } from './imageSet.ts';

/** Changes whenever the same files would be decoded to other pixels, or packs are laid out differently. */
const FORMAT_VERSION = 1;

/**
 * Which images of a source: those to train on; `data.heldOut` others of the same distribution; as many of combinations of
 * attributes that neither of these has.
 */
export type Part = 'training' | 'heldOut' | 'combinations';

export interface LoadOptions {
  /** What to load; where it isn't said, what is trained on. */
  part?: Part;
  /** Loads the images at this whole multiple of `config.size`, showing exactly the same part of each. */
  scale?: number;
  /** Loads only these, by their index in the set at scale 1, in this order. */
  images?: readonly number[];
  /** Refuse a set of more bytes, before any work is done. */
  mostBytes?: number;
  /** Called for each image that is decoded, so not at all when a pack is reused; counts anew for each scale. */
  onProgress?: Progress;
}

/** The images of one part of a source. @throws UsageError where there are none. */
function partOf(source: ImageSource, { source: kind, heldOut = 0 }: DataConfig, part: Part): ImageSource {
  const { entries, identity, parts, title } = source;
  if (part === 'combinations' && !parts) {
    throw new UsageError(`source "${kind}" leaves no combinations of attributes out of training; source "faces" does`);
  }
  if (part !== 'training' && heldOut === 0) {
    throw new UsageError(`nothing of ${title} is held out of training; set data.heldOut to a number of images`);
  }
  if (parts) return part === 'training' ? source : parts[part](heldOut);
  if (heldOut === 0 || entries.length === 0) return source;
  if (heldOut >= entries.length) {
    throw new UsageError(
      `data.heldOut: ${heldOut} of the ${entries.length} images of ${title} leave none to train on; hold out fewer`,
    );
  }
  const held = new Set(spreadEvenly(entries, heldOut));
  return {
    ...source,
    identity: { whole: identity, heldOut, part },
    entries: entries.filter((entry) => held.has(entry) === (part === 'heldOut')),
  };
}

/** @throws UsageError where so many images of a size are more than `most` bytes, with what to do about it. */
function requireBytes(count: number, { width, height, scale }: Transform, most: number, part: Part): void {
  const imageBytes = width * height * scale ** 2 * 3;
  if (count * imageBytes <= most) return;
  const gigabytes = (bytes: number) => (bytes / 2 ** 30).toFixed(2);
  const key = part === 'training' ? 'data.limit' : 'data.heldOut';
  const fitting = Math.floor(most / imageBytes);
  throw new UsageError(
    `${count} images of ${width * scale}×${height * scale} take ${gigabytes(count * imageBytes)} GiB, and a set can have ${gigabytes(most)}; set ${fitting > 0 ? `${key} to at most ${fitting}, or ` : ''}a smaller data.size`,
  );
}

/** The set made from `key`: from the cache if it is there, else decoded and put there. */
async function loadOrDecode(config: DataConfig, key: unknown, decode: () => Promise<DecodedSet>): Promise<ImageSet> {
  const digest = createHash('sha256').update(JSON.stringify(key)).digest('hex');
  const pack = await readPack(config.cache, config.source, digest);
  if (pack !== undefined) return pack;
  const { set, repeatable } = await decode();
  const complete = { ...set, digest };
  if (repeatable) {
    // The cache only saves time: a full disk or a read-only folder must not stop the run.
    await writePack(config.cache, config.source, complete).catch((error) => {
      process.stderr.write(
        `warning: can't write the image cache in "${config.cache}" (${reasonOf(error)}); set data.cache to another folder\n`,
      );
    });
  }
  return complete;
}

/**
 * Loads the images that a config names, decoded, in sorted order.
 *
 * With `scale` k: the same images, in the same order, at k times the size. What is chosen and skipped is decided at scale 1,
 * so that set is loaded too (from the cache, as a rule).
 *
 * @throws UsageError when the source can't be read, holds no readable image, or has no such part
 * @throws RunError when an image that was read at scale 1 can't be read at the wanted scale
 */
export async function loadImages(config: DataConfig, options: LoadOptions = {}): Promise<ImageSet> {
  const { part = 'training', scale = 1, images, mostBytes = Infinity, onProgress } = options;
  if (!Number.isSafeInteger(scale) || scale < 1) throw new RangeError(`scale must be a positive integer, got ${scale}`);
  const whole = await SOURCES.get(config.source).open(config);
  try {
    const source = partOf(whole, config, part);
    const { fit, background } = config;
    const limit = part === 'training' ? config.limit : undefined;
    const transform: Transform = { ...trainingSize(config), fit, background: background.toLowerCase(), scale: 1 };
    requireBytes(Math.min(limit ?? Infinity, source.entries.length), transform, mostBytes, part);
    const key = { format: FORMAT_VERSION, decoder: DECODER_VERSIONS, source: source.identity, transform, limit };
    const base = await loadOrDecode(config, key, () => decodeSelection(source, transform, limit, onProgress));
    const credit = source.credit === undefined ? {} : { credit: source.credit }; // not in packs: those of before have none
    if (scale === 1 && images === undefined) return { ...base, ...credit };

    const names = (images ?? [...base.names.keys()]).map((index) => {
      const name = base.names[index];
      if (name === undefined) throw new RangeError(`image ${index} of ${base.count}`);
      return name;
    });
    requireBytes(names.length, { ...transform, scale }, mostBytes, part);
    const scaled = await loadOrDecode(config, { base: base.digest, scale, names }, () =>
      decodeByName(source, names, { ...transform, scale }, onProgress),
    );
    return { ...scaled, ...credit, skipped: base.skipped };
  } finally {
    await whole.close();
  }
}
