/** Many entries of a source to one array of pixels, a few files in memory at a time. */
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import { RunError, UsageError } from '../errors.ts';
import { decodeImage, type Transform } from './decodeImage.ts';
import type { ImageSet, SkippedFile } from './imageSet.ts';
import { compareNames, type ImageSource, READABLE_FORMATS, reasonOf, type SourceEntry } from './source.ts';

export type Progress = (done: number, total: number) => void;

export interface DecodedSet {
  set: Omit<ImageSet, 'digest'>;
  /** Whether the same files would give the same set again: not when one couldn't even be read from the disk. */
  repeatable: boolean;
}

/** `count` of the items, evenly spread, the first one included; all of them when there are no more. */
export function spreadEvenly<T>(items: readonly T[], count: number): T[] {
  if (count >= items.length) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]);
}

/** Means of blocks of 2 × 2 pixels. // [2·height, 2·width, 3] → [height, width, 3] */
export function halve(pixels: Uint8Array, width: number, height: number): Uint8Array {
  const row = 6 * width;
  const halved = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let from = 2 * y * row + 6 * x, end = from + 3; from < end; from++, at++) {
        const sum = pixels[from] + pixels[from + 3] + pixels[from + row] + pixels[from + row + 3];
        halved[at] = (sum + 2) >> 2;
      }
    }
  }
  return halved;
}

/** Pixels of images of one size, filled in any order. */
class Slots {
  readonly pixels: Uint8Array;
  private readonly imageBytes: number;

  constructor(
    readonly count: number,
    readonly transform: Transform,
    private readonly artSide?: number,
  ) {
    const width = transform.width * transform.scale;
    const height = transform.height * transform.scale;
    this.imageBytes = width * height * 3;
    try {
      this.pixels = new Uint8Array(count * this.imageBytes);
    } catch {
      const gigabytes = ((count * this.imageBytes) / 2 ** 30).toFixed(1);
      throw new UsageError(
        `${count} images of ${width}×${height} take ${gigabytes} GiB; set data.limit, or a smaller data.size`,
      );
    }
  }

  /** Decodes an entry into a slot; returns its native scale at scale 1, or why the slot is still empty. */
  async fill(slot: number, entry: SourceEntry): Promise<number | (SkippedFile & { atRead: boolean })> {
    let bytes: Uint8Array;
    try {
      bytes = await entry.read();
    } catch (error) {
      return { name: entry.name, reason: reasonOf(error), atRead: true };
    }
    try {
      const { width, height, scale } = this.transform;
      const isArt = this.artSide !== undefined;
      const drawn = { ...this.transform, scale: isArt ? 2 * scale : scale };
      const { pixels, nativeScale } = await decodeImage(bytes, drawn, this.artSide);
      const wanted = isArt ? halve(pixels, width * scale, height * scale) : pixels;
      this.pixels.set(wanted, slot * this.imageBytes);
      return nativeScale;
    } catch (error) {
      return { name: entry.name, reason: reasonOf(error), atRead: false };
    }
  }

  /** The slots' pixels in the given order. */
  pixelsInOrder(slots: readonly number[]): Uint8Array {
    if (slots.every((slot, i) => slot === i)) return this.pixels.subarray(0, slots.length * this.imageBytes);
    const ordered = new Uint8Array(slots.length * this.imageBytes);
    slots.forEach((slot, i) => {
      ordered.set(this.pixels.subarray(slot * this.imageBytes, (slot + 1) * this.imageBytes), i * this.imageBytes);
    });
    return ordered;
  }
}

/** What the loader knows of a set besides its pixels. */
function describe(source: ImageSource, entries: readonly SourceEntry[], { width, height, scale }: Transform) {
  const labelled = entries[0].label !== undefined;
  return {
    count: entries.length,
    width: width * scale,
    height: height * scale,
    names: entries.map(({ name }) => name),
    ...(labelled && { labels: entries.map(({ label }) => label!) }),
    ...(source.classes && { classes: source.classes }),
    ...(source.attributes && {
      attributes: { ...source.attributes, ofImages: Uint8Array.from(entries.flatMap((entry) => entry.attributes!)) },
    }),
  };
}

