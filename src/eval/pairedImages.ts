/** Pairs of images, one at a time: the paired spectrum, PSNR and SSIM of each, and intervals over images for all. */
import { Random } from '../random.ts';
import { type BandPartition, octavePartition, ringPartition } from './bands.ts';
import { type Interval, meanInterval, meanOf, percentileInterval, resampledMeans } from './bootstrap.ts';
import {
  type BandFidelity,
  bandFidelity,
  bandMetricName,
  FIDELITY_COLUMNS,
  type FidelityColumn,
  type PairedEnergies,
  PairedSpectrum,
  pairedEvaluation,
  sumOverBands,
} from './pairedSpectrum.ts';
import { psnrOfMse } from './psnr.ts';
import type { BandEntry, EvaluationResult } from './result.ts';
import { similarityScales, ssim } from './ssim.ts';

/** What a resampled row holds, per band. */
const ENERGIES = ['reference', 'estimate', 'cross', 'error'] as const;
const COLUMNS = Object.keys(FIDELITY_COLUMNS) as FidelityColumn[];

/** A band with 95 % intervals of its columns, `snrDbLow` to `snrDbHigh`; without them for a single image. */
export type BandFidelityInterval = BandFidelity & Partial<Record<`${FidelityColumn}${'Low' | 'High'}`, number>>;

/**
 * Of the mean PSNR. That of a run's own training images has one name whatever their number, all of them: runs are
 * compared by it.
 */
export function psnrMetricName(prefix: string, images: number): string {
  return prefix === 'reconstruction' ? 'reconstruction_psnr_db' : `${prefix}_psnr_n${images}_db`;
}

export class PairedImages {
  readonly spectrum: PairedSpectrum;
  readonly psnrs: number[] = [];
  /** Empty where the window of SSIM does not fit the images. */
  readonly ssims: number[] = [];
  private readonly partitions: readonly BandPartition[];
  /** Of each image and partition, [4, bands]. */
  private readonly rows: number[] = [];

  constructor(width: number, height: number, channels = 3) {
    this.spectrum = new PairedSpectrum(width, height, channels);
    this.partitions = [octavePartition(width, height), ringPartition(width, height)];
  }

  /** Adds a pair of interleaved images [H,W,channels] in [0,1]. @throws RunError where a value is not finite. */
  add(reference: Float32Array | Float64Array, estimate: Float32Array | Float64Array): void {
    const { width, height, channels, mses } = this.spectrum;
    const own = new PairedSpectrum(width, height, channels);
    this.psnrs.push(psnrOfMse(own.add(reference, estimate, mses.length)));
    this.spectrum.merge(own);
    for (const partition of this.partitions) {
      const sums = sumOverBands(own.energies, partition);
      for (const energy of ENERGIES) this.rows.push(...sums[energy]);
    }
    if (similarityScales(width, height) === 0) return;
    const stack = (pixels: Float32Array | Float64Array) => ({ count: 1, width, height, channels, pixels });
    this.ssims.push(ssim(stack(reference), 0, stack(estimate), 0));
  }

  /**
   * `pairedEvaluation` with PSNR and SSIM as means over images, and 95 % bootstrap intervals over images of everything.
   *
   * @param values how the pixels came to be.
   */
  evaluation(prefix: string, values: string, seed = 0): EvaluationResult {
    const result = pairedEvaluation(this.spectrum, prefix, values);
    const random = new Random(seed, 'pairedImages');
    const images = this.psnrs.length;
    const means = {
      [psnrMetricName(prefix, images)]: this.psnrs,
      ...(this.ssims.length > 0 && { [`${prefix}_ssim_n${images}`]: this.ssims }),
      [`${prefix}_mse_n${images}`]: this.spectrum.mses,
    };
    for (const [name, each] of Object.entries(means)) result.metrics[name] = meanOf(each);
    result.metrics[`${prefix}_images`] = images;
    // One image says nothing about others.
    if (images < 2) return result;
    const intervals: Record<string, Interval> = {};
    for (const [name, each] of Object.entries(means)) intervals[name] = meanInterval(each, random);
    const [low, high] = intervals[`${prefix}_mse_n${images}`];
    intervals[`${prefix}_psnr_of_mean_mse_n${images}_db`] = [psnrOfMse(high), psnrOfMse(low)];
    const [octaves, rings] = this.resampledFidelity(random);
    addIntervals(result.rings ?? [], rings);
    addIntervals(result.bands ?? [], octaves, (column, { name }, interval) => {
      intervals[bandMetricName(prefix, column, name, images)] = interval;
    });
    return { ...result, intervals };
  }

  /** [partitions][replicates][bands]; all partitions see the same images. */
  private resampledFidelity(random: Random): BandFidelity[][][] {
    const { width, height, channels } = this.spectrum;
    const samples = channels * (width * height) ** 2;
    const columns = this.rows.length / this.psnrs.length;
    const means = resampledMeans(this.rows, columns, random);
    let first = 0;
    return this.partitions.map(({ bands }) => {
      const from = first;
      first += ENERGIES.length * bands.length;
      return Array.from({ length: means.length / columns }, (_, r) => {
        const at = (energy: number) => r * columns + from + energy * bands.length;
        const energies = Object.fromEntries(
          ENERGIES.map((name, energy) => [name, means.subarray(at(energy), at(energy + 1))]),
        ) as unknown as PairedEnergies;
        return bandFidelity(energies, bands, samples);
      });
    });
  }
}

function addIntervals(
  entries: readonly BandEntry[],
  replicates: readonly BandFidelity[][],
  visit: (column: FidelityColumn, band: BandEntry, interval: Interval) => void = () => {},
): void {
  entries.forEach((band, b) => {
    for (const column of COLUMNS) {
      const interval = percentileInterval(replicates.map((bands) => bands[b][column]));
      Object.assign(band, { [`${column}Low`]: interval[0], [`${column}High`]: interval[1] });
      visit(column, band, interval);
    }
  });
}
