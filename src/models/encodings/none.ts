import { z } from 'zod';
import { pixelCentres } from '../../grid.ts';
import type { GridPixels } from '../../ops/gridFeatures.ts';
import { type Tensor2D, tf } from '../../tf.ts';
import { defineEncoding, type Encoding } from './encoding.ts';
import { type FeatureWriter, tensorOf, writeFeatures } from './fourierFeatures.ts';

/** The coordinates themselves. */
export const none = defineEncoding({
  keys: {
    range: z
      .enum(['unit', 'signed'])
      .default('signed')
      .describe('coordinates in [0,1] (Tancik et al. 2020) or [-1,1] (Sitzmann et al. 2020)'),
  },
  make: ({ range }) => (range === 'unit' ? scaledCoordinates(1, 0) : scaledCoordinates(2, -1)),
});

/** scale·(x, y) + offset */
export function scaledCoordinates(scale: number, offset: number): Encoding {
  return {
    features: 2,
    points: (coordinates) => tf.tidy(() => tf.add(tf.mul(coordinates, scale), offset)) as Tensor2D,
    grid({ window: [x0, y0, x1, y1], width, height }) {
      const [xs, ys] = [pixelCentres(x0, x1, width), pixelCentres(y0, y1, height)];
      const write: FeatureWriter = (features, at, row, column) => {
        features[at] = scale * xs[column] + offset;
        features[at + 1] = scale * ys[row] + offset;
      };
      const values = (pixels: GridPixels) => writeFeatures(write, pixels, width, 2);
      return { values, tensor: (pixels) => tensorOf(values(pixels), 2) };
    },
  };
}
