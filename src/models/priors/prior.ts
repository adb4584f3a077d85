/** The contract of priors: where new latents come from, once a model is trained. */

import { Random } from '../../random.ts';

/** What was fitted, by name: data, so that it can be stored. */
export type FittedPrior = Record<string, Float32Array | Float64Array>;

/** Latents of N training images. */
export interface LatentSet {
  /** [N,D] row-major. */
  means: Float32Array;
  /** Standard deviations of q(z|x) = N(mean, diag deviation²), [N,D], where an encoder gives them. */
  deviations?: Float32Array;
  /** D */
  dimensions: number;
}

export interface PriorDraws {
  seed: number;
  count: number;
  /** Scales the deviation from what is likeliest: below 1, likelier and less varied. */
  temperature: number;
}

/** The generator of draw n of a seed, the same whatever else is drawn. */
export function randomOfDraw(seed: number, n: number): Random {
  return new Random(seed, 'sample', n);
}

/** What every prior can do. */
interface Drawn {
  /** Whether `temperature` means anything to it. */
  hasTemperature: boolean;
  /** New latents [count,D]; draw n of a seed is the same whatever the count. */
  sample(fitted: FittedPrior, dimensions: number, draws: PriorDraws): Float32Array | Promise<Float32Array>;
}

/** Fitted at once, whenever it is needed. */
export interface ClosedFormPrior extends Drawn {
  /** @param latents of the training images, [N,D] row-major. */
  fit(latents: Float32Array, dimensions: number): FittedPrior | Promise<FittedPrior>;
}

/** Fitted by the training loop, once, and stored with the run (src/train/prior.ts). */
export interface TrainedPrior extends Drawn {
  fit: { objective: 'flow' };
}

/** What `--prior` names. */
export type Prior = ClosedFormPrior | TrainedPrior;

export function isClosedForm(prior: Prior): prior is ClosedFormPrior {
  return typeof prior.fit === 'function';
}

/** A prior that was fitted earlier, and kept. */
export interface StoredPrior {
  name: string;
  fitted: FittedPrior;
  /** Whether it was fitted to these very latents. */
  isCurrent: boolean;
  /** Step of the checkpoint that it was fitted to. */
  step: number;
  /** What is known of the fit, in words. */
  about: string;
}
