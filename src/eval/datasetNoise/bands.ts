/**
 * How much of the noise of its training images a generator draws, per band: the same generator trained on clean and on
 * noisy images, same seed. With F̂₀ and F̂_σ the DFTs of their drawings of an image and E that of the noise it was given:
 *   G_b = Σ|F̂_σ−F̂₀|² / Σ|E|²            all that the noise changed
 *   C_b = Re ΣE*(F̂_σ−F̂₀) / Σ|E|²        the fraction of the noise that is copied
 *   ΔP_b = (Σ|F̂_σ|²−Σ|F̂₀|²) / Σ|E|²     what it adds to the power spectrum; the only one that needs no pairs
 * summed over images and channels.
 */

import { planeSpectra } from '../../metrics/noiseResponse.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import { type Band, type BandPartition, octavePartition, ringPartition } from '../../metrics/signal/bands.ts';
import type { Interval } from '../../metrics/signal/bootstrap.ts';
import type { Complex } from '../../metrics/signal/fft.ts';
import { jackknifeRatio } from '../../metrics/signal/jackknife.ts';

/** The statistics, by what the names of metrics call them. */
const STATISTICS = { gain: 'noiseGain', copy: 'noiseCopy', power_excess: 'powerExcess' } as const;
type Statistic = (typeof STATISTICS)[keyof typeof STATISTICS];

export type BandDatasetNoise = Band & Record<Statistic | `${Statistic}${'Low' | 'High'}`, number>;

export interface DatasetNoiseBands {
  bands: BandDatasetNoise[];
  rings: BandDatasetNoise[];
}

/** Sums over the channels of one image and the modes of each band. */
type Sums = Record<Statistic | 'noise', Float64Array>;

/** Collects images drawn by both generators and the noise that one of them saw. */
export class DatasetNoise {
  private readonly octaves: BandPartition;
  private readonly rings: BandPartition;
  private readonly images: { octaves: Sums; rings: Sums }[] = [];

  constructor(
    private readonly width: number,
    private readonly height: number,
  ) {
    this.octaves = octavePartition(width, height);
    this.rings = ringPartition(width, height);
  }

  /**
   * Adds an image as both generators draw it, and the noise that one of them saw, [H,W,3] each, floats neither clamped
   * nor quantised.
   */
  add(clean: ArrayLike<number>, noisy: ArrayLike<number>, noise: ArrayLike<number>): void {
    const { width, height } = this;
    const spectra = [clean, noisy, noise].map((image) => planeSpectra(image, { width, height, channels: 3 }));
    this.images.push({ octaves: sumsOf(spectra, this.octaves), rings: sumsOf(spectra, this.rings) });
  }

  /** The statistics of each band, with 95 % jackknife intervals over images; NaN ends for one image. */
  result(): DatasetNoiseBands {
    const of = (kind: 'octaves' | 'rings') =>
      ratiosOf(
        this.images.map((image) => image[kind]),
        this[kind].bands,
      );
    return { bands: of('octaves'), rings: of('rings') };
  }
}

/** @param spectra of the clean drawing, the noisy one and the noise, one a channel. */
function sumsOf([clean, noisy, noise]: Complex[][], { bands, membership }: BandPartition): Sums {
  const zeros = () => new Float64Array(bands.length);
  const sums: Sums = { noiseGain: zeros(), noiseCopy: zeros(), powerExcess: zeros(), noise: zeros() };
  for (const [channel, f0] of clean.entries()) {
    const [f, e] = [noisy[channel], noise[channel]];
    for (let k = 0; k < membership.length; k++) {
      const b = membership[k];
      const [re, im] = [f.re[k] - f0.re[k], f.im[k] - f0.im[k]];
      sums.noise[b] += e.re[k] ** 2 + e.im[k] ** 2;
      sums.noiseGain[b] += re ** 2 + im ** 2;
      sums.noiseCopy[b] += e.re[k] * re + e.im[k] * im;
      sums.powerExcess[b] += f.re[k] ** 2 + f.im[k] ** 2 - f0.re[k] ** 2 - f0.im[k] ** 2;
    }
  }
  return sums;
}

function ratiosOf(images: readonly Sums[], bands: readonly Band[]): BandDatasetNoise[] {
  return bands.map((band, b) => {
    const noise = images.map((image) => image.noise[b]);
    const numbers = Object.values(STATISTICS).flatMap((name) => {
      const energies = images.map((image) => image[name][b]);
      const { value, interval } = jackknifeRatio(energies, noise, name === 'noiseGain' ? 'log' : 'linear');
      return [
        [name, value],
        [`${name}Low`, interval[0]],
        [`${name}High`, interval[1]],
      ];
    });
    return { ...band, ...Object.fromEntries(numbers) } as BandDatasetNoise;
  });
}

export interface DatasetNoiseProtocol {
  images: number;
  /** Standard deviation of the noise. */
  sigma: number;
  /** Training steps of both runs. */
  step: number;
  seed: number;
  width: number;
  height: number;
}

/** The statistics as `dataset_noise.json` holds them. */
export function datasetNoiseResult(
  { bands, rings }: DatasetNoiseBands,
  { images, sigma, step, seed, width, height }: DatasetNoiseProtocol,
): EvaluationResult {
  const metrics: Record<string, number> = {};
  const intervals: Record<string, Interval> = {};
  for (const band of bands) {
    for (const [label, key] of Object.entries(STATISTICS)) {
      const name = `dataset_noise_s${sigma}_n${images}_${label}_${band.name}`;
      metrics[name] = band[key];
      if (images > 1) intervals[name] = [band[`${key}Low`], band[`${key}High`]];
    }
  }
  return {
    protocol:
      `one generator trained on clean and on noisy images (white Gaussian, σ = ${sigma}, the same in every step), ` +
      `${step} steps each, seed ${seed}; ${images} training images of ${width}x${height} drawn by both, floats neither clamped nor quantised; unwindowed DFT, over realised noise ` +
      'energy; 95 % jackknife intervals over images',
    metrics,
    intervals,
    bands: bands.map((band) => ({ ...band })),
    rings: rings.map((ring) => ({ ...ring })),
  };
}
