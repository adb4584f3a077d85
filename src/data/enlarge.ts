/**
 * Enlargement of RGB pixels, pixel centre to pixel centre as in grid.ts: enlarging by libvips (8.18) moves the image by
 * half a pixel of the result, which would put images beside the ground truth they are compared with.
 */
import type { Size } from './placement.ts';

/** Cubic convolution with a = −1/2 (Keys 1981, "Cubic convolution interpolation", eq. 15), also called Catmull–Rom. */
export function cubicKernel(distance: number): number {
  const t = Math.abs(distance);
  if (t < 1) return 1 + t * t * (1.5 * t - 2.5);
  return t < 2 ? 2 + t * (-4 + t * (2.5 - 0.5 * t)) : 0;
}

/**
 * For each of `to` target pixels along an axis: the four of `from` source pixels that it is made of (edges repeated),
 * and their weights. // [to,4] each
 */
function taps(from: number, to: number): { indices: Int32Array; weights: Float64Array } {
  const indices = new Int32Array(to * 4);
  const weights = new Float64Array(to * 4);
  for (let i = 0; i < to; i++) {
    const centre = ((i + 0.5) * from) / to - 0.5;
    for (let tap = 0; tap < 4; tap++) {
      const index = Math.floor(centre) - 1 + tap;
      indices[i * 4 + tap] = Math.min(from - 1, Math.max(0, index));
      weights[i * 4 + tap] = cubicKernel(centre - index);
    }
  }
  return { indices, weights };
}

/** Resizes [height, width, 3] to a size that is nowhere smaller. */
export function enlarge(pixels: Uint8Array, from: Size, to: Size): Uint8Array {
  if (from.width === to.width && from.height === to.height) return pixels;
  const across = taps(from.width, to.width);
  const down = taps(from.height, to.height);
  const wide = new Float32Array(from.height * to.width * 3); // [from.height, to.width, 3]
  for (let y = 0; y < from.height; y++) {
    for (let x = 0; x < to.width; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let tap = x * 4; tap < x * 4 + 4; tap++) {
          sum += across.weights[tap] * pixels[(y * from.width + across.indices[tap]) * 3 + c];
        }
        wide[(y * to.width + x) * 3 + c] = sum;
      }
    }
  }
  const row = to.width * 3;
  const enlarged = new Uint8ClampedArray(to.height * row); // rounds and clamps
  for (let y = 0; y < to.height; y++) {
    const [a, b, c, d] = down.indices.subarray(y * 4, y * 4 + 4).map((index) => index * row);
    const [wa, wb, wc, wd] = down.weights.subarray(y * 4, y * 4 + 4);
    for (let i = 0; i < row; i++) {
      enlarged[y * row + i] = wa * wide[a + i] + wb * wide[b + i] + wc * wide[c + i] + wd * wide[d + i];
    }
  }
  return new Uint8Array(enlarged.buffer);
}
