import { z } from 'zod';
import { defineEncoding } from './encoding.ts';
import { fourierFeatures } from './fourierFeatures.ts';

/** B = 2^linspace(0, S, n) − 1 on each axis, as in the notebook of Tancik et al. 2020 (2d_image_regression, `posenc`). */
export const positional = defineEncoding({
  keys: {
    frequencies: z.int().positive().default(128).describe('frequencies per axis'),
    maxLog2: z
      .number()
      .positive()
      .default(6)
      .describe('log2 of the highest frequency (Tancik et al. 2020: 6 for photos, 5 for text)'),
  },
  make({ frequencies, maxLog2 }) {
    const ladder = Array.from(
      { length: frequencies },
      (_, i) => 2 ** ((maxLog2 * i) / Math.max(1, frequencies - 1)) - 1,
    );
    return fourierFeatures(Float64Array.from(ladder.flatMap((f) => [f, 0, 0, f])));
  },
});