/**
 * Decodes up to `limit` entries, spread evenly over the list. The place of one that can't be read goes to another that has
 * not been tried, again spread evenly, so the choice depends on nothing but the files.
 * @throws UsageError when not one can be read
 */
export async function decodeSelection(
  source: ImageSource,
  transform: Transform,
  limit = Infinity,
  onProgress?: Progress,
): Promise<DecodedSet> {
  const { entries } = source;
  const slots = new Slots(Math.min(limit, entries.length), transform, source.artSide);
  const parallel = pLimit(availableParallelism());
  const slotOf = new Map<number, number>(); // index in the list → slot
  const skipped = [...source.skipped];
  let untried = entries.map((_, index) => index);
  let nativeScale = Infinity;
  let repeatable = true;

  while (slotOf.size < slots.count && untried.length > 0) {
    const taken = new Set(slotOf.values());
    const free = Array.from({ length: slots.count }, (_, slot) => slot).filter((slot) => !taken.has(slot));
    const round = spreadEvenly(untried, free.length);
    const decode = async (index: number, slot: number) => {
      const result = await slots.fill(slot, entries[index]);
      if (typeof result !== 'number') return result;
      slotOf.set(index, slot);
      nativeScale = Math.min(nativeScale, result);
      onProgress?.(slotOf.size, slots.count);
      return undefined;
    };
    const failed: { index: number; slot: number }[] = [];
    await parallel.map(round, async (index, i) => {
      if (await decode(index, free[i])) failed.push({ index, slot: free[i] });
    });
    // libvips keeps one error text for all threads: only a file that is decoded alone is sure to get its own.
    for (const { index, slot } of failed) {
      const failure = await decode(index, slot);
      if (failure === undefined) continue;
      skipped.push({ name: failure.name, reason: failure.reason });
      repeatable &&= !failure.atRead;
    }
    const tried = new Set(round);
    untried = untried.filter((index) => !tried.has(index));
  }

  skipped.sort((a, b) => compareNames(a.name, b.name));
  if (slotOf.size === 0) throw noImagesError(source.title, skipped);
  const chosen = [...slotOf.keys()].sort((a, b) => a - b);
  const set = {
    ...describe(
      source,
      chosen.map((index) => entries[index]),
      transform,
    ),
    pixels: slots.pixelsInOrder(chosen.map((index) => slotOf.get(index)!)),
    skipped,
    nativeScale: nativeScale / transform.scale,
  };
  return { set, repeatable };
}

function noImagesError(title: string, skipped: readonly SkippedFile[]): UsageError {
  const remedy = `put images there (${READABLE_FORMATS}) or change data.path`;
  if (skipped.length === 0) return new UsageError(`no image in ${title}: ${remedy}`);
  const first = skipped.slice(0, 3).map(({ name, reason }) => `${name} (${reason})`);
  const more = skipped.length > 3 ? ', …' : '';
  return new UsageError(
    `no readable image in ${title}: skipped ${skipped.length}, ${first.join(', ')}${more}; ${remedy}`,
  );
}

/**
 * Decodes exactly the named entries, in that order.
 * @throws RunError when one can't be read
 */
export async function decodeByName(
  source: ImageSource,
  names: readonly string[],
  transform: Transform,
  onProgress?: Progress,
): Promise<DecodedSet> {
  const byName = new Map(source.entries.map((entry) => [entry.name, entry]));
  const entries = names.map((name) => byName.get(name)!);
  const slots = new Slots(entries.length, transform, source.artSide);
  const parallel = pLimit(availableParallelism());
  let nativeScale = Infinity;
  let done = 0;
  await parallel.map(entries, async (entry, i) => {
    const result = await slots.fill(i, entry);
    if (typeof result !== 'number') {
      parallel.clearQueue();
      const { scale } = transform;
      throw new RunError(`"${entry.name}" in ${source.title} can't be read at ${scale}× the size: ${result.reason}`);
    }
    nativeScale = Math.min(nativeScale, result);
    onProgress?.(++done, entries.length);
  });
  const set = { ...describe(source, entries, transform), pixels: slots.pixels, skipped: [] };
  return { set: { ...set, nativeScale: nativeScale / transform.scale }, repeatable: true };
}
