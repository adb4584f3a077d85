/** A noise study as an evaluation: flat metrics, octaves and rings at the last step, trajectories over training. */

import type { BandNoiseWithIntervals } from '../../metrics/noiseResponse.ts';
import { type BandEntry, type EvaluationResult, FlatNumbers } from '../../metrics/result.ts';
import { type Interval, meanOf } from '../../metrics/signal/bootstrap.ts';
import { jackknife } from '../../metrics/signal/jackknife.ts';
import { kernelGainAt, type WienerBaseline } from './baselines.ts';
import { type ImpulseResponse, type PsnrCurve, summarizePsnrCurve } from './curves.ts';
import type { EncodingStudy, LevelStudy, NoiseStudyData } from './studyData.ts';

export interface NoiseResult extends EvaluationResult {
  wiener: WienerBaseline[];
  /** One entry for each encoding and noise level: its steps, with the bands inside. */
  trajectories: { encoding: string; sigma: number; steps: LevelStudy['trajectory'] }[];
  impulses: { encoding: string; peak: number; energy: number; rmsRadiusPixels: number }[];
  kernels: { encoding: string; window: string; bands: EncodingStudy['kernel']['bands'] }[];
}

const IMPULSE = { peak: 'peak', energy: 'energy', rms_radius_pixels: 'rmsRadiusPixels' } as const;

/** Peak, final and drop of the PSNR against the clean image, mean over draws, with jackknife intervals over draws. */
export function cleanCurve({ trajectory }: LevelStudy): PsnrCurve & {
  intervals: Record<'peakDb' | 'finalDb' | 'dropDb', Interval>;
} {
  const steps = trajectory.map(({ step }) => step);
  const curveOf = (draws: readonly number[]) => {
    const psnrs = trajectory.map(({ psnrCleanDbOfDraws }) => meanOf(draws.map((m) => psnrCleanDbOfDraws[m])));
    return summarizePsnrCurve(steps, psnrs);
  };
  const draws = trajectory[0].psnrCleanDbOfDraws.map((_, m) => m);
  const intervalOf = (key: keyof PsnrCurve) => jackknife(draws, (some) => curveOf(some)[key]).interval;
  return {
    ...curveOf(draws),
    intervals: { peakDb: intervalOf('peakDb'), finalDb: intervalOf('finalDb'), dropDb: intervalOf('dropDb') },
  };
}

/** Statistics beside their baselines: the kernel's G at the same T, and Wiener's T and G. */
function withBaselines(
  study: EncodingStudy,
  sigma: number,
  bands: readonly BandNoiseWithIntervals[],
  wiener?: WienerBaseline,
): BandEntry[] {
  return bands.map((band, b) => ({
    encoding: study.encoding.kind,
    sigma,
    ...band,
    ...(wiener && {
      kernelGainAtSameTransfer: kernelGainAt(study.kernel, band, band.transfer),
      wienerTransfer: wiener.bands[b].transfer,
      wienerGain: wiener.bands[b].gain,
    }),
  }));
}

/** `WIDTHxHEIGHTpx`, of squares `SIZEpx`: what a number of an image depends on besides the noise. */
const sizeOf = ({ width, height }: NoiseStudyData['image']) => `${width === height ? width : `${width}x${height}`}px`;

/**
 * Start of the names of an encoding's metrics, at one noise level or over all; size, optimiser and steps are part of
 * it.
 */
export function noisePrefix({ image, optimizer, steps }: NoiseStudyData, encoding: string, sigma?: number): string {
  return `noise_${encoding}${sigma === undefined ? '' : `_s${sigma}`}_${sizeOf(image)}_${optimizer}${steps}`;
}

/** The study as `noise.json` holds it. */
export function noiseResult(data: NoiseStudyData): NoiseResult {
  const { image, studies, wiener, draws, optimizer, steps, points, settings, impulseAmplitude } = data;
  const { metrics, intervals } = flatNumbers(data);
  const flat = <T>(entries: (study: EncodingStudy, level: LevelStudy, at: number) => T[]) =>
    studies.flatMap((study) => study.levels.flatMap((level, at) => entries(study, level, at)));
  return {
    protocol:
      `${image.name}, ${image.width}x${image.height}x3, sRGB-encoded in [0,1], white Gaussian noise added and not clipped; ` +
      `${draws} draws, the same for all levels and encodings; ${optimizer}, ${steps} steps on ${points} pixels each, identical ` +
      `initial weights and batches; ${settings}; fits neither clamped nor quantised; unwindowed DFT in float64, summed over ` +
      'channels; G and C over realised noise energy; intervals: 95 % jackknife over draws (of impulses: over pixels); impulses of ' +
      `${impulseAmplitude} in all channels`,
    metrics,
    intervals,
    notes: notesOf(data),
    bands: flat((study, level, at) =>
      withBaselines(study, level.sigma, level.trajectory[level.trajectory.length - 1].bands, wiener[at]),
    ),
    rings: flat((study, level) => withBaselines(study, level.sigma, level.rings)),
    wiener: [...wiener],
    trajectories: flat(({ encoding }, { sigma, trajectory }) => [
      { encoding: encoding.kind, sigma, steps: trajectory },
    ]),
    impulses: studies.flatMap(({ encoding, impulses }) =>
      impulses.map((impulse) => ({ encoding: encoding.kind, ...impulse })),
    ),
    kernels: studies.map(({ encoding, kernel }) => ({
      encoding: encoding.kind,
      window: `${kernel.width}x${kernel.height}${kernel.exact ? ', the whole image' : ' in the middle'}`,
      bands: kernel.bands,
      ...(kernel.atSteps && { atSteps: kernel.atSteps }),
    })),
  };
}

