/**
 * Per-frequency fidelity of images to the images they should be.
 *
 * With F the DFT of the reference and F̂ of the estimate (orthonormal, no window, float64), sums over the modes of a
 * band b, over images and over channels:
 *   MSE_b = Σ|F̂−F|² / HW                    (bands add up to the MSE)
 *   FVU_b = Σ|F̂−F|² / Σ|F|²,   SNR_b = −10 log₁₀ FVU_b
 *   T_b   = Re ΣF*F̂ / Σ|F|²                 (transfer: the gain of what is coherent with the reference)
 *   A_b   = Σ|F̂|² / Σ|F|²                   (power ratio)
 *   FRC_b = T_b / √A_b                      (Fourier ring correlation)
 * so that FVU = (1−T)² + A(1−FRC²): error of gain plus incoherent energy.
 */
import { RunError } from '../errors.ts';
import { meanSquaredError, psnrOfMse } from './psnr.ts';
import type { EvaluationResult } from './result.ts';
import { type Band, type BandPartition, octavePartition, ringPartition, sumByBand } from './signal/bands.ts';
import { fft2 } from './signal/fft.ts';
import { ROUNDING_ENERGY } from './signal/leastEnergy.ts';

/** Sums over images and channels, one value per mode or per band, of unnormalised coefficients. */
export interface PairedEnergies {
  /** |F|² */
  reference: Float64Array;
  /** |F̂|² */
  estimate: Float64Array;
  /** Re F*F̂ */
  cross: Float64Array;
  /** |F̂−F|² */
  error: Float64Array;
}

/** Ratios are NaN where the reference has no energy in the band; `frc` also where the estimate has none. */
export interface BandFidelity extends Band {
  mse: number;
  /** Σ|F|²/HW per image and channel: what `mse` is a fraction `fvu` of. */
  energy: number;
  fvu: number;
  /** Infinity where the estimate is exact. */
  snrDb: number;
  transfer: number;
  powerRatio: number;
  frc: number;
}

/**
 * Collects pairs of images one at a time. Values are sRGB-encoded in [0,1] and used as they are: quantise both sides
 * to 8 bits beforehand, or neither.
 */
export class PairedSpectrum {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Per mode, laid out like `fft2`. */
  readonly energies: PairedEnergies;
  /** MSE of each pair so far. */
  readonly mses: number[] = [];

  constructor(width: number, height: number, channels = 3) {
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.energies = makeEnergies(width * height);
  }

  /**
   * Adds a pair of interleaved images [H,W,channels].
   *
   * @param position of the pair, for the message.
   * @returns the pair's MSE over pixels and channels.
   * @throws RunError where a value is not finite.
   */
  add(reference: ArrayLike<number>, estimate: ArrayLike<number>, position = this.mses.length): number {
    const { width, height, channels } = this;
    const values = width * height * channels;
    if (reference.length !== values || estimate.length !== values) {
      throw new RangeError(
        `${width}x${height}x${channels} needs ${values} values, got ${reference.length} and ${estimate.length}`,
      );
    }
    const mse = meanSquaredError(reference, estimate);
    if (!Number.isFinite(mse)) throw new RunError(`image pair ${position}: values are not all finite numbers`);
    const plane = new Float64Array(width * height);
    const difference = new Float64Array(width * height);
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0, at = channel; i < plane.length; i++, at += channels) {
        plane[i] = reference[at];
        difference[i] = estimate[at] - reference[at];
      }
      // The difference is transformed, not the estimate: a small error keeps all of its digits.
      this.accumulate(plane, difference);
    }
    this.mses.push(mse);
    return mse;
  }

  /** Adds what another collection of images of this size holds. */
  merge(other: PairedSpectrum): void {
    if (other.width !== this.width || other.height !== this.height || other.channels !== this.channels) {
      throw new RangeError(`a spectrum of ${other.width}x${other.height} into one of ${this.width}x${this.height}`);
    }
    for (const key of ['reference', 'estimate', 'cross', 'error'] as const) {
      for (let k = 0; k < this.energies[key].length; k++) this.energies[key][k] += other.energies[key][k];
    }
    this.mses.push(...other.mses);
  }

  private accumulate(plane: Float64Array, difference: Float64Array): void {
    const f = fft2(plane, this.width, this.height);
    const d = fft2(difference, this.width, this.height);
    const { reference, estimate, cross, error } = this.energies;
    for (let k = 0; k < reference.length; k++) {
      const estimateRe = f.re[k] + d.re[k];
      const estimateIm = f.im[k] + d.im[k];
      reference[k] += f.re[k] ** 2 + f.im[k] ** 2;
      estimate[k] += estimateRe ** 2 + estimateIm ** 2;
      cross[k] += f.re[k] * estimateRe + f.im[k] * estimateIm;
      error[k] += d.re[k] ** 2 + d.im[k] ** 2;
    }
  }

  /** Fidelity in each band of a partition of this size (`ringPartition`, `octavePartition`). */
  fidelity(partition: BandPartition): BandFidelity[] {
    if (partition.width !== this.width || partition.height !== this.height) {
      throw new RangeError(
        `bands of ${partition.width}x${partition.height} for a spectrum of ${this.width}x${this.height}`,
      );
    }
    if (this.mses.length === 0) throw new RangeError('no image pair was added');
    // Per image, channel and pixel; another W·H turns |unnormalised|² into |orthonormal|².
    const divisor = this.mses.length * this.channels * (this.width * this.height) ** 2;
    return bandFidelity(sumOverBands(this.energies, partition), partition.bands, divisor);
  }
}

