/** What disturbing a generator measures, and the same as an evaluation. */
import type { BandChange } from './perturb.ts';
import type { EvaluationResult } from './result.ts';

export interface Perturbation {
  /** `latent`, `weights`, `weights-layer`, `weights-layer-N`, `jitter`, `frequencies`. */
  kind: string;
  /** Relative, or in pixels (jitter), or in cycles per image (frequencies). */
  size: number;
  bands: BandChange[];
  /** Closed forms, for jitter: T and relative change of each band. */
  predicted?: { transfer: number; relativeChange: number }[];
}

export interface PerturbStudy {
  images: number;
  repeats: number;
  perturbations: Perturbation[];
  pathLength?: PathLength;
}

export interface PathLength {
  epsilon: number;
  pairs: number;
  /** E‖Π_b(f(z+ε(z'−z)) − f(z))‖²/ε² per pixel and channel. */
  bands: { name: string; pathLength: number; low: number; high: number }[];
}

/** Flat metrics of octaves, and every band of every disturbance. */
export function perturbationsResult({ images, repeats, perturbations, pathLength }: PerturbStudy): EvaluationResult {
  const metrics: Record<string, number> = {};
  for (const { kind, size, bands } of perturbations) {
    for (const band of bands) {
      if (band.kind === 'octave')
        metrics[`perturb_${kind}_${size}_n${images}_change_${band.name}`] = band.relativeChange;
    }
  }
  for (const { name, pathLength: length } of pathLength?.bands ?? []) {
    metrics[`path_length_e${pathLength?.epsilon}_n${pathLength?.pairs}_${name}`] = length;
  }
  return {
    protocol:
      `${images} training images, ${repeats} random disturbances of each; relative change E‖Π_bΔf‖²/‖Π_bf‖² over images and ` +
      'channels, of floats that are neither clamped nor quantised, unwindowed DFT; 95 % bootstrap intervals over images. ' +
      'latent: times the standard deviation of the training latents; weights: relative to the norm of all weights, ' +
      'weights-layer: to that of each layer; jitter: pixels; frequencies: cycles per image',
    metrics,
    bands: perturbations.flatMap(({ kind, size, bands, predicted }) =>
      bands.map((band, b) => ({
        perturbation: kind,
        size,
        ...band,
        ...(predicted && {
          predictedTransfer: predicted[b].transfer,
          predictedRelativeChange: predicted[b].relativeChange,
        }),
      })),
    ),
  };
}
