/** Disturbs a trained generator in every way that has a name, and measures per band what changes. */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { pixelCentres } from '../../grid.ts';
import { planeSpectra } from '../../metrics/noiseResponse.ts';
import type { BandPartition } from '../../metrics/signal/bands.ts';
import type { Complex } from '../../metrics/signal/fft.ts';
import { fieldForward } from '../../ops/field.ts';
import { Random } from '../../random.ts';
import { type DrawableField, withFields } from '../../render/drawableField.ts';
import { imageFields, imageLatents, latentFields, latentsOf } from '../../render/model.ts';
import { spread } from '../../render/reconstructions.ts';
import { renderImagesFloat } from '../../render/render.ts';
import type { OpenedModel } from '../../run/openModel.ts';
import { tf } from '../../tf.ts';
import { type BandChange, BandChanges, perturbWeights } from './changes.ts';
import { predictJitter } from './jitter.ts';
import { pathLength } from './pathLength.ts';
import type { Perturbation, PerturbStudy, PredictedChange } from './studyData.ts';

export interface PerturbOptions {
  /** Training images disturbed. */
  images: number;
  /** Random disturbances of each. */
  repeats: number;
  /** Sizes of latent and weight disturbances, relative. */
  sizes: readonly number[];
  /** Standard deviations of coordinate jitter, in pixels. */
  jitters: readonly number[];
  /** Standard deviations of frequency disturbances, in cycles per image. */
  frequencyShifts: readonly number[];
  /** ε of the path length. */
  epsilon: number;
  seed: number;
  onProgress?(done: number, total: number): void;
}

/** Disturbances that are told apart from none, and leave something of the image. */
export const DISTURBANCES = {
  sizes: [0.01, 0.1],
  jitters: [0.25, 1],
  frequencyShifts: [0.1, 0.5],
  epsilon: 0.01,
} as const satisfies Partial<PerturbOptions>;

/** Each image is disturbed by itself, so that what happens to one says nothing about what happens to another. */
export async function perturbRun(model: OpenedModel, options: PerturbOptions): Promise<PerturbStudy> {
  const { training } = model;
  const { width, height } = training;
  const { seed, repeats, onProgress } = options;
  const chosen = spread(model.imageNames.length, options.images);
  const kinds = await kindsOf(model, options);
  const changes = kinds.map(() => new BandChanges(width, height));
  const power = new Float64Array(width * height);
  for (const [done, image] of chosen.entries()) {
    await eventLoopTurn(); // lets Ctrl-C in
    await withFields(imageFields(model, [image]), async (field) => {
      const [before] = await renderImagesFloat(field, training);
      const spectra = planeSpectra(before, { ...training, channels: 3 });
      addPower(spectra, power);
      for (const [k, { disturb }] of kinds.entries()) {
        for (let repeat = 0; repeat < repeats; repeat++) {
          const random = new Random(seed, 'disturbances', (image * kinds.length + k) * repeats + repeat);
          const after = await disturb(field, image, random);
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

interface Kind {
  kind: string;
  size: number;
  /** The image [H,W,3] of one field, drawn anew. */
  disturb(field: DrawableField, image: number, random: Random): Promise<Float32Array>;
}

async function kindsOf(model: OpenedModel, { sizes, jitters, frequencyShifts }: PerturbOptions): Promise<Kind[]> {
  const { training, generator } = model;
  const drawn = (fields: DrawableField) =>
    withFields(fields, async (field) => (await renderImagesFloat(field, training))[0]);
  const weights =
    (kind: 'isotropic' | 'layer', size: number, layer?: number): Kind['disturb'] =>
    (field, _, random) =>
      drawn({ ...field, weights: perturbWeights(field.weights, kind, size, random, layer) });
  const largest = Math.max(...sizes);
  const latents = model.latents ? await disturbedLatents(model) : undefined;
  return [
    ...(latents
      ? sizes.map(
          (size): Kind => ({
            kind: 'latent',
            size,
            disturb: (_, image, random) => drawn(latentFields(model, latents(image, size, random))),
          }),
        )
      : []),
    ...sizes.map((size): Kind => ({ kind: 'weights', size, disturb: weights('isotropic', size) })),
    ...sizes.map((size): Kind => ({ kind: 'weights-layer', size, disturb: weights('layer', size) })),
    ...generator.spec.layers.map(
      (_, l): Kind => ({ kind: `weights-layer-${l}`, size: largest, disturb: weights('layer', largest, l) }),
    ),
    ...jitters.map(
      (size): Kind => ({ kind: 'jitter', size, disturb: (field, _, random) => jittered(field, size, random) }),
    ),
    ...(generator.encoding.shifted
      ? frequencyShifts.map(
          (size): Kind => ({
            kind: 'frequencies',
            size,
            disturb: async (field, _, random) => {
              const encoding = field.encoding.shifted?.(size, random) ?? field.encoding;
              return (await renderImagesFloat({ ...field, encoding }, training))[0];
            },
          }),
        )
      : []),
  ];
}

/** Makes an image's latent plus a random direction of `size` times the latents' own spread. */
async function disturbedLatents(model: OpenedModel) {
  const { size: latentSize } = latentsOf(model);
  const table = await imageLatents(model);
  const deviation = spreadOf(table, latentSize);
  return (image: number, size: number, random: Random) =>
    Float32Array.from(
      { length: latentSize },
      (_, d) => table[image * latentSize + d] + size * deviation[d] * random.normal(),
    );
}

/** Standard deviation of each dimension over the training latents. */
function spreadOf(table: Float32Array, dimensions: number): Float64Array {
  const count = table.length / dimensions;
  const [mean, square] = [new Float64Array(dimensions), new Float64Array(dimensions)];
  for (let i = 0; i < table.length; i++) {
    mean[i % dimensions] += table[i] / count;
    square[i % dimensions] += table[i] ** 2 / count;
  }
  return square.map((value, d) => Math.sqrt(Math.max(0, value - mean[d] ** 2)));
}

/** The image of one field with every pixel drawn at its centre plus N(0, τ²I), τ in pixels. */
export async function jittered(field: DrawableField, deviation: number, random: Random): Promise<Float32Array> {
  const { width, height } = field.training;
  const [xs, ys] = [pixelCentres(0, 1, width), pixelCentres(0, 1, height)];
  const points = new Float32Array(width * height * 2);
  for (let p = 0; p < width * height; p++) {
    points[2 * p] = xs[p % width] + (deviation * random.normal()) / width;
    points[2 * p + 1] = ys[Math.floor(p / width)] + (deviation * random.normal()) / height;
  }
  const output = tf.tidy(() => {
    const features = field.encoding.points(tf.tensor2d(points, [width * height, 2]), field.encodingParameters ?? {});
    return fieldForward(field.spec, field.weights, features);
  }); // [1,P,3]
  try {
    return (await output.data()) as Float32Array;
  } finally {
    output.dispose();
  }
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
