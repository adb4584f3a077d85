/**
 * Noise sensitivity of fits, per band, from M fits of one signal under independent noise draws.
 *
 * With S the DFT of the signal, E_m of the noise and F̂_m of the fit to s+ε_m, F̄ and Ē their means over draws:
 *   T_b = Re ΣS*F̄ / Σ|S|²                               signal transfer
 *   G_b = Σ_mΣ|F̂_m−F̄|² / Σ_mΣ|E_m−Ē|²                  noise gain
 *   C_b = Re Σ_mΣ(E_m−Ē)*(F̂_m−F̄) / Σ_mΣ|E_m−Ē|²        noise copy; n_b·C_b is the covariance's degrees of freedom (Ye 1998)
 *   bias²_b = Σ|F̄−S|² − Σ_mΣ|F̂_m−F̄|²/(M(M−1))
 * G and C are divided by the realised noise energy, which varies far less than dividing by its expectation. G ≥ C² by
 * Cauchy–Schwarz. All are quadratic in the draws, so that Gram matrices per band hold everything, the jackknife too.
 */
import { RunError } from '../errors.ts';
import type { Band, BandPartition } from './signal/bands.ts';
import { type Complex, fft2 } from './signal/fft.ts';
import { type Estimate, jackknifeInterval } from './signal/jackknife.ts';
import { leastEnergies } from './signal/leastEnergy.ts';

export interface BandNoise extends Band {
  /** NaN where the signal has no more energy than rounding leaves. */
  transfer: number;
  noiseGain: number;
  noiseCopy: number;
  /** Per channel. */
  degreesOfFreedom: number;
  /** Parts of the expected MSE against the clean signal; bands add up to it. */
  biasSquaredMse: number;
  varianceMse: number;
}

export type NoiseStatistic = 'transfer' | 'noiseGain' | 'noiseCopy' | 'biasSquaredMse';
const STATISTICS: readonly NoiseStatistic[] = ['transfer', 'noiseGain', 'noiseCopy', 'biasSquaredMse'];

/** 95 % jackknife intervals over draws: `transferLow`, `transferHigh` and so on. */
export type BandNoiseWithIntervals = BandNoise & Record<`${NoiseStatistic}${'Low' | 'High'}`, number>;

/** Sums over the modes of a band and over channels, of unnormalised coefficients; matrices [M,M] row-major. */
export interface BandGrams {
  /** Σ|S|² */
  signal: number;
  /** What the signal needs for a transfer: see `leastEnergies`. */
  leastSignal: number;
  /** Re ΣS*F̂_m, [M] */
  cross: Float64Array;
  /** Re ΣF̂_m*F̂_n */
  fits: Float64Array;
  /** Re ΣE_m*F̂_n */
  copies: Float64Array;
  /** Re ΣE_m*E_n */
  noises: Float64Array;
}

interface Shape {
  width: number;
  height: number;
  channels: number;
}

/** The signal and its noise draws, transformed once; `response` may then be asked at every step of training. */
export class NoiseDraws {
  readonly draws: number;
  private readonly signal: Complex[];
  private readonly noises: Complex[][];

  /**
   * @param signal [H,W,channels] interleaved; `noises` likewise, one per draw.
   * @param rounding of the signal's values, as power in each mode of the orthonormal DFT: `ROUNDING_POWER` of 8-bit files.
   */
  constructor(
    readonly shape: Shape,
    signal: ArrayLike<number>,
    noises: readonly ArrayLike<number>[],
    private readonly rounding = 0,
  ) {
    if (noises.length < 2) throw new RangeError(`noise is measured over two draws or more, got ${noises.length}`);
    this.draws = noises.length;
    this.signal = planeSpectra(signal, shape);
    this.noises = noises.map((noise) => planeSpectra(noise, shape));
  }

  /**
   * Per band, the sums that all statistics are made of.
   *
   * @param fits [H,W,channels] each, in the order of the draws.
   * @throws RunError where a value is not finite.
   */
  response(fits: readonly ArrayLike<number>[], partition: BandPartition): BandGrams[] {
    if (fits.length !== this.draws) throw new RangeError(`${fits.length} fits for ${this.draws} draws`);
    const spectra = fits.map((fit) => planeSpectra(fit, this.shape));
    const { draws: m, signal, noises } = this;
    const zeros = () => partition.bands.map(() => new Float64Array(m * m));
    const [fitGrams, copies, noiseGrams] = [zeros(), zeros(), zeros()];
    const cross = partition.bands.map(() => new Float64Array(m));
    const energy = new Float64Array(partition.bands.length);
    const add = (to: Float64Array[], at: number, a: Complex, b: Complex) => {
      const { membership } = partition;
      for (let k = 0; k < membership.length; k++) to[membership[k]][at] += a.re[k] * b.re[k] + a.im[k] * b.im[k];
    };
    for (const [channel, s] of signal.entries()) {
      for (let k = 0; k < partition.membership.length; k++) {
        energy[partition.membership[k]] += s.re[k] ** 2 + s.im[k] ** 2;
      }
      for (let i = 0; i < m; i++) {
        add(cross, i, s, spectra[i][channel]);
        for (let j = 0; j < m; j++) add(copies, i * m + j, noises[i][channel], spectra[j][channel]);
        for (let j = 0; j <= i; j++) {
          add(fitGrams, i * m + j, spectra[i][channel], spectra[j][channel]);
          add(noiseGrams, i * m + j, noises[i][channel], noises[j][channel]);
        }
      }
    }
    const modes = partition.bands.map((band) => band.modes * signal.length);
    const least = leastEnergies(energy, modes, this.rounding * partition.membership.length);
    return partition.bands.map((_, b) => ({
      signal: energy[b],
      leastSignal: least[b],
      cross: cross[b],
      fits: mirror(fitGrams[b], m),
      copies: copies[b],
      noises: mirror(noiseGrams[b], m),
    }));
  }
}

