/** Everything a run changes: parameters, latents, their Adam moments and averages. Nothing else has to be saved. */

import type { Experiment } from '../config/schema.ts';
import { RunError } from '../errors.ts';
import { type Generator, initGenerator } from '../models/generator.ts';
import type { Parameters } from '../models/parameters.ts';
import type { AdamState } from '../ops/optimizer.ts';
import { Random } from '../random.ts';
import type { SafeTensors } from '../run/safetensors.ts';
import { type Tensor, tf } from '../tf.ts';

/** Name of the latent table [N,D] among the parameters; its rows are updated one batch at a time. */
export const LATENTS = 'latents';

export interface TrainState {
  /** Updates made so far. */
  step: number;
  /** Parameters by name, with their moments; `latents` among them where the objective has any. */
  adam: Record<string, AdamState>;
  /** Exponential moving averages of the parameters; empty where turned off. */
  averages: Parameters;
}

/** The state before the first step, for `images` training images. */
export function initialState(experiment: Experiment, generator: Generator, images: number): TrainState {
  const parameters = initGenerator(generator, experiment.seed, images);
  if (generator.latentSize > 0) {
    const size = images * generator.latentSize;
    const draws = new Random(experiment.seed, 'latents').normals(size, experiment.train.latentStandardDeviation);
    parameters[LATENTS] = tf.tensor2d(draws, [images, generator.latentSize]);
  }
  const adam = mapValues(parameters, (parameter) => ({
    parameter,
    firstMoment: tf.zerosLike(parameter),
    secondMoment: tf.zerosLike(parameter),
  }));
  // Copies, not clones: engines update in place, and a clone shares its values.
  const averages = experiment.train.emaDecay > 0 ? mapValues(parameters, (tensor) => tf.add(tensor, 0)) : {};
  return { step: 0, adam, averages };
}

/** The parameters to draw with: the averages, where there are any. Owned by the state. */
export function drawingParameters(state: TrainState): Parameters {
  return Object.keys(state.averages).length > 0 ? state.averages : mapValues(state.adam, ({ parameter }) => parameter);
}

const PARTS = { parameter: 'parameter/', firstMoment: 'adam.m/', secondMoment: 'adam.v/', average: 'ema/' } as const;

/** The state's tensors as a checkpoint holds them. */
export async function stateTensors(state: TrainState): Promise<SafeTensors> {
  const tensors: SafeTensors = {};
  const put = async (name: string, tensor: Tensor) => {
    tensors[name] = { dtype: 'F32', shape: tensor.shape, data: (await tensor.data()) as Float32Array };
  };
  for (const [name, entry] of Object.entries(state.adam)) {
    await put(PARTS.parameter + name, entry.parameter);
    await put(PARTS.firstMoment + name, entry.firstMoment);
    await put(PARTS.secondMoment + name, entry.secondMoment);
  }
  for (const [name, average] of Object.entries(state.averages)) await put(PARTS.average + name, average);
  return tensors;
}

/**
 * Puts a checkpoint's tensors in place of a fresh state's.
 *
 * @throws RunError where a tensor is missing or of another shape: the checkpoint belongs to another config.
 */
export function restoreState(state: TrainState, tensors: SafeTensors, step: number, origin: string): void {
  const take = (name: string, previous: Tensor): Tensor => {
    const stored = tensors[name];
    if (!stored || stored.shape.join() !== previous.shape.join()) {
      const found = stored ? `has [${stored.shape}]` : 'is missing';
      throw new RunError(
        `${origin}: belongs to another config: ${name} ${found}, the config needs [${previous.shape}]`,
      );
    }
    previous.dispose();
    return tf.tensor(stored.data as Float32Array, stored.shape);
  };
  for (const [name, entry] of Object.entries(state.adam)) {
    entry.parameter = take(PARTS.parameter + name, entry.parameter);
    entry.firstMoment = take(PARTS.firstMoment + name, entry.firstMoment);
    entry.secondMoment = take(PARTS.secondMoment + name, entry.secondMoment);
  }
  for (const name of Object.keys(state.averages))
    state.averages[name] = take(PARTS.average + name, state.averages[name]);
  state.step = step;
}

/** The parameters to draw with among a checkpoint's tensors: the averages, where there are any. */
export function storedParameters(tensors: SafeTensors): SafeTensors {
  const under = (prefix: string) =>
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    );
  const averages = under(PARTS.average);
  return Object.fromEntries(averages.length > 0 ? averages : under(PARTS.parameter));
}

/** Frees every tensor of the state. */
export function disposeState(state: TrainState): void {
  for (const entry of Object.values(state.adam)) tf.dispose([entry.parameter, entry.firstMoment, entry.secondMoment]);
  tf.dispose(Object.values(state.averages));
}

function mapValues<A, B>(record: Record<string, A>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));
}
