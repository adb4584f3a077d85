/** Images of known spectrum: Gaussian random fields whose power falls as ρ^−α. */

import { fft2, inverseFft2 } from '../../../metrics/signal/fft.ts';
import type { Random } from '../../../random.ts';

/**
 * A periodic random field of power P(ρ) ∝ ρ^−α, of zero mean and the given standard deviation, [height,width].
 * Natural photographs have α between 2 and 3 (Tolhurst et al. 1992).
 */
export function powerLawField(
  width: number,
  height: number,
  exponent: number,
  random: Random,
  standardDeviation = 1,
): Float64Array {
  const noise = fft2(
    Float64Array.from({ length: width * height }, () => random.normal()),
    width,
    height,
  );
  for (let ky = 0, k = 0; ky < height; ky++) {
    for (let kx = 0; kx < width; kx++, k++) {
      const frequency = Math.hypot(Math.min(kx, width - kx) / width, Math.min(ky, height - ky) / height);
      const amplitude = frequency === 0 ? 0 : frequency ** (-exponent / 2);
      noise.re[k] *= amplitude;
      noise.im[k] *= amplitude;
    }
  }
  const field = inverseFft2(noise, width, height);
  const scale = standardDeviation / Math.sqrt(field.reduce((sum, value) => sum + value * value, 0) / field.length);
  return field.map((value) => value * scale);
}
