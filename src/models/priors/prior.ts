/** The contract of priors: where new latents come from, once a model is trained. */

import { Random } from '../../random.ts';

/** What was fitted, by name: data, so that it can be stored. */
export type FittedPrior = Record<string, Float32Array | Float64Array>;

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

/** What `--prior` names. */
export interface Prior {
  /** Whether `temperature` means anything to it. */
  hasTemperature: boolean;
  /** @param latents of the training images, [N,D] row-major. */
  fit(latents: Float32Array, dimensions: number): FittedPrior | Promise<FittedPrior>;
  /** New latents [count,D]; draw n of a seed is the same whatever the count. */
  sample(fitted: FittedPrior, dimensions: number, draws: PriorDraws): Float32Array | Promise<Float32Array>;
}
