/** A trained generator, ready to draw: its parameters and what it was trained on. */
import { commandLine } from '../commandLine.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { UsageError } from '../errors.ts';
import type { View } from '../grid.ts';
import { fieldWeights, type Generator } from '../models/generator.ts';
import type { Parameters } from '../models/parameters.ts';
import { type FittedPrior, isClosedForm, type Prior, type StoredPrior } from '../models/priors/prior.ts';
import { DEFAULT_PRIOR, PRIORS } from '../models/priors/registry.ts';
import type { FieldWeights } from '../ops/field.ts';
import { type Tensor, type Tensor1D, type Tensor2D, tf, tidy } from '../tf.ts';
import type { DrawableField } from './drawableField.ts';

export interface Model {
  generator: Generator;
  parameters: Parameters;
  /** Absent where each image has weights of its own instead. */
  latents?: LatentSpace;
  /** Fitted earlier and kept with the run, the newest first. */
  priors?: readonly StoredPrior[];
  /** Folder of the run that it was opened from: what a message's remedy names. */
  run?: string;
  /** Latents of any images of the training size, [N,D], where an encoder makes them. */
  encode?(images: ImageSet): Promise<Float32Array>;
  /** Full view at the training size. */
  training: View;
  /** Names of the training images, in the order of their latents or fields. */
  imageNames: readonly string[];
}

export interface LatentSpace {
  /** Dimensions of a latent, D. */
  size: number;
  /** Latents of training images (int32 [B]), [B,D]. */
  of(images: Tensor1D): Tensor2D;
}

/** Fields of latents [B,D] (flat). Dispose them with `disposeFields`. */
export function latentFields(model: Model, latents: Float32Array): DrawableField {
  const { size } = latentSpaceOf(model);
  return makeDrawable(model, () => {
    const codes = tf.tensor2d(latents, [latents.length / size, size]);
    return fieldWeights(model.generator, model.parameters, codes);
  });
}

/** Fields of training images, by index: of their latents, or their own weights. Dispose them with `disposeFields`. */
export function imageFields(model: Model, images: readonly number[]): DrawableField {
  const { generator, parameters, latents, imageNames } = model;
  const unknown = images.find((image) => !(image in imageNames));
  if (unknown !== undefined) throw new RangeError(`no training image ${unknown}: there are ${imageNames.length}`);
  return makeDrawable(model, () => {
    const rows = tf.tensor1d(Int32Array.from(images), 'int32');
    if (latents) return fieldWeights(generator, parameters, latents.of(rows));
    const { kernels, biases } = fieldWeights(generator, parameters);
    return {
      kernels: kernels.map((kernel) => tf.gather(kernel, rows)),
      biases: biases.map((bias) => tf.gather(bias, rows)),
    };
  });
}

function makeDrawable({ generator, parameters, training }: Model, makeWeights: () => FieldWeights): DrawableField {
  const { encoding, spec } = generator;
  return { encoding, encodingParameters: parameters, spec, training, weights: tidy(makeWeights) };
}

/** The latent space of a model that has one. */
export function latentSpaceOf({ latents }: Model): LatentSpace {
  if (!latents) throw new Error('a model of single fields has no latents');
  return latents;
}

/** Latents of the training images, [N,D]. */
export async function imageLatents(model: Model): Promise<Float32Array> {
  const table: Tensor = tf.tidy(() =>
    latentSpaceOf(model).of(tf.range(0, model.imageNames.length, 1, 'int32') as Tensor1D),
  );
  try {
    return (await table.data()) as Float32Array;
  } finally {
    table.dispose();
  }
}

/** What samples are drawn from. */
export interface ChosenPrior {
  name: string;
  prior: Prior;
  fitted: FittedPrior;
  /** What it is, in words: for whoever looks at the samples. */
  about: string;
}

/**
 * The prior of that name, as it was fitted to these latents earlier, or fitted now where that takes no training. Without a
 * name, the one that was fitted last, and where there is none, the default.
 *
 * @throws UsageError where it has to be trained first.
 */
export async function choosePrior(model: Model, name?: string): Promise<ChosenPrior> {
  const { priors: stored = [] } = model;
  const chosen = name ?? stored.find(({ isCurrent }) => isCurrent)?.name ?? DEFAULT_PRIOR;
  const prior = PRIORS.get(chosen);
  const kept = stored.find((one) => one.name === chosen);
  if (kept?.isCurrent) return { name: chosen, prior, fitted: kept.fitted, about: `prior ${chosen}: ${kept.about}` };
  if (!isClosedForm(prior)) {
    const why = kept
      ? `was fitted to other latents, those of step ${kept.step}; fit it again`
      : 'has not been fitted to this run yet; fit it';
    throw new UsageError(
      `prior "${chosen}" ${why}: ${commandLine('prior')} --run ${model.run ?? 'DIR'} --kind ${chosen}`,
    );
  }
  const stale = name === undefined ? stored[0] : undefined;
  const instead = stale ? ` instead of ${stale.name}, which was fitted to other latents (step ${stale.step})` : '';
  return {
    name: chosen,
    prior,
    fitted: await prior.fit(await imageLatents(model), latentSpaceOf(model).size),
    about: `prior ${chosen}${instead}`,
  };
}

export interface SampleOptions {
  seed: number;
  count: number;
  /** What they are drawn from, or its name (see `choosePrior`). */
  prior?: string | ChosenPrior;
  /** Only some priors know it: below 1, images are likelier and less varied. */
  temperature?: number;
}

/** Latents of new images, from a prior fitted to the latents of the training images, [count,D]. */
export async function sampleLatents(model: Model, options: SampleOptions): Promise<Float32Array> {
  const { seed, count, prior: wanted, temperature = 1 } = options;
  const { size } = latentSpaceOf(model);
  const { prior, fitted } = typeof wanted === 'object' ? wanted : await choosePrior(model, wanted);
  return prior.sample(fitted, size, { seed, count, temperature });
}
