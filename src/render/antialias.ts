/** The ways to keep detail finer than a pixel from aliasing. */
import { pixelFootprint, type View } from '../grid.ts';

/**
 * What is done about detail finer than a pixel. All three agree at the training size and above.
 * - `footprint`: each Fourier feature is attenuated by the part of the pixel that the training pixels did not cover.
 *   Costs nothing; exact for a field that is linear in its features, an approximation for a deep one.
 * - `supersample`: the mean of a grid of subpixels, each drawn as `footprint` draws a pixel. Costs nₓ·n_y as much.
 * - `none`: the field at the pixel's centre. Aliases where the view is coarser than the training images.
 */
export type Antialias = 'footprint' | 'supersample' | 'none';

const MAX_AUTOMATIC_SUBPIXELS = 16;
const MAX_SUBPIXELS = 64;

/** Subpixels per pixel along x and y; `given` overrides what `supersample` needs. */
export function subpixelsPerPixel(view: View, training: View, antialias: Antialias, given?: number): [number, number] {
  if (given !== undefined && (antialias !== 'supersample' || !Number.isInteger(given) || given < 1)) {
    throw new RangeError(`subpixels must be a positive integer and need antialias "supersample", got ${given}`);
  }
  if (given !== undefined && given > MAX_SUBPIXELS) {
    throw new RangeError(`subpixels may be ${MAX_SUBPIXELS} at most, got ${given}`);
  }
  if (given !== undefined || antialias !== 'supersample') return [given ?? 1, given ?? 1];
  const [footprint, trainingFootprint] = [pixelFootprint(view), pixelFootprint(training)];
  // Rounding must not turn an exact ratio of 2 into 3 subpixels.
  const subpixelsAlong = (axis: 0 | 1) => Math.max(1, Math.ceil(footprint[axis] / trainingFootprint[axis] - 1e-6));
  return [Math.min(MAX_AUTOMATIC_SUBPIXELS, subpixelsAlong(0)), Math.min(MAX_AUTOMATIC_SUBPIXELS, subpixelsAlong(1))];
}

/**
 * Stores the mean of each pixel's ny×nx subpixels.
 *
 * @param images one per field; the block's first value goes to `at`, and its rows are `stride` values apart.
 * @param colours [B, rows·ny, columns·nx, channels]; bytes, of single subpixels alone, are stored as they are.
 */
export function averageSubpixels(
  images: readonly (Uint8Array | Float32Array)[],
  at: number,
  stride: number,
  store: (colour: number) => number,
  colours: Float32Array | Uint8Array,
  grid: { rows: number; columns: number; nx: number; ny: number; channels: number },
): void {
  const { rows, columns, nx, ny, channels } = grid;
  const fineStride = columns * nx * channels;
  images.forEach((image, index) => {
    const from = index * rows * ny * fineStride;
    for (let row = 0; row < rows; row++) {
      if (nx === 1 && ny === 1) {
        const first = from + row * fineStride;
        if (colours instanceof Uint8Array) image.set(colours.subarray(first, first + fineStride), at + row * stride);
        else for (let i = 0; i < fineStride; i++) image[at + row * stride + i] = store(colours[first + i]);
        continue;
      }
      for (let i = 0; i < columns * channels; i++) {
        const channel = i % channels;
        const first = from + row * ny * fineStride + (i - channel) * nx + channel;
        let sum = 0;
        for (let y = 0; y < ny; y++) {
          for (let x = 0; x < nx; x++) sum += colours[first + y * fineStride + x * channels];
        }
        image[at + row * stride + i] = store(sum / (nx * ny));
      }
    }
  });
}
