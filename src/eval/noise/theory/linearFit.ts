/**
 * Least squares by gradient descent with a fixed kernel, where everything about noise has a closed form.
 *
 * A field that is linear in features a_k cos 2πkx, a_k sin 2πkx, sampled at N equidistant points of the period, has a
 * circulant kernel: Fourier modes are its eigenvectors, and t steps of rate η on ½‖f−y‖² from zero draw the fraction
 * g_k(t) = 1 − (1−ηλ_k)^t of mode k, of signal and of noise alike.
 */
import { leastEnergies } from '../../../metrics/signal/leastEnergy.ts';

/** How a band of a linear fit answers signal and noise. */
export interface FilterResponse {
  /** T: the |S|²-weighted mean of the gains. NaN where the signal has no energy in the band but rounding. */
  transfer: number;
  /** C: the mean gain, the fraction of the noise that is copied. */
  copy: number;
  /** G: the mean squared gain, noise energy of the fit over noise energy of the data. */
  gain: number;
}

/**
 * Eigenvalues λ_k of the kernel on N points, laid out like a DFT: N·a_k²/2, and N·a_k² for the mean and for the Nyquist
 * frequency, which have a cosine only.
 *
 * @param amplitudes a_0 … a_⌊N/2⌋.
 */
export function gridEigenvalues(amplitudes: ArrayLike<number>, points: number): Float64Array {
  return Float64Array.from({ length: points }, (_, mode) => {
    const k = Math.min(mode, points - mode);
    const alone = k === 0 || 2 * k === points;
    return points * amplitudes[k] ** 2 * (alone ? 1 : 0.5);
  });
}

/** g(t) = 1 − (1−r)^t, r = ηλ. Diverges for r > 2, as gradient descent does. */
export function descentGain(rate: number, steps: number): number {
  // Small rates keep their digits.
  return rate < 1 ? -Math.expm1(steps * Math.log1p(-rate)) : 1 - (1 - rate) ** steps;
}

/** Gradient flow, the limit of small steps: g = 1 − e^(−ηλt). */
export function flowGain(rateTime: number): number {
  return -Math.expm1(-rateTime);
}

/**
 * T, C and G of a filter that multiplies mode k by `gains[k]`, per band.
 *
 * @param power |S_k|² of the signal, in any unit.
 * @param membership band of each mode.
 * @param rounding power of rounding in each mode, in the unit of `power`.
 */
export function filterResponse(
  gains: ArrayLike<number>,
  power: ArrayLike<number>,
  membership: ArrayLike<number>,
  bands: number,
  rounding = 0,
): FilterResponse[] {
  const zeros = () => new Float64Array(bands);
  const [modes, energy, passed, sum, squares] = [zeros(), zeros(), zeros(), zeros(), zeros()];
  for (let k = 0; k < membership.length; k++) {
    const b = membership[k];
    modes[b]++;
    energy[b] += power[k];
    passed[b] += power[k] * gains[k];
    sum[b] += gains[k];
    squares[b] += gains[k] ** 2;
  }
  const least = leastEnergies(energy, modes, rounding);
  return Array.from({ length: bands }, (_, b) => ({
    transfer: energy[b] > least[b] ? passed[b] / energy[b] : Number.NaN,
    copy: sum[b] / modes[b],
    gain: squares[b] / modes[b],
  }));
}

/**
 * Expected squared error of the filter against the clean signal, Σ (1−g)²P + g²σ²: bias² plus noise.
 *
 * @param power P_k = |S_k|² of the orthonormal DFT.
 * @param noiseVariance σ², which is also each mode's expected noise energy.
 */
export function filterRisk(gains: ArrayLike<number>, power: ArrayLike<number>, noiseVariance: number): number {
  let risk = 0;
  for (let k = 0; k < power.length; k++) risk += (1 - gains[k]) ** 2 * power[k] + gains[k] ** 2 * noiseVariance;
  return risk;
}
