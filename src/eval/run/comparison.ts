/** Training images, their reconstructions and what differs, side by side on one sheet. */
import type { ImageSet } from '../../data/imageSet.ts';
import { contactSheet, enlarge, type RgbImage } from '../../render/contactSheet.ts';
import type { Model } from '../../render/model.ts';
import { reconstructions, referenceOf, spread } from '../../render/reconstructions.ts';

const COLUMNS = 12;
/** Differences are small: they are shown this many times as large, around middle grey. */
export const DIFFERENCE_GAIN = 4;

/** Three rows: originals, reconstructions, and 128 + 4·(reconstruction − original). */
export async function comparisonSheet(model: Model, images: ImageSet): Promise<RgbImage> {
  const shown = referenceOf(images, spread(images.count, COLUMNS));
  const originals = shown.images.map((_, position) => shown.pixels(position));
  const drawn: Uint8Array[] = [];
  for await (const image of reconstructions(model, shown)) drawn.push(image);
  const differences = drawn.map((image, i) => {
    const shade = (value: number, at: number) => 128 + DIFFERENCE_GAIN * (value - originals[i][at]);
    return Uint8Array.from(Uint8ClampedArray.from(image, shade));
  });
  const rows = [...originals, ...drawn, ...differences];
  const sheet = contactSheet(rows, images.width, images.height, { columns: originals.length });
  return enlarge(sheet.pixels, sheet.width, sheet.height, Math.max(1, Math.floor(768 / sheet.width)));
}
