/** Pairs of images, one at a time: the paired spectrum, PSNR and SSIM of each, and intervals over images for all. */
import { Random } from '../random.ts';
import { octavePartition } from './bands.ts';
import { type Interval, meanInterval, meanOf, percentileInterval, resampledMeans } from './bootstrap.ts';
import { bandFidelity, type PairedEnergies, PairedSpectrum, pairedEvaluation, sumOverBands } from './pairedSpectrum.ts';
import { psnrOfMse } from './psnr.ts';
import type { EvaluationResult } from './result.ts';
import { similarityScales, ssim } from './ssim.ts';

/** What a resampled row holds, per band. */
const ENERGIES = ['reference', 'estimate', 'cross', 'error'] as const;

export class PairedImages {
  readonly spectrum: PairedSpectrum;
  readonly psnrs: number[] = [];
  /** Empty where the window of SSIM does not fit the images. */
  readonly ssims: number[] = [];
  private readonly octaves;
  /** Of each image, [4, octaves]. */
  private readonly rows: number[] = [];

  constructor(width: number, height: number, channels = 3) {
    this.spectrum = new PairedSpectrum(width, height, channels);
    this.octaves = octavePartition(width, height);
  }

  /** Adds a pair of interleaved images [H,W,channels] in [0,1]. @throws RunError where a value is not finite. */
  add(reference: Float32Array | Float64Array, estimate: Float32Array | Float64Array): void {
    const { width, height, channels } = this.spectrum;
    const own = new PairedSpectrum(width, height, channels);
    this.psnrs.push(psnrOfMse(own.add(reference, estimate)));
    this.spectrum.merge(own);
    const sums = sumOverBands(own.energies, this.octaves);
    for (const energy of ENERGIES) this.rows.push(...sums[energy]);
    if (similarityScales(width, height) === 0) return;
    const stack = (pixels: Float32Array | Float64Array) => ({ count: 1, width, height, channels, pixels });
    this.ssims.push(ssim(stack(reference), 0, stack(estimate), 0));
  }

  /**
   * `pairedEvaluation` with PSNR and SSIM as means over images, and 95 % bootstrap intervals over images.
   *
   * @param values how the pixels came to be.
   */
  evaluation(prefix: string, values: string, seed = 0): EvaluationResult {
    const result = pairedEvaluation(this.spectrum, prefix, values);
    const random = new Random(seed, 'evaluation');
    const intervals: Record<string, Interval> = {};
    result.metrics[`${prefix}_psnr_db`] = meanOf(this.psnrs);
    if (this.ssims.length > 0) result.metrics[`${prefix}_ssim`] = meanOf(this.ssims);
    result.metrics[`${prefix}_images`] = this.psnrs.length;
    // One image says nothing about others.
    if (this.psnrs.length < 2) return result;
    intervals[`${prefix}_psnr_db`] = meanInterval(this.psnrs, random);
    if (this.ssims.length > 0) intervals[`${prefix}_ssim`] = meanInterval(this.ssims, random);
    const resampled = this.resampledFidelity(random);
    result.bands?.forEach((band, b) => {
      const snr = percentileInterval(resampled.map((bands) => bands[b].snrDb));
      const transfer = percentileInterval(resampled.map((bands) => bands[b].transfer));
      intervals[`${prefix}_snr_db_${band.name}`] = snr;
      intervals[`${prefix}_transfer_${band.name}`] = transfer;
      Object.assign(band, { snrDbLow: snr[0], snrDbHigh: snr[1], transferLow: transfer[0], transferHigh: transfer[1] });
    });
    return { ...result, intervals };
  }

  private resampledFidelity(random: Random) {
    const { bands } = this.octaves;
    const columns = ENERGIES.length * bands.length;
    const means = resampledMeans(this.rows, columns, random);
    return Array.from({ length: means.length / columns }, (_, r) => {
      const part = (e: number) => means.subarray(r * columns + e * bands.length, r * columns + (e + 1) * bands.length);
      const energies = Object.fromEntries(ENERGIES.map((name, e) => [name, part(e)])) as unknown as PairedEnergies;
      return bandFidelity(energies, bands, 1);
    });
  }
}
