/** Images made smaller by averaging: each small pixel is the mean of the area that it covers. */
import type { ImageSet } from './imageSet.ts';

/** The part of each of `length` source pixels in each of `reduced` target pixels, as [first, weights…] a target pixel. */
function shares(length: number, reduced: number): { first: number; weights: number[] }[] {
  const ratio = length / reduced;
  return Array.from({ length: reduced }, (_, i) => {
    const [start, end] = [i * ratio, (i + 1) * ratio];
    const first = Math.floor(start);
    const last = Math.min(length, Math.ceil(end - 1e-9));
    const weights = Array.from({ length: last - first }, (_, k) => {
      return (Math.min(end, first + k + 1) - Math.max(start, first + k)) / ratio;
    });
    return { first, weights };
  });
}

/**
 * Some images of a set, sRGB-encoded in [0,1], averaged over areas to width × height.
 *
 * @returns [images, height, width, 3].
 * @throws RangeError where that would enlarge them.
 */
export function areaReduce(
  set: Pick<ImageSet, 'width' | 'height' | 'pixels'>,
  images: ArrayLike<number>,
  { width, height }: { width: number; height: number },
): Float32Array {
  if (width > set.width || height > set.height) {
    throw new RangeError(`${set.width}×${set.height} pixels can't be reduced to ${width}×${height}`);
  }
  const [columns, rows] = [shares(set.width, width), shares(set.height, height)];
  const reduced = new Float32Array(images.length * width * height * 3);
  const line = new Float64Array(set.width * 3); // a row of the small image, not yet reduced along x
  for (let i = 0, at = 0; i < images.length; i++) {
    const start = images[i] * set.width * set.height * 3;
    for (const row of rows) {
      line.fill(0);
      row.weights.forEach((weight, k) => {
        const from = start + (row.first + k) * set.width * 3;
        for (let x = 0; x < line.length; x++) line[x] += (weight / 255) * set.pixels[from + x];
      });
      for (const column of columns) {
        for (let channel = 0; channel < 3; channel++, at++) {
          column.weights.forEach((weight, k) => {
            reduced[at] += weight * line[(column.first + k) * 3 + channel];
          });
        }
      }
    }
  }
  return reduced;
}
