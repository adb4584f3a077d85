/**
 * Coordinate jitter: an image sampled at x + n, n ~ N(0, τ²I) independently for every pixel.
 *
 * With ν the frequency of a mode in cycles per unit of τ, E e^(2πi ν·n) = e^(−2π²τ²|ν|²): the mean image is blurred by
 * that gain. What the blur takes, Σ|F|²(1−e^(−4π²τ²|ν|²)), comes back as noise, white because neighbours are
 * independent.
 */
import { leastEnergies } from '../../metrics/signal/leastEnergy.ts';

/** e^(−2π²τ²|ν|²), the coherent gain of a mode. */
export function jitterGain(frequency: number, standardDeviation: number): number {
  return Math.exp(-2 * Math.PI ** 2 * standardDeviation ** 2 * frequency ** 2);
}

export interface JitterPrediction {
  /** Per band: Σ|F|²e^(−2π²τ²|ν|²)/Σ|F|². NaN where the band has no energy but rounding. */
  transfer: Float64Array;
  /** Expected energy of the incoherent part in each mode of the orthonormal DFT: the same in all. */
  noisePerMode: number;
  /** Per band: E Σ|ΔF|²/Σ|F|², both parts: |1−gain|² of the signal and the white noise. */
  relativeChange: Float64Array;
}

/**
 * What jitter does to a band-limited periodic image; to others, as far as their DFT describes what lies between pixels.
 *
 * @param power |F_k|² of the orthonormal DFT, [height,width] like `fft2`.
 * @param standardDeviation τ, in pixels.
 * @param rounding as in `leastEnergies`.
 */
export function predictJitter(
  power: ArrayLike<number>,
  shape: { width: number; height: number; membership: ArrayLike<number>; bands: { length: number } },
  standardDeviation: number,
  rounding?: number | 'drawn',
): JitterPrediction {
  const { width, height, membership, bands } = shape;
  const zeros = () => new Float64Array(bands.length);
  const [energy, coherent, lost, modes] = [zeros(), zeros(), zeros(), zeros()];
  let incoherent = 0;
  for (let ky = 0, k = 0; ky < height; ky++) {
    for (let kx = 0; kx < width; kx++, k++) {
      const frequency = Math.hypot(Math.min(kx, width - kx) / width, Math.min(ky, height - ky) / height);
      const gain = jitterGain(frequency, standardDeviation);
      const b = membership[k];
      modes[b]++;
      energy[b] += power[k];
      coherent[b] += power[k] * gain;
      lost[b] += power[k] * (1 - gain) ** 2;
      incoherent += power[k] * (1 - gain ** 2);
    }
  }
  const noisePerMode = incoherent / (width * height);
  const least = leastEnergies(energy, modes, rounding);
  const over = (numerators: Float64Array) =>
    numerators.map((value, b) => (energy[b] > least[b] ? value / energy[b] : Number.NaN));
  return {
    transfer: over(coherent),
    noisePerMode,
    relativeChange: over(lost.map((value, b) => value + modes[b] * noisePerMode)),
  };
}
