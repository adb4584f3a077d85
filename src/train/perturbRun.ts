/** Disturbs a trained generator in every way that has a name, and measures per band what changes. */
import { fieldForward } from '../engine/field.ts';
import { type BandPartition, octavePartition } from '../eval/bands.ts';
import { planeSpectra } from '../eval/noise.ts';
import { BandChanges, perturbFrequencies, perturbWeights } from '../eval/perturb.ts';
import type { PerturbStudy } from '../eval/perturbStudyData.ts';
import { predictJitter } from '../eval/theory/jitter.ts';
import { pixelCentres } from '../grid.ts';
import { encodePoints } from '../models/encoding.ts';
import { Random } from '../random.ts';
import { type DrawableField, disposeFields } from '../render/drawableField.ts';
import { imageFields, imageLatents, latentFields } from '../render/model.ts';
import { renderImagesFloat } from '../render/render.ts';
import { type Tensor2D, tf } from '../tf.ts';
import type { OpenedModel } from './model.ts';
import { pathLength } from './pathLength.ts';
import { spread } from './references.ts';

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

/** Fields drawn at once; bounds memory. */
const BATCH = 16;

export async function perturbRun(model: OpenedModel, options: PerturbOptions): Promise<PerturbStudy> {
  const { training, generator } = model;
  const chosen = spread(model.imageNames.length, options.images);
  const partition = octavePartition(training.width, training.height);
  const kinds = kindsOf(model, options);
  const changes = kinds.map(() => new BandChanges(partition));
  const predictors = kinds.map(({ kind }) =>
    kind === 'jitter' ? new Float64Array(training.width * training.height) : undefined,
  );
  let done = 0;
  for (let first = 0; first < chosen.length; first += BATCH) {
    const batch = chosen.slice(first, first + BATCH);
    const field = imageFields(model, batch);
    try {
      const before = await renderImagesFloat(field, training);
      for (const [k, { disturb }] of kinds.entries()) {
        const power = predictors[k];
        if (power) addPower(before, partition, power);
        for (let repeat = 0; repeat < options.repeats; repeat++) {
          const random = new Random(options.seed, 'evaluation', (first * kinds.length + k) * options.repeats + repeat);
          const after = await disturb(field, batch, random);
          for (const [i, image] of batch.entries()) changes[k].add(image, before[i], after[i]);
        }
        options.onProgress?.(++done, kinds.length * Math.ceil(chosen.length / BATCH));
      }
    } finally {
      disposeFields(field);
    }
  }
  const random = new Random(options.seed, 'evaluation');
  return {
    images: chosen.length,
    repeats: options.repeats,
    perturbations: kinds.map(({ kind, size }, k) => ({
      kind,
      size,
      bands: changes[k].result(random),
      ...(predictors[k] && { predicted: predictionOf(predictors[k], partition, size) }),
    })),
    ...(generator.latentSize > 0 &&
      model.imageNames.length > 1 && {
        pathLength: await pathLength(model, partition, {
          pairs: options.images * options.repeats,
          epsilon: options.epsilon,
          seed: options.seed,
        }),
      }),
  };
}

interface Kind {
  kind: string;
  size: number;
  disturb(field: DrawableField, images: readonly number[], random: Random): Promise<Float32Array[]>;
}

function kindsOf(model: OpenedModel, { sizes, jitters, frequencyShifts }: PerturbOptions): Kind[] {
  const { training, generator } = model;
  const drawn = async (field: DrawableField) => {
    try {
      return await renderImagesFloat(field, training);
    } finally {
      disposeFields(field);
    }
  };
  const weights =
    (kind: 'isotropic' | 'layer', size: number, layer?: number): Kind['disturb'] =>
    (field, _, random) =>
      drawn({ ...field, weights: perturbWeights(field.weights, kind, size, random, layer) });
  return [
    ...(generator.latentSize > 0
      ? sizes.map(
          (size): Kind => ({
            kind: 'latent',
            size,
            disturb: async (_, images, random) => drawn(await disturbedLatents(model, images, size, random)),
          }),
        )
      : []),
    ...sizes.map((size): Kind => ({ kind: 'weights', size, disturb: weights('isotropic', size) })),
    ...sizes.map((size): Kind => ({ kind: 'weights-layer', size, disturb: weights('layer', size) })),
    ...generator.spec.layers.map(
      (_, l): Kind => ({
        kind: `weights-layer-${l}`,
        size: sizes[sizes.length - 1],
        disturb: weights('layer', sizes[sizes.length - 1], l),
      }),
    ),
    ...jitters.map(
      (size): Kind => ({ kind: 'jitter', size, disturb: (field, _, random) => jittered(field, size, random) }),
    ),
    ...(generator.encoding.kind === 'fourier'
      ? frequencyShifts.map(
          (size): Kind => ({
            kind: 'frequencies',
            size,
            disturb: (field, _, random) => renderImagesFloat(perturbFrequencies(field, size, random), training),
          }),
        )
      : []),
  ];
}

/** Latents plus a random direction of `size` times the latents' own spread. */
async function disturbedLatents(model: OpenedModel, images: readonly number[], size: number, random: Random) {
  const { latentSize } = model.generator;
  const table = await imageLatents(model);
  const deviation = spreadOf(table, latentSize);
  const latents = Float32Array.from({ length: images.length * latentSize }, (_, i) => {
    const dimension = i % latentSize;
    return (
      table[images[Math.floor(i / latentSize)] * latentSize + dimension] + size * deviation[dimension] * random.normal()
    );
  });
  return latentFields(model, latents);
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

/** Every pixel drawn at its centre plus N(0, τ²I), τ in pixels. The same displacements for all fields of the batch. */
export async function jittered(field: DrawableField, deviation: number, random: Random): Promise<Float32Array[]> {
  const { width, height } = field.training;
  const [xs, ys] = [pixelCentres(0, 1, width), pixelCentres(0, 1, height)];
  const points = new Float32Array(width * height * 2);
  for (let p = 0; p < width * height; p++) {
    points[2 * p] = xs[p % width] + (deviation * random.normal()) / width;
    points[2 * p + 1] = ys[Math.floor(p / width)] + (deviation * random.normal()) / height;
  }
  const output = tf.tidy(() => {
    const features = encodePoints(field.encoding, tf.tensor2d(points, [width * height, 2]) as Tensor2D);
    return fieldForward(field.spec, field.weights, features);
  }); // [B,P,3]
  const values = (await output.data()) as Float32Array;
  output.dispose();
  const length = width * height * 3;
  return Array.from({ length: values.length / length }, (_, b) => values.slice(b * length, (b + 1) * length));
}

function addPower(images: readonly Float32Array[], { width, height }: BandPartition, power: Float64Array): void {
  for (const image of images) {
    for (const { re, im } of planeSpectra(image, { width, height, channels: 3 })) {
      for (let k = 0; k < power.length; k++) power[k] += re[k] ** 2 + im[k] ** 2;
    }
  }
}

function predictionOf(power: Float64Array, partition: BandPartition, deviation: number) {
  const { transfer, relativeChange } = predictJitter(power, partition, deviation);
  return partition.bands.map((_, b) => ({ transfer: transfer[b], relativeChange: relativeChange[b] }));
}
