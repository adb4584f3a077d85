/** A noise study as an evaluation: flat metrics, octaves and rings at the last step, trajectories over training. */
import type { BandNoiseWithIntervals } from './noise.ts';
import { type PsnrCurve, summarizePsnrCurve } from './noiseCurves.ts';
import type { EncodingStudy, LevelStudy, NoiseStudyData } from './noiseStudyData.ts';
import { kernelGainAt, type WienerReference } from './noiseTheory.ts';
import type { BandEntry, EvaluationResult } from './result.ts';

export interface NoiseResult extends EvaluationResult {
  wiener: WienerReference[];
  /** One entry a step, band, encoding and noise level would be long: one a step, with the bands inside. */
  trajectories: { encoding: string; sigma: number; steps: LevelStudy['trajectory'] }[];
  impulses: { encoding: string; peak: number; energy: number; rmsRadiusPixels: number }[];
  kernels: { encoding: string; window: string; bands: EncodingStudy['kernel']['bands'] }[];
}

/** Peak, final and drop of the PSNR against the clean image. */
export function cleanCurve(level: LevelStudy): PsnrCurve {
  const { trajectory } = level;
  return summarizePsnrCurve(
    trajectory.map(({ step }) => step),
    trajectory.map(({ psnrCleanDb }) => psnrCleanDb),
  );
}

/** Statistics beside their references: the kernel's G at the same T, and Wiener's T and G. */
function withReferences(
  study: EncodingStudy,
  sigma: number,
  bands: readonly BandNoiseWithIntervals[],
  wiener?: WienerReference,
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

export function noiseResult(data: NoiseStudyData): NoiseResult {
  const { image, studies, wiener, draws, optimizer, steps, points, impulseAmplitude } = data;
  const metrics: Record<string, number> = {};
  for (const { sigma, psnrDb, isotropicPsnrDb, crossingCyclesPerPixel } of wiener) {
    metrics[`noise_s${sigma}_wiener_psnr_db`] = psnrDb;
    metrics[`noise_s${sigma}_wiener_isotropic_psnr_db`] = isotropicPsnrDb;
    metrics[`noise_s${sigma}_crossing_cycles_per_pixel`] = crossingCyclesPerPixel;
  }
  for (const { encoding, levels, cleanPsnrDb, impulses } of studies) {
    const name = `noise_${encoding.kind}`;
    metrics[`${name}_s0_psnr_db`] = cleanPsnrDb[cleanPsnrDb.length - 1];
    for (const level of levels) {
      const prefix = `${name}_s${level.sigma}_m${draws}`;
      const [curve, last] = [cleanCurve(level), level.trajectory[level.trajectory.length - 1]];
      metrics[`${prefix}_clean_psnr_peak_db`] = curve.peakDb;
      metrics[`${prefix}_clean_psnr_peak_step`] = curve.peakStep;
      metrics[`${prefix}_clean_psnr_final_db`] = curve.finalDb;
      metrics[`${prefix}_clean_psnr_drop_db`] = curve.dropDb;
      metrics[`${prefix}_noisy_psnr_final_db`] = last.psnrNoisyDb;
      metrics[`${prefix}_degrees_of_freedom`] = last.bands.reduce((sum, band) => sum + band.degreesOfFreedom, 0);
      for (const band of last.bands) {
        metrics[`${prefix}_transfer_${band.name}`] = band.transfer;
        metrics[`${prefix}_noise_gain_${band.name}`] = band.noiseGain;
        metrics[`${prefix}_noise_copy_${band.name}`] = band.noiseCopy;
      }
    }
    if (impulses.length === 0) continue;
    const mean = (key: keyof (typeof impulses)[number]) =>
      impulses.reduce((sum, impulse) => sum + impulse[key], 0) / impulses.length;
    metrics[`${name}_impulse_n${impulses.length}_peak`] = mean('peak');
    metrics[`${name}_impulse_n${impulses.length}_energy`] = mean('energy');
    metrics[`${name}_impulse_n${impulses.length}_rms_radius_pixels`] = mean('rmsRadiusPixels');
  }
  const flat = <T>(entries: (study: EncodingStudy, level: LevelStudy, at: number) => T[]) =>
    studies.flatMap((study) => study.levels.flatMap((level, at) => entries(study, level, at)));
  return {
    protocol:
      `${image.name}, ${image.width}x${image.height}x3, sRGB-encoded in [0,1], white Gaussian noise added and not clipped; ` +
      `${draws} draws, the same for all levels and encodings; ${optimizer}, ${steps} steps on ${points} pixels each, identical ` +
      'initial weights and batches; fits neither clamped nor quantised; unwindowed DFT in float64, summed over channels; G and ' +
      'C over realised noise energy; intervals: 95 % percentile bootstrap over draws; impulses of ' +
      `${impulseAmplitude} in all channels`,
    metrics,
    bands: flat((study, level, at) =>
      withReferences(study, level.sigma, level.trajectory[level.trajectory.length - 1].bands, wiener[at]),
    ),
    rings: flat((study, level) => withReferences(study, level.sigma, level.rings)),
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
