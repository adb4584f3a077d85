/**
 * The energy above which ratios over a band's energy mean something: rounding leaves some energy in every band, signal
 * or not.
 */
import { MEASURABLE } from './spectralDistance.ts';

/** Energy below this fraction of the total is what rounding leaves of zero in a float64 DFT. */
export const ROUNDING_ENERGY = 1e-28;

/**
 * Noise of images that fields draw in 32-bit floats: power in each mode as a fraction of the mean over all modes. Two
 * engines differ by 10⁻¹⁴ of it, in the lowest octave by 10⁻¹².
 */
const DRAWING_NOISE = 1e-13;

/**
 * Least energy of each band: above what the DFT leaves of zero, and 10 times above rounding of the values themselves.
 *
 * @param energies of the bands, sums over their modes in any unit.
 * @param modes that were summed over, of each band.
 * @param rounding in each mode, in the unit of the energies (of 8-bit images with an orthonormal DFT, `ROUNDING_POWER`);
 *   or `drawn`, of images drawn by a field and neither clamped nor quantised.
 */
export function leastEnergies(
  energies: ArrayLike<number>,
  modes: ArrayLike<number>,
  rounding: number | 'drawn' = 0,
): Float64Array {
  const total = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0);
  const energy = total(energies);
  const each = rounding === 'drawn' ? (DRAWING_NOISE * energy) / total(modes) : rounding;
  return Float64Array.from(modes, (count) => Math.max(ROUNDING_ENERGY * energy, MEASURABLE * each * count));
}
