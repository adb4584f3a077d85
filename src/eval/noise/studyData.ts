/** What a noise study measures: fits of one image by several encodings, under several levels of noise. */

import type { BandNoiseWithIntervals } from '../../metrics/noiseResponse.ts';
import type { Estimate } from '../../metrics/signal/jackknife.ts';
import type { EncodingConfig } from '../../models/encodings/registry.ts';
import type { KernelBaseline, WienerBaseline } from './baselines.ts';
import type { ImpulseResponse } from './curves.ts';
import type { StudyImage } from './studyImage.ts';

/** What the fits of one encoding at one noise level were at one step of training. */
export interface NoiseAtStep {
  step: number;
  /** Means over draws of the PSNR against the clean and against the noisy image, of unclamped values. */
  psnrCleanDb: number;
  psnrNoisyDb: number;
  /** The same PSNRs, of each draw. */
  psnrCleanDbOfDraws: number[];
  psnrNoisyDbOfDraws: number[];
  bands: BandNoiseWithIntervals[];
}

export interface LevelStudy {
  sigma: number;
  trajectory: NoiseAtStep[];
  /** At the last step. */
  rings: BandNoiseWithIntervals[];
  /** Degrees of freedom of the whole fit at the last step, per channel. */
  degreesOfFreedom: Estimate;
  /** Fit of the first draw at the last step, [H,W,3]. */
  lastFit: Float32Array;
}

export interface EncodingStudy {
  encoding: EncodingConfig;
  levels: LevelStudy[];
  /** PSNR of the fit to the clean image, at each step drawn. */
  cleanPsnrDb: number[];
  lastCleanFit: Float32Array;
  impulses: ImpulseResponse[];
  /** What the kernel of the untrained field predicts; see `baselines.ts`. */
  kernel: KernelBaseline;
}

/** A whole study. */
export interface NoiseStudyData {
  image: StudyImage;
  studies: readonly EncodingStudy[];
  /** One per noise level, in their order. */
  wiener: readonly WienerBaseline[];
  draws: number;
  optimizer: string;
  steps: number;
  /** Pixels seen in each step. */
  points: number;
  /** Field, learning rate and seed, in words. */
  settings: string;
  impulseAmplitude: number;
}
