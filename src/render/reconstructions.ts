/** Drawings of images through the model, and what they should look like. */
import { spreadEvenly } from '../data/decodeSet.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { fullView } from '../grid.ts';
import { meanSquaredError, psnrOfMse } from '../metrics/psnr.ts';
import { withFields } from './drawableField.ts';
import { imageFields, latentFields, latentSpaceOf, type Model } from './model.ts';
import { renderImages } from './render.ts';

/** Images drawn in one go; bounds memory at large sizes. */
const PIXELS_AT_ONCE = 2 ** 20;

/** What reconstructions should look like: some images at some size. */
export interface Reference {
  width: number;
  height: number;
  /** Indices of training images; or, with `latents`, of these. */
  images: readonly number[];
  /** Of images that were not trained on, [N,D]. */
  latents?: Float32Array;
  /** The image at a position of `images`, [height, width, 3] uint8. */
  pixels(position: number): Uint8Array;
}

/** Some of an image set's images, as what reconstructions are compared with. */
export function referenceOf(images: ImageSet, indices: readonly number[]): Reference {
  const size = images.width * images.height * 3;
  return {
    width: images.width,
    height: images.height,
    images: indices,
    pixels: (position) => images.pixels.subarray(indices[position] * size, (indices[position] + 1) * size),
  };
}

/** At most `wanted` of the indices 0…count−1, evenly spread. */
export function spreadIndices(count: number, wanted: number): number[] {
  return spreadEvenly([...Array(count).keys()], wanted);
}

/** Draws the reference's images, one after the other. */
export async function* reconstructions(model: Model, reference: Reference): AsyncGenerator<Uint8Array> {
  const { width, height, images, latents } = reference;
  const rows = (chosen: readonly number[]) => {
    const { size } = latentSpaceOf(model);
    return Float32Array.from({ length: chosen.length * size }, (_, i) => {
      return (latents as Float32Array)[chosen[Math.floor(i / size)] * size + (i % size)];
    });
  };
  const batch = Math.max(1, Math.min(32, Math.floor(PIXELS_AT_ONCE / (width * height))));
  for (let first = 0; first < images.length; first += batch) {
    const chosen = images.slice(first, first + batch);
    const fields = latents ? latentFields(model, rows(chosen)) : imageFields(model, chosen);
    yield* await withFields(fields, (field) => renderImages(field, fullView(width, height)));
  }
}

/** PSNR of each image's 8-bit reconstruction, in dB. */
export async function reconstructionPsnrs(model: Model, reference: Reference): Promise<number[]> {
  const psnrs: number[] = [];
  for await (const drawn of reconstructions(model, reference)) {
    psnrs.push(psnrOfMse(meanSquaredError(toUnitRange(reference.pixels(psnrs.length)), toUnitRange(drawn))));
  }
  return psnrs;
}

/** uint8 to [0,1]. */
export function toUnitRange(pixels: Uint8Array): Float32Array {
  return Float32Array.from(pixels, (value) => value / 255);
}
