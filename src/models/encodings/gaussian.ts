import { z } from 'zod';
import { Random } from '../../random.ts';
import { defineEncoding } from './encoding.ts';
import { fourierFeatures } from './fourierFeatures.ts';

/** Random frequencies, B ~ N(0, σ²) (Tancik et al. 2020, §5: "Gaussian"). */
export const gaussian = defineEncoding({
  keys: {
    frequencies: z.int().positive().default(256).describe('number of random frequencies; features are twice as many'),
    sigma: z.number().positive().default(10).describe('standard deviation of the frequencies, in cycles per image'),
  },
  make({ frequencies, sigma }, seed) {
    const draws = new Random(seed, 'encoding').normals(2 * frequencies, sigma);
    return fourierFeatures(Float64Array.from(draws));
  },
});
