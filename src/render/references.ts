/** Which images are shown and compared, and what they should look like. */
import { spreadEvenly } from '../data/decodeImages.ts';
import type { ImageSet } from '../data/imageSet.ts';

/** What reconstructions should look like: some of the model's training images at some size. */
export interface Reference {
  width: number;
  height: number;
  /** Indices of the images within the model. */
  images: readonly number[];
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
export function spread(count: number, wanted: number): number[] {
  return spreadEvenly([...Array(count).keys()], wanted);
}