function makeEnergies(length: number): PairedEnergies {
  const zeros = () => new Float64Array(length);
  return { reference: zeros(), estimate: zeros(), cross: zeros(), error: zeros() };
}

/** Sums per-mode energies over the modes of each band. */
export function sumOverBands(energies: PairedEnergies, partition: BandPartition): PairedEnergies {
  return {
    reference: sumByBand(energies.reference, partition),
    estimate: sumByBand(energies.estimate, partition),
    cross: sumByBand(energies.cross, partition),
    error: sumByBand(energies.error, partition),
  };
}

/**
 * The ratios of per-band energies.
 *
 * @param divisor what the energies are divided by to give MSEs: images · channels · (H·W)².
 */
export function bandFidelity(energies: PairedEnergies, bands: readonly Band[], divisor: number): BandFidelity[] {
  const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);
  const rounding = ROUNDING_ENERGY * (total(energies.reference) + total(energies.error));
  return bands.map((band, b) => {
    const [reference, estimate] = [energies.reference[b], energies.estimate[b]];
    const [cross, error] = [energies.cross[b], energies.error[b]];
    const over = (numerator: number) => (reference > rounding ? numerator / reference : Number.NaN);
    const fvu = over(error);
    return {
      ...band,
      mse: error / divisor,
      energy: reference / divisor,
      fvu,
      snrDb: -10 * Math.log10(fvu),
      transfer: over(cross),
      powerRatio: over(estimate),
      frc: reference > rounding && estimate > rounding ? cross / Math.sqrt(reference * estimate) : Number.NaN,
    };
  });
}

/** The columns of a band, and what they are called in the names of metrics. */
export const FIDELITY_COLUMNS = {
  mse: 'mse',
  fvu: 'fvu',
  snrDb: 'snr',
  transfer: 'transfer',
  powerRatio: 'power_ratio',
  frc: 'frc',
} as const satisfies Partial<Record<keyof BandFidelity, string>>;
export type FidelityColumn = keyof typeof FIDELITY_COLUMNS;

/** `PREFIX_fvu_BAND_nN`, `PREFIX_snr_BAND_nN_db`. */
export function bandMetricName(prefix: string, column: FidelityColumn, band: string, images: number): string {
  return `${prefix}_${FIDELITY_COLUMNS[column]}_${band}_n${images}${column === 'snrDb' ? '_db' : ''}`;
}

/**
 * A spectrum as an evaluation: octaves as `bands`, `rings`, and flat metrics `PREFIX_mse_nN`,
 * `PREFIX_psnr_of_mean_mse_nN_db` and, per octave, those of `bandMetricName`.
 *
 * @param values how the pixels came to be, for the protocol: "float, not quantised", say.
 */
export function pairedEvaluation(spectrum: PairedSpectrum, prefix: string, values: string): EvaluationResult {
  const { width, height, channels, mses } = spectrum;
  const bands = spectrum.fidelity(octavePartition(width, height));
  const mse = mses.reduce((sum, value) => sum + value, 0) / mses.length;
  const metrics: Record<string, number> = {
    [`${prefix}_mse_n${mses.length}`]: mse,
    [`${prefix}_psnr_of_mean_mse_n${mses.length}_db`]: psnrOfMse(mse),
  };
  for (const band of bands) {
    for (const column of Object.keys(FIDELITY_COLUMNS) as FidelityColumn[]) {
      metrics[bandMetricName(prefix, column, band.name, mses.length)] = band[column];
    }
  }
  return {
    protocol:
      `paired, ${mses.length} images of ${width}x${height}x${channels}, sRGB-encoded in [0,1] (${values}); unwindowed DFT in ` +
      'float64, summed over images and channels; rings by floor of ρ·min(W,H), octaves down from ½ cycle per pixel, ' +
      'band names in cycles per image along the shorter side',
    metrics,
    bands: bands.map((band) => ({ ...band })),
    rings: spectrum.fidelity(ringPartition(width, height)).map((ring) => ({ ...ring })),
  };
}
