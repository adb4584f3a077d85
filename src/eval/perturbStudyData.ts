/** What disturbing a generator measures, and the same as an evaluation. */
import type { Band } from './bands.ts';
import type { Interval } from './bootstrap.ts';
import type { BandChange } from './perturb.ts';
import type { BandEntry, EvaluationResult } from './result.ts';

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
  images: number;
  repeats: number;
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

/** What entries of path length are called among those of disturbances. */
export const PATH_LENGTH = 'path_length';

/** Flat metrics of octaves with intervals, and every band of every disturbance. */
export function perturbationsResult({ images, repeats, perturbations, pathLength }: PerturbStudy): EvaluationResult {
  const metrics: Record<string, number> = {};
  const intervals: Record<string, Interval> = {};
  const put = (name: string, value: number, interval: Interval) => {
    metrics[name] = value;
    if (interval.every(Number.isFinite)) intervals[name] = interval;
  };
  for (const { kind, size, bands } of perturbations) {
    for (const { name, kind: of, relativeChange, relativeChangeLow, relativeChangeHigh } of bands) {
      if (of !== 'octave') continue;
      const interval = [relativeChangeLow, relativeChangeHigh] as const;
      put(`perturb_${kind}_${size}_n${images}_change_${name}`, relativeChange, interval);
    }
  }
  for (const band of pathLength?.bands ?? []) {
    const name = `${PATH_LENGTH}_e${pathLength?.epsilon}_n${pathLength?.pairs}_${band.name}`;
    put(name, band.pathLength, [band.pathLengthLow, band.pathLengthHigh]);
  }
  const entries = (of: 'bands' | 'rings'): BandEntry[] => [
    ...perturbations.flatMap(({ kind, size, [of]: bands }) =>
      bands.map((band) => ({ perturbation: kind, size, ...band }) as BandEntry),
    ),
    ...(pathLength?.[of] ?? []).map((band) => ({ perturbation: PATH_LENGTH, size: pathLength!.epsilon, ...band })),
  ];
  return {
    protocol:
      `${images} training image${images === 1 ? '' : 's'}, ${repeats} random disturbance${repeats === 1 ? '' : 's'} of each, ` +
      'independent of each other; relative change ' +
      'E‖Π_bΔf‖²/‖Π_bf‖² over images and channels, of floats that are neither clamped nor quantised, unwindowed DFT; 95 % ' +
      `jackknife intervals over ${images > 1 ? 'images' : 'disturbances'} (path length: over pairs). ` +
      'latent: times the standard deviation of the training latents; weights: relative to the norm of all weights, ' +
      'weights-layer: to that of each layer; jitter: pixels; frequencies: cycles per image; path_length: ε',
    metrics,
    intervals,
    bands: entries('bands'),
    rings: entries('rings'),
  };
}
