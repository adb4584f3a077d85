import { z } from 'zod';
import { pixelCentres } from '../../grid.ts';
import type { GridPixels } from '../../ops/gridFeatures.ts';
import { type Tensor2D, tf } from '../../tf.ts';
import { defineEncoding } from './encoding.ts';
import { tensorOf, writeFeatures } from './fourierFeatures.ts';

/** The coordinates themselves. */
export const none = defineEncoding({
  keys: {
    range: z
      .enum(['unit', 'signed'])
      .default('signed')
      .describe('coordinates in [0,1] (Tancik et al. 2020) or [-1,1] (Sitzmann et al. 2020)'),
  },
  make({ range }) {
    const [scale, offset] = range === 'unit' ? [1, 0] : [2, -1];
    return {
      features: 2,
      points: (coordinates) => tf.tidy(() => tf.add(tf.mul(coordinates, scale), offset)) as Tensor2D,
      grid({ window: [x0, y0, x1, y1], width, height }) {
        const [xs, ys] = [pixelCentres(x0, x1, width), pixelCentres(y0, y1, height)];
        const write = (features: Float32Array, at: number, row: number, column: number) => {
          features[at] = scale * xs[column] + offset;
          features[at + 1] = scale * ys[row] + offset;
        };
        const values = (pixels: GridPixels) => writeFeatures(write, pixels, width, 2);
        return { values, tensor: (pixels) => tensorOf(values(pixels), 2) };
      },
    };
  },
});
