/** Pictures of what differs between two images, one per band. */
import type { ImageSet } from '../../data/imageSet.ts';
import { planeSpectra } from '../../metrics/noiseResponse.ts';
import { octavePartition } from '../../metrics/signal/bands.ts';
import { inverseFft2 } from '../../metrics/signal/fft.ts';
import { pngOf } from '../../render/png.ts';
import { reconstructions, referenceOf, spreadIndices, toUnitRange } from '../../render/reconstructions.ts';
import type { OpenedModel } from '../../run/openModel.ts';
import type { DifferencesData, LabelledPicture } from './data.ts';

/** Octaves shown, from the highest down, and the corner. */
const OCTAVES = 4;
/** Reconstructions shown in a report. */
const IMAGES = 4;
/** By how much differences of reconstructions are magnified. */
const MAGNIFICATION = 4;

interface Size {
  width: number;
  height: number;
}

/**
 * ½ + magnification · Π_b(image − truth) of the highest octaves and the corner, ascending. Images are [H,W,3] in [0,1].
 */
export function bandDifferences(
  image: Float32Array,
  truth: Float32Array,
  { width, height }: Size,
  magnification: number,
): { label: string; values: Float32Array }[] {
  const { bands, membership } = octavePartition(width, height);
  const shown = [...bands.keys()].filter((b) => bands[b].kind === 'octave').slice(-OCTAVES);
  shown.push(...[...bands.keys()].filter((b) => bands[b].kind === 'corner'));
  const difference = image.map((value, i) => value - truth[i]);
  const spectra = planeSpectra(difference, { width, height, channels: 3 });
  return shown.map((band) => {
    const inBand = (part: Float64Array) => part.map((value, k) => (membership[k] === band ? value : 0));
    const planes = spectra.map(({ re, im }) => inverseFft2({ re: inBand(re), im: inBand(im) }, width, height));
    return {
      label: bands[band].name.replace('-', '–'),
      values: Float32Array.from(image, (_, i) => 0.5 + magnification * planes[i % 3][Math.floor(i / 3)]),
    };
  });
}

/** An image [H,W,3] of values in [0,1], clipped to that. */
export async function labelledPicture(label: string, values: Float32Array, size: Size): Promise<LabelledPicture> {
  const pixels = Uint8Array.from(values, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
  return { label, png: await pngOf({ width: size.width, height: size.height, pixels }) };
}

/** Some training images beside their 8-bit reconstructions and the differences in each band. */
export async function reconstructionDifferences(model: OpenedModel, images: ImageSet): Promise<DifferencesData> {
  const shown = referenceOf(images, spreadIndices(images.count, IMAGES));
  const rows: DifferencesData['images'][number][] = [];
  for await (const drawn of reconstructions(model, shown)) {
    const [image, truth] = [toUnitRange(drawn), toUnitRange(shown.pixels(rows.length))];
    const pictures = [
      { label: 'original', values: truth },
      { label: 'drawn', values: image },
      ...bandDifferences(image, truth, images, MAGNIFICATION),
    ].map(({ label, values }) => labelledPicture(label, values, images));
    rows.push({ name: images.names[shown.images[rows.length]], pictures: await Promise.all(pictures) });
  }
  return { magnification: MAGNIFICATION, images: rows };
}