/**
 * The statistics of one band. Draw m counts `counts[m]` times: once, or not at all where the jackknife leaves it out.
 */
export function noiseStatistics(
  grams: BandGrams,
  band: Band,
  { width, height, channels }: Shape,
  counts?: ArrayLike<number>,
): BandNoise {
  const m = grams.cross.length;
  const weight = (i: number) => (counts ? counts[i] : 1);
  let [total, crossed] = [0, 0];
  for (let i = 0; i < m; i++) {
    total += weight(i);
    crossed += weight(i) * grams.cross[i];
  }
  /** Σ of a Gram's diagonal, and its mean over all pairs: together, the scatter about the mean. */
  const sums = (gram: Float64Array) => {
    let [diagonal, all] = [0, 0];
    for (let i = 0; i < m; i++) {
      diagonal += weight(i) * gram[i * m + i];
      for (let j = 0; j < m; j++) all += (weight(i) * weight(j) * gram[i * m + j]) / total;
    }
    return { scatter: diagonal - all, ofMean: all / total };
  };
  const [fits, copies, noises] = [sums(grams.fits), sums(grams.copies), sums(grams.noises)];
  const meanCross = crossed / total;
  const divisor = channels * (width * height) ** 2;
  const variance = fits.scatter / (total - 1);
  const noiseCopy = copies.scatter / noises.scatter;
  return {
    ...band,
    transfer: grams.signal > grams.leastSignal ? meanCross / grams.signal : Number.NaN,
    noiseGain: fits.scatter / noises.scatter,
    noiseCopy,
    degreesOfFreedom: band.modes * noiseCopy,
    biasSquaredMse: (fits.ofMean - 2 * meanCross + grams.signal - variance / total) / divisor,
    varianceMse: variance / divisor,
  };
}

/** Draws that intervals need: with one left out, two must remain to scatter. */
const DRAWS_FOR_INTERVALS = 3;

/** The statistics of all bands with 95 % jackknife intervals over draws (G, a ratio of energies, on a log scale). */
export function noiseByBand(
  grams: readonly BandGrams[],
  bands: readonly Band[],
  shape: Shape,
): BandNoiseWithIntervals[] {
  return bands.map((band, b) => {
    const estimate = noiseStatistics(grams[b], band, shape);
    const others = leaveOneOut(grams[b].cross.length, (counts) => noiseStatistics(grams[b], band, shape, counts));
    const intervals = STATISTICS.flatMap((name) => {
      const scale = name === 'noiseGain' ? 'log' : 'linear';
      const [low, high] = jackknifeInterval(
        estimate[name],
        others.map((other) => other[name]),
        scale,
      );
      return [
        [`${name}Low`, low],
        [`${name}High`, high],
      ];
    });
    return { ...estimate, ...Object.fromEntries(intervals) } as BandNoiseWithIntervals;
  });
}

/** Σ_b n_b·C_b, the degrees of freedom of the whole fit, per channel, with its 95 % jackknife interval over draws. */
export function totalDegreesOfFreedom(grams: readonly BandGrams[], bands: readonly Band[], shape: Shape): Estimate {
  const total = (counts?: ArrayLike<number>) =>
    bands.reduce((sum, band, b) => sum + noiseStatistics(grams[b], band, shape, counts).degreesOfFreedom, 0);
  const value = total();
  return { value, interval: jackknifeInterval(value, leaveOneOut(grams[0].cross.length, total)) };
}

function leaveOneOut<T>(draws: number, statistic: (counts: ArrayLike<number>) => T): T[] {
  if (draws < DRAWS_FOR_INTERVALS) return [];
  return Array.from({ length: draws }, (_, out) =>
    statistic(Float64Array.from({ length: draws }, (_, m) => (m === out ? 0 : 1))),
  );
}

/** The DFT of each channel of an interleaved image. */
export function planeSpectra(image: ArrayLike<number>, { width, height, channels }: Shape): Complex[] {
  if (image.length !== width * height * channels) {
    throw new RangeError(
      `${width}x${height}x${channels} needs ${width * height * channels} values, got ${image.length}`,
    );
  }
  return Array.from({ length: channels }, (_, channel) => {
    const plane = new Float64Array(width * height);
    for (let i = 0, at = channel; i < plane.length; i++, at += channels) plane[i] = image[at];
    if (!plane.every(Number.isFinite))
      throw new RunError('an image holds values that are not finite; lower the learning rate, or the disturbance');
    return fft2(plane, width, height);
  });
}

function mirror(lower: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) lower[j * n + i] = lower[i * n + j];
  return lower;
}
