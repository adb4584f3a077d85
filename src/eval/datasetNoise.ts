/**
 * How much of the noise of its training images a generator draws, per band: the same generator trained on clean and on
 * noisy images, same seed. With F̂₀ and F̂_σ the DFTs of their drawings of an image and E that of the noise it was given:
 *   G_b = Σ|F̂_σ−F̂₀|² / Σ|E|²            all that the noise changed
 *   C_b = Re ΣE*(F̂_σ−F̂₀) / Σ|E|²        the fraction of the noise that is copied
 *   ΔP_b = (Σ|F̂_σ|²−Σ|F̂₀|²) / Σ|E|²     what it adds to the power spectrum; the only one that needs no pairs
 * summed over images and channels.
 */
import type { Random } from '../random.ts';
import type { Band, BandPartition } from './bands.ts';
import { percentileInterval, REPLICATES } from './bootstrap.ts';
import { planeSpectra } from './noise.ts';
import type { EvaluationResult } from './result.ts';

const STATISTICS = ['noiseGain', 'noiseCopy', 'powerExcess'] as const;
type Statistic = (typeof STATISTICS)[number];

export type BandDatasetNoise = Band & Record<Statistic | `${Statistic}${'Low' | 'High'}`, number>;

type Sums = Record<Statistic | 'noise', Float64Array>;

export class DatasetNoise {
  private readonly images: Sums[] = [];

  constructor(readonly partition: BandPartition) {}

  /** One image, [H,W,3] each, floats neither clamped nor quantised. */
  add(clean: ArrayLike<number>, noisy: ArrayLike<number>, noise: ArrayLike<number>): void {
    const { width, height, bands, membership } = this.partition;
    const spectra = [clean, noisy, noise].map((image) => planeSpectra(image, { width, height, channels: 3 }));
    const zeros = () => new Float64Array(bands.length);
    const sums: Sums = { noiseGain: zeros(), noiseCopy: zeros(), powerExcess: zeros(), noise: zeros() };
    for (let channel = 0; channel < 3; channel++) {
      const [f0, f, e] = spectra.map((planes) => planes[channel]);
      for (let k = 0; k < membership.length; k++) {
        const b = membership[k];
        const [re, im] = [f.re[k] - f0.re[k], f.im[k] - f0.im[k]];
        sums.noise[b] += e.re[k] ** 2 + e.im[k] ** 2;
        sums.noiseGain[b] += re ** 2 + im ** 2;
        sums.noiseCopy[b] += e.re[k] * re + e.im[k] * im;
        sums.powerExcess[b] += f.re[k] ** 2 + f.im[k] ** 2 - f0.re[k] ** 2 - f0.im[k] ** 2;
      }
    }
    this.images.push(sums);
  }

  /** With 95 % bootstrap intervals over images. */
  result(random: Random): BandDatasetNoise[] {
    const { images } = this;
    const resamples = Array.from({ length: REPLICATES }, () => images.map(() => images[random.integer(images.length)]));
    const ratio = (of: readonly Sums[], name: Statistic, b: number) =>
      of.reduce((sum, image) => sum + image[name][b], 0) / of.reduce((sum, image) => sum + image.noise[b], 0);
    return this.partition.bands.map((band, b) => {
      const numbers = STATISTICS.flatMap((name) => {
        const [low, high] = percentileInterval(resamples.map((resample) => ratio(resample, name, b)));
        return [
          [name, ratio(images, name, b)],
          [`${name}Low`, low],
          [`${name}High`, high],
        ];
      });
      return { ...band, ...Object.fromEntries(numbers) } as BandDatasetNoise;
    });
  }
}

/** As an evaluation of `images` images whose noise had standard deviation `sigma`. */
export function datasetNoiseResult(
  bands: readonly BandDatasetNoise[],
  images: number,
  sigma: number,
): EvaluationResult {
  const metrics: Record<string, number> = {};
  for (const { name, noiseGain, noiseCopy, powerExcess } of bands) {
    const prefix = `dataset_noise_s${sigma}_n${images}`;
    metrics[`${prefix}_gain_${name}`] = noiseGain;
    metrics[`${prefix}_copy_${name}`] = noiseCopy;
    metrics[`${prefix}_power_excess_${name}`] = powerExcess;
  }
  return {
    protocol:
      `one generator trained on clean and on noisy images (white Gaussian, σ = ${sigma}, the same in every step), same seed; ` +
      `${images} training images drawn by both, floats neither clamped nor quantised; unwindowed DFT, over realised noise ` +
      'energy; 95 % bootstrap intervals over images',
    metrics,
    bands: bands.map((band) => ({ ...band })),
  };
}