/** Wiener's numbers for each noise level, then those of each encoding's fits. */
function flatNumbers(data: NoiseStudyData): FlatNumbers {
  const { image, studies, wiener, draws, impulseAmplitude } = data;
  const numbers = new FlatNumbers();
  for (const { sigma, psnrDb, isotropicPsnrDb, crossingCyclesPerPixel } of wiener) {
    const prefix = `noise_s${sigma}_${sizeOf(image)}`;
    numbers.put(`${prefix}_wiener_psnr_db`, psnrDb);
    numbers.put(`${prefix}_wiener_isotropic_psnr_db`, isotropicPsnrDb);
    numbers.put(`${prefix}_crossing_cycles_per_pixel`, crossingCyclesPerPixel);
  }
  for (const { encoding, levels, cleanPsnrDb, impulses } of studies) {
    numbers.put(`${noisePrefix(data, encoding.kind, 0)}_psnr_db`, cleanPsnrDb[cleanPsnrDb.length - 1]);
    for (const level of levels) {
      const prefix = `${noisePrefix(data, encoding.kind, level.sigma)}_m${draws}`;
      const [curve, last] = [cleanCurve(level), level.trajectory[level.trajectory.length - 1]];
      numbers.put(`${prefix}_clean_psnr_peak_db`, curve.peakDb, curve.intervals.peakDb);
      numbers.put(`${prefix}_clean_psnr_peak_step`, curve.peakStep);
      numbers.put(`${prefix}_clean_psnr_final_db`, curve.finalDb, curve.intervals.finalDb);
      numbers.put(`${prefix}_clean_psnr_drop_db`, curve.dropDb, curve.intervals.dropDb);
      const noisy = jackknife(last.psnrNoisyDbOfDraws, meanOf);
      numbers.put(`${prefix}_noisy_psnr_final_db`, noisy.value, noisy.interval);
      numbers.put(`${prefix}_degrees_of_freedom`, level.degreesOfFreedom.value, level.degreesOfFreedom.interval);
      for (const band of last.bands) {
        if (!Number.isNaN(band.transfer))
          numbers.put(`${prefix}_transfer_${band.name}`, band.transfer, [band.transferLow, band.transferHigh]);
        numbers.put(`${prefix}_noise_gain_${band.name}`, band.noiseGain, [band.noiseGainLow, band.noiseGainHigh]);
        numbers.put(`${prefix}_noise_copy_${band.name}`, band.noiseCopy, [band.noiseCopyLow, band.noiseCopyHigh]);
      }
    }
    if (impulses.length === 0) continue;
    for (const [label, key] of Object.entries(IMPULSE)) {
      const mean = (some: readonly ImpulseResponse[]) => meanOf(some.map((impulse) => impulse[key]));
      const { value, interval } = jackknife(impulses, mean, key === 'peak' ? 'linear' : 'log');
      numbers.put(
        `${noisePrefix(data, encoding.kind)}_impulse_a${impulseAmplitude}_n${impulses.length}_${label}`,
        value,
        interval,
      );
    }
  }
  return numbers;
}

function notesOf(data: NoiseStudyData): string[] {
  const names = bandsWithoutSignal(data);
  return names.length === 0 ? [] : [`transfer is left out of ${names.join(', ')}: ${WITHOUT_SIGNAL}`];
}

/** Why a band has no T. */
export const WITHOUT_SIGNAL = 'the image holds less there than 10 times what rounding its values leaves';

/** The octaves that have no T. */
export function bandsWithoutSignal({ wiener }: NoiseStudyData): string[] {
  return wiener[0].bands.filter(({ transfer }) => Number.isNaN(transfer)).map(({ name }) => name);
}
