/** The exponent α of a spectrum P ∝ ρ^−α, as natural images have with α ≈ 2.4 (Tolhurst et al. 1992). */
import type { Band, BandPartition } from './bands.ts';
import { MEASURABLE } from './spectralDistance.ts';

/** Rings below hold what the window leaks from their neighbours: a steep spectrum's slope would be too steep there. */
const FIRST_CYCLES_PER_IMAGE = 4;

/** Mean of ln ρ over the modes of each band, ρ in cycles per pixel. */
export function meanLogFrequencies({ width, height, bands, membership }: BandPartition): Float64Array {
  const sums = new Float64Array(bands.length);
  const signedFrequency = (k: number, n: number) => (2 * k > n ? k - n : k) / n;
  for (let k = 0; k < membership.length; k++) {
    const rho = Math.hypot(signedFrequency(k % width, width), signedFrequency(Math.floor(k / width), height));
    sums[membership[k]] += Math.log(rho);
  }
  return sums.map((sum, b) => sum / bands[b].modes);
}

/**
 * Least squares of ln P on the mean ln ρ of rings from 4 cycles per image to ½ cycle per pixel, weighted by their modes:
 * the variance of ln P goes with 1/modes.
 *
 * @param bands rings; others are passed over.
 * @param powers one per band; those that are not well above `rounding` are passed over.
 * @param logFrequencies one per band.
 * @param rounding power of rounding.
 * @returns α; NaN where fewer than two rings can be used.
 */
export function spectralSlope(
  bands: readonly Band[],
  powers: ArrayLike<number>,
  logFrequencies: ArrayLike<number>,
  rounding = 0,
): number {
  let [sw, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
  let used = 0;
  bands.forEach(({ kind, modes, fromCyclesPerImage }, b) => {
    if (kind !== 'ring' || fromCyclesPerImage < FIRST_CYCLES_PER_IMAGE || !(powers[b] > MEASURABLE * rounding)) return;
    const [x, y] = [logFrequencies[b], Math.log(powers[b])];
    sw += modes;
    sx += modes * x;
    sy += modes * y;
    sxx += modes * x * x;
    sxy += modes * x * y;
    used++;
  });
  return used < 2 ? Number.NaN : -(sw * sxy - sx * sy) / (sw * sxx - sx * sx);
}
