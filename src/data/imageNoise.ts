/** White Gaussian noise on training images: a function of (seed, image), so that it can be made again to be measured. */

import { UsageError } from '../errors.ts';
import { Random } from '../random.ts';
import type { ImageSet } from './imageSet.ts';

type Shape = Pick<ImageSet, 'count' | 'width' | 'height'>;

/** The noise of one image, [H,W,3]. It is added to colours in [0,1] and not clipped. */
export function noiseOfImage(seed: number, image: number, standardDeviation: number, length: number): Float32Array {
  return new Random(seed, 'imageNoise', image).normals(length, standardDeviation);
}

/** The noise of all images, [count,H,W,3]: drawn once, because a step that drew it anew would do little else.
 *
 * @throws UsageError where it doesn't fit into memory. */
export function noiseOfImages(seed: number, standardDeviation: number, { count, width, height }: Shape): Float32Array {
  const length = width * height * 3;
  let noise: Float32Array;
  try {
    noise = new Float32Array(count * length);
  } catch {
    const gigabytes = ((4 * count * length) / 2 ** 30).toFixed(1);
    throw new UsageError(
      `data.noise: noise for ${count} images takes ${gigabytes} GiB; set data.limit, or a smaller data.size`,
    );
  }
  for (let image = 0; image < count; image++) {
    noise.set(noiseOfImage(seed, image, standardDeviation, length), image * length);
  }
  return noise;
}

/** Adds the noise of the given pixels of the given images to their colours [B,P,3], in place. */
export function addImageNoise(
  targets: Float32Array,
  noise: Float32Array,
  images: Int32Array,
  points: Int32Array,
  { width, height }: Shape,
): void {
  let at = 0;
  for (const image of images) {
    const start = image * width * height * 3;
    for (const point of points) {
      for (let channel = 0; channel < 3; channel++, at++) targets[at] += noise[start + point * 3 + channel];
    }
  }
}
