/** A trained generator, ready to draw: its parameters and what it was trained on. */
import type { View } from '../grid.ts';
import { fieldWeights, type Generator } from '../models/generator.ts';
import { fitGaussianPrior, sampleBetweenNeighbours, samplePrior } from '../models/latentPrior.ts';
import type { Parameters } from '../models/parameters.ts';
import { type Tensor2D, tf, tidy } from '../tf.ts';
import type { DrawableField } from './drawableField.ts';

export interface Model {
  generator: Generator;
  /** By name; `latents` [N,D] among them unless the weights are direct. */
  parameters: Parameters;
  /** Full view at the training size. */
  training: View;
  /** Names of the training images, in the order of their latents or fields. */
  imageNames: readonly string[];
}

/** Fields of latents [B,D] (flat). Dispose them with `disposeFields`. */
export function latentFields(model: Model, latents: Float32Array): DrawableField {
  const { generator, parameters, training } = model;
  const count = latents.length / generator.latentSize;
  const weights = tidy(() =>
    fieldWeights(generator, parameters, tf.tensor2d(latents, [count, generator.latentSize]) as Tensor2D),
  );
  return { encoding: generator.encoding, spec: generator.spec, training, weights };
}

/** Fields of training images, by index: of their latents, or their own weights. Dispose them with `disposeFields`. */
export function imageFields(model: Model, images: readonly number[]): DrawableField {
  const { generator, parameters, training } = model;
  const weights = tidy(() => {
    const rows = tf.tensor1d(Int32Array.from(images), 'int32');
    if (generator.latentSize > 0) {
      return fieldWeights(generator, parameters, tf.gather(parameters.latents as Tensor2D, rows));
    }
    const { kernels, biases } = fieldWeights(generator, parameters);
    return {
      kernels: kernels.map((kernel) => tf.gather(kernel, rows)),
      biases: biases.map((bias) => tf.gather(bias, rows)),
    };
  });
  return { encoding: generator.encoding, spec: generator.spec, training, weights };
}

/** Latents of the training images, [N,D]. */
export async function imageLatents(model: Model): Promise<Float32Array> {
  return (await model.parameters.latents.data()) as Float32Array;
}

/** Where new latents come from; see `models/latentPrior.ts`. */
export type Prior = 'neighbours' | 'gaussian';

export interface SampleOptions {
  seed: number;
  count: number;
  prior?: Prior;
  /** Of the Gaussian: below 1, likelier and less varied. */
  temperature?: number;
}

/** New latents [count,D]. */
export async function sampleLatents(model: Model, options: SampleOptions): Promise<Float32Array> {
  const { seed, count, prior = 'neighbours', temperature = 1 } = options;
  const [latents, size] = [await imageLatents(model), model.generator.latentSize];
  return prior === 'gaussian'
    ? samplePrior(fitGaussianPrior(latents, size), seed, count, temperature)
    : sampleBetweenNeighbours(latents, size, seed, count);
}
