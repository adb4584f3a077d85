/** Pairs of images, one at a time: the paired spectrum, PSNR and SSIM of each, and intervals over images for all. */
import { Random } from '../random.ts';
import { declare, findingsOf } from './findings.ts';
import type { Numbers } from './metric.ts';
import {
  type BandFidelity,
  bandFidelity,
  bandMetricName,
  FIDELITY_COLUMNS,
  type FidelityColumn,
  PairedSpectrum,
  pairedEvaluation,
  sumOverBands,
} from './pairedSpectrum.ts';
import { psnrOfMse } from './psnr.ts';
import type { BandEntry, EvaluationResult } from './result.ts';
import { type BandPartition, octavePartition, ringPartition } from './signal/bands.ts';
import {
  bootstrapInterval,
  FEWEST_RESAMPLED,
  meanInterval,
  meanOf,
  resampledMeans,
  withoutUnknown,
} from './signal/bootstrap.ts';
import { type Interval, jackknifeInterval, leaveOneOutMeans } from './signal/jackknife.ts';
import { similarityScales, ssim } from './ssim.ts';

/** What is measured of pairs, by key. */
export const PAIRED_NUMBERS: Numbers = {
  psnr: { label: 'PSNR', unit: 'dB', better: 'high', reads: 'mean over images' },
  ssim: { label: 'SSIM', better: 'high', reads: 'mean over images; 1 is equal' },
  psnr_of_mean_mse: {
    label: 'PSNR of the mean MSE',
    unit: 'dB',
    better: 'high',
    reads: 'the worst images decide',
    role: 'supporting',
  },
  mse: { label: 'MSE', better: 'low', role: 'supporting' },
  fvu: { label: 'FVU', better: 'low', reads: "error over the band's energy", role: 'detail' },
  snr: { label: 'SNR', unit: 'dB', better: 'high', reads: '−10 log₁₀ FVU', role: 'detail' },
  transfer: { label: 'Transfer T', reads: '1 is perfect', role: 'detail' },
  power_ratio: { label: 'Power ratio A', reads: '1 is perfect', role: 'detail' },
  frc: { label: 'FRC', better: 'high', role: 'detail' },
};

/** The energies that a row of resampling holds, each per band, in this order. */
const ENERGIES = ['reference', 'estimate', 'cross', 'error'] as const;
const COLUMNS = Object.keys(FIDELITY_COLUMNS) as FidelityColumn[];
/** Columns whose errors are relative, so that their intervals are taken on a log scale; SNR is a logarithm already. */
const RELATIVE: readonly FidelityColumn[] = ['mse', 'fvu', 'powerRatio'];

/** A band with 95 % intervals of its columns, `snrDbLow` to `snrDbHigh`; without them for a single image. */
export type BandFidelityInterval = BandFidelity & Partial<Record<`${FidelityColumn}${'Low' | 'High'}`, number>>;

/** Evaluations of all images of a part of the data: their PSNR's name needs no number. */
const WHOLE_SETS: ReadonlySet<string> = new Set([
  'reconstruction',
  'reconstruction_heldout',
  'reconstruction_combinations',
]);

/**
 * Name of the mean PSNR. Of a run's own training images it doesn't say their number, which is always all of them: runs
 * are compared by it.
 */
export function psnrMetricName(prefix: string, images: number): string {
  return WHOLE_SETS.has(prefix) ? `${prefix}_psnr_db` : `${prefix}_psnr_n${images}_db`;
}

export class PairedImages {
  readonly spectrum: PairedSpectrum;
  readonly psnrs: number[] = [];
  /** Empty where the window of SSIM does not fit the images. */
  readonly ssims: number[] = [];
  private readonly partitions: readonly BandPartition[];
  /** Energies of each image and partition, [4, bands] each, one after the other. */
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
   * `pairedEvaluation` with PSNR and SSIM as means over images, and 95 % intervals over images of
   * everything: bootstrap, jackknife below 16 images. What has none, an infinite PSNR say, is not in `intervals`.
   *
   * @param values how the pixels came to be.
   */
  evaluation(prefix: string, values: string, seed = 0): EvaluationResult {
    const result = this.measure(prefix, values, seed);
    return { ...result, findings: findingsOf(result, declare('paired', PAIRED_NUMBERS), `${prefix}_`) };
  }

  private measure(prefix: string, values: string, seed: number): EvaluationResult {
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
    const mse = `${prefix}_mse_n${images}`;
    for (const [name, each] of Object.entries(means)) {
      intervals[name] = meanInterval(each, random, name === mse ? 'log' : 'linear');
    }
    const [low, high] = intervals[mse];
    intervals[`${prefix}_psnr_of_mean_mse_n${images}_db`] = [psnrOfMse(high), psnrOfMse(low)];
    const isFew = images < FEWEST_RESAMPLED;
    const columns = this.rows.length / images;
    const [octaves, rings] = this.fidelityOf(
      isFew ? leaveOneOutMeans(this.rows, columns) : resampledMeans(this.rows, columns, random),
      columns,
    );
    const intervalOf = (column: FidelityColumn, own: number, others: readonly number[]) =>
      isFew
        ? jackknifeInterval(own, others, RELATIVE.includes(column) ? 'log' : 'linear')
        : bootstrapInterval(own, others);
    addIntervals(result.rings ?? [], rings, intervalOf);
    addIntervals(result.bands ?? [], octaves, intervalOf, (column, { name }, interval) => {
      intervals[bandMetricName(prefix, column, name, images)] = interval;
    });
    return { ...result, intervals: withoutUnknown(intervals) };
  }

  /** Fidelity from mean rows of some images: [partitions][rows][bands]; all partitions see the same images. */
  private fidelityOf(means: Float64Array, columns: number): BandFidelity[][][] {
    const { width, height, channels } = this.spectrum;
    const divisor = channels * (width * height) ** 2;
    let first = 0;
    return this.partitions.map(({ bands }) => {
      const from = first;
      first += ENERGIES.length * bands.length;
      return Array.from({ length: means.length / columns }, (_, r) => {
        const at = (energy: number) => r * columns + from + energy * bands.length;
        const [reference, estimate, cross, error] = ENERGIES.map((_, energy) =>
          means.subarray(at(energy), at(energy + 1)),
        );
        return bandFidelity({ reference, estimate, cross, error }, bands, divisor);
      });
    });
  }
}

function addIntervals(
  entries: readonly BandEntry[],
  others: readonly BandFidelity[][],
  intervalOf: (column: FidelityColumn, own: number, others: readonly number[]) => Interval,
  visit: (column: FidelityColumn, band: BandEntry, interval: Interval) => void = () => {},
): void {
  entries.forEach((band, b) => {
    for (const column of COLUMNS) {
      const interval = intervalOf(
        column,
        band[column] as number,
        others.map((bands) => bands[b][column]),
      );
      Object.assign(band, { [`${column}Low`]: interval[0], [`${column}High`]: interval[1] });
      visit(column, band, interval);
    }
  });
}
