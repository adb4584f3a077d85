import { defineEncoding } from './encoding.ts';
import { fourierFeatures } from './fourierFeatures.ts';

/** One wave a coordinate, a cycle per image (Tancik et al. 2020, §5: "basic"). */
export const basic = defineEncoding({ keys: {}, make: () => fourierFeatures(Float64Array.of(1, 0, 0, 1)) });
