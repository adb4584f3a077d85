/** Disturbs a trained generator in every way that has a name, and measures per band what changes. */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { planeSpectra } from '../../metrics/noiseResponse.ts';
import type { BandPartition } from '../../metrics/signal/bands.ts';
import type { Complex } from '../../metrics/signal/fft.ts';
import { Random } from '../../random.ts';
import { withFields } from '../../render/drawableField.ts';
import { imageFields } from '../../render/model.ts';
import { spreadIndices } from '../../render/reconstructions.ts';
import { renderImagesFloat } from '../../render/render.ts';
import type { OpenedModel } from '../../run/openModel.ts';
import { type BandChange, BandChanges } from './changes.ts';
import { predictJitter } from './jitter.ts';
import { pathLength } from './pathLength.ts';
import { type PerturbationSizes, perturbationKinds } from './perturbations.ts';
import type { Perturbation, PerturbStudy, PredictedChange } from './studyData.ts';

export interface PerturbOptions extends PerturbationSizes {
  /** Training images disturbed. */
  images: number;
  /** Random disturbances of each. */
  repeats: number;
  /** ε of the path length. */
  epsilon: number;
  seed: number;
  onProgress?(done: number, total: number): void;
}

/** Sizes at which a disturbance can be told from none and leaves something of the image. */
export const DEFAULT_PERTURBATIONS = {
  sizes: [0.01, 0.1],
  jitters: [0.25, 1],
  frequencyShifts: [0.1, 0.5],
  epsilon: 0.01,
} as const satisfies Partial<PerturbOptions>;

/**
 * Disturbs some training images in every way, and measures per band what changes. Images are disturbed independently of
 * each other, as the jackknife over them needs.
 */
export async function perturbRun(model: OpenedModel, options: PerturbOptions): Promise<PerturbStudy> {
  const { training } = model;
  const { width, height } = training;
  const { seed, repeats, onProgress } = options;
  const chosen = spreadIndices(model.imageNames.length, options.images);
  const kinds = await perturbationKinds(model, options);
  const changes = kinds.map(() => new BandChanges(width, height));
  const power = new Float64Array(width * height);
  for (const [done, image] of chosen.entries()) {
    await eventLoopTurn(); // lets Ctrl-C in
    await withFields(imageFields(model, [image]), async (field) => {
      const [before] = await renderImagesFloat(field, training);
      const spectra = planeSpectra(before, { ...training, channels: 3 });
      addPower(spectra, power);
      for (const [k, { perturb }] of kinds.entries()) {
        for (let repeat = 0; repeat < repeats; repeat++) {
          const random = new Random(seed, 'disturbances', (image * kinds.length + k) * repeats + repeat);
          const after = await perturb(field, image, random);
          changes[k].add(image, spectra, planeSpectra(after, { ...training, channels: 3 }));
        }
      }
    });
    onProgress?.(done + 1, chosen.length);
  }
  const perturbations = kinds.map(({ kind, size }, k): Perturbation => {
    const { bands, rings } = changes[k].result();
    if (kind !== 'jitter') return { kind, size, bands, rings };
    const { octaves, rings: ringPartition } = changes[k];
    return {
      kind,
      size,
      bands: withPrediction(bands, power, octaves, size),
      rings: withPrediction(rings, power, ringPartition, size),
    };
  });
  const hasPaths = model.latents !== undefined && model.imageNames.length > 1;
  return {
    step: model.step,
    images: chosen.length,
    repeats,
    seed,
    perturbations,
    ...(hasPaths && {
      pathLength: await pathLength(model, { pairs: chosen.length * repeats, epsilon: options.epsilon, seed }),
    }),
  };
}

function addPower(spectra: readonly Complex[], power: Float64Array): void {
  for (const { re, im } of spectra) for (let k = 0; k < power.length; k++) power[k] += re[k] ** 2 + im[k] ** 2;
}

function withPrediction(
  bands: readonly BandChange[],
  power: Float64Array,
  partition: BandPartition,
  deviation: number,
): PredictedChange[] {
  const { transfer, relativeChange } = predictJitter(power, partition, deviation, 'drawn');
  return bands.map((band, b) => ({
    ...band,
    predictedTransfer: transfer[b],
    predictedRelativeChange: relativeChange[b],
  }));
}
