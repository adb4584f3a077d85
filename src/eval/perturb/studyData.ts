/** What disturbing a generator measures, and the same as an evaluation. */

import { type BandEntry, type EvaluationResult, FlatNumbers } from '../../metrics/result.ts';
import type { Band } from '../../metrics/signal/bands.ts';
import type { BandChange } from './changes.ts';

/** Closed forms, for jitter, beside what was measured. */
export type PredictedChange = BandChange & { predictedTransfer?: number; predictedRelativeChange?: number };

export interface Perturbation {
  /** `latent`, `weights`, `weights-layer`, `weights-layer-N`, `jitter`, `frequencies`. */
  kind: string;
  /** Relative, or in pixels (jitter), or in cycles per image (frequencies). */
  size: number;
  bands: PredictedChange[];
  rings: PredictedChange[];
}

export interface PerturbStudy {
  /** Step of the checkpoint that was disturbed. */
  step: number;
  images: number;
  /** Random disturbances of each image. */
  repeats: number;
  seed: number;
  perturbations: Perturbation[];
  pathLength?: PathLength;
}

/** E‖Π_b(f(z+ε(z'−z)) − f(z))‖²/ε² per pixel and channel, with its 95 % interval over pairs. */
export type BandPathLength = Band & { pathLength: number; pathLengthLow: number; pathLengthHigh: number };

export interface PathLength {
  epsilon: number;
  pairs: number;
  bands: BandPathLength[];
  rings: BandPathLength[];
}

/** `eval/perturb.json`. */
export interface PerturbResult extends EvaluationResult {
  /** What a later, smaller study must not replace: see `isLarger`. */
  study: Pick<PerturbStudy, 'step' | 'images' | 'repeats' | 'seed'>;
}

/** Whether a study says more of the same checkpoint than one of so many disturbances would. */
export function isLarger(study: PerturbResult['study'] | undefined, step: number, disturbances: number): boolean {
  return study?.step === step && study.images * study.repeats > disturbances;
}

/** What entries of path length are called among those of disturbances. */
export const PATH_LENGTH = 'path_length';

/** Flat metrics of `bands` with intervals, and every band and ring of every disturbance. */
export function perturbationsResult(data: PerturbStudy): PerturbResult {
  const { step, images, repeats, seed, perturbations, pathLength } = data;
  const numbers = new FlatNumbers();
  for (const { kind, size, bands } of perturbations) {
    for (const { name, relativeChange, relativeChangeLow, relativeChangeHigh } of bands) {
      if (Number.isNaN(relativeChange)) continue;
      const interval = [relativeChangeLow, relativeChangeHigh] as const;
      numbers.put(`perturb_${kind}_${size}_n${images}x${repeats}_change_${name}`, relativeChange, interval);
    }
  }
  for (const band of pathLength?.bands ?? []) {
    const name = `${PATH_LENGTH}_e${pathLength?.epsilon}_n${pathLength?.pairs}_${band.name}`;
    numbers.put(name, band.pathLength, [band.pathLengthLow, band.pathLengthHigh]);
  }
  const entries = (of: 'bands' | 'rings'): BandEntry[] => [
    ...perturbations.flatMap(({ kind, size, [of]: bands }) =>
      bands.map((band) => ({ perturbation: kind, size, ...band }) as BandEntry),
    ),
    ...(pathLength?.[of] ?? []).map((band) => ({ perturbation: PATH_LENGTH, size: pathLength!.epsilon, ...band })),
  ];
  const empty = perturbations[0].bands.filter((band) => Number.isNaN(band.relativeChange)).map(({ name }) => name);
  return {
    study: { step, images, repeats, seed },
    protocol:
      `${images} training image${images === 1 ? '' : 's'}, ${repeats} random disturbance${repeats === 1 ? '' : 's'} of each, ` +
      `independent of each other, seed ${seed}; checkpoint of step ${step}; relative change ` +
      'E‖Π_bΔf‖²/‖Π_bf‖² over images and channels, of floats that are neither clamped nor quantised, unwindowed DFT; 95 % ' +
      `jackknife intervals over ${images > 1 ? 'images' : 'disturbances'} (path length: over pairs). ` +
      'latent: times the standard deviation of the training latents; weights: relative to the norm of all weights, ' +
      'weights-layer: to that of each layer; jitter: pixels; frequencies: cycles per image; path_length: ε',
    metrics: numbers.metrics,
    intervals: numbers.intervals,
    notes:
      empty.length === 0
        ? []
        : [`change is left out of ${empty.join(', ')}: the images hold nothing there but rounding`],
    bands: entries('bands'),
    rings: entries('rings'),
  };
}
