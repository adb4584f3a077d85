/**
 * The contract of objectives: what is minimised, over which parameters, and what a step needs for it. The training loop
 * knows nothing else of what it trains.
 */
import { z } from 'zod';
import type { ImageSet } from '../data/imageSet.ts';
import type { Generator } from '../models/generator.ts';
import type { Keys, Settings } from '../models/kind.ts';
import type { InitialParameters, Parameters } from '../models/parameters.ts';
import type { Stream } from '../random.ts';
import type { Scalar, Tensor, Tensor1D, Tensor2D } from '../tf.ts';

/** Parameters that are trained alike. */
export interface Group {
  /** What they are before training, by names that are unique over all groups. */
  initial: InitialParameters;
  /** Of the random numbers that initial values are drawn from; where left out, one of the group's name. */
  stream?: Stream;
  /** Before the schedule. */
  learningRate: number;
  /** `gd`: plain gradient descent, which closed forms describe. `adam` where left out. */
  optimizer?: 'adam' | 'gd';
  /** Of Adam, instead of the config's. */
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  /**
   * Of a group of tables [N,…] with a row an image: the input (of `inputsAt`, int32 [B], each once) that says which rows a
   * step trains. The loss sees, and is differentiated by, these rows alone.
   */
  rows?: string;
  /** Whether the model is drawn with moving averages of them. */
  averaged: boolean;
}

/** A step's data on the device, by name. */
export type Batch = Record<string, Tensor>;

/** Numbers that go to the device in a step, and the shape of the tensor they become there. */
export interface InputArray {
  values: Float32Array | Int32Array;
  shape: number[];
}

/** Makes the batches of a run: each a function of (seed, step), so that a resumed run sees the same. */
export interface Batches {
  /** Images in a step. */
  size: number;
  /** What of the batch of step 0, 1, … goes to the device; the rest is there already, or is made there. */
  inputsAt(step: number): Record<string, InputArray>;
  /** The batch of those inputs; its tensors are theirs, the object's own, or belong to the surrounding tidy. */
  assemble(inputs: Record<string, Tensor>): Batch;
  dispose(): void;
}

/** One loss, and the groups that follow its gradient. A step goes through its phases in order, updating after each. */
export interface Phase {
  /** For logs, of objectives with more than one. */
  name: string;
  /** Each group is trained by one phase. */
  trains: readonly string[];
  /** Only in every so many updates, the k-th, the 2k-th, …; 1 where left out. */
  every?: number;
  /**
   * Composed of TensorFlow.js ops, and of nothing else that changes from step to step: a GPU's engine calls it a few times,
   * records what it does and repeats that. Whatever changes, random numbers too, comes with the batch.
   *
   * @param parameters of all groups, by name; of tables the batch's rows.
   * @returns what is minimised, and scalars to be reported beside it.
   */
  loss(parameters: Parameters, batch: Batch): { minimise: Scalar; report?: Record<string, Scalar> };
  /** What is logged of those scalars (as `train/NAME`): by default they themselves. */
  logged?(report: Readonly<Record<string, number>>): Record<string, number>;
}

/** What the loop trains. */
export interface Objective {
  groups: Record<string, Group>;
  phases: readonly Phase[];
  batches(images: ImageSet): Batches;
  /**
   * Latents [B,D] of training images (int32 [B]) under trained parameters; absent where images have none. Where there is
   * an encoder, `parameters` hold what it makes of all training images too, as `encodedParameters` names it.
   */
  latents?(parameters: Parameters, images: Tensor1D): Tensor2D;
  /** Latents of any images of the training size, means and standard deviations [N,D], where an encoder makes them. */
  encode?(parameters: Parameters, images: ImageSet): { means: Tensor2D; deviations: Tensor2D };
}

/**
 * What an encoder makes of the training images, under the names by which it is kept in checkpoints and handed to `latents`:
 * so that a run draws its images without having them. Empty where there is no encoder; the caller disposes the tensors.
 */
export function encodedParameters(
  { encode }: Pick<Objective, 'encode'>,
  parameters: Parameters,
  images: ImageSet,
): Parameters {
  if (!encode) return {};
  const { means, deviations } = encode(parameters, images);
  return { latents: means, 'latents.deviations': deviations };
}

/** Keys of the config's `train` section that every objective may read. */
export const commonKeys = {
  steps: z.int().positive().default(2000),
  batch: z.int().positive().default(32).describe('images per step (objective fit always takes all)'),
  points: z.int().positive().default(1024).describe('pixels per image and step; all of them where an image has fewer'),
  learningRate: z.number().positive().default(1e-3),
  precision: z
    .enum(['float32', 'mixed'])
    .default('float32')
    .describe('mixed: 16-bit products with 32-bit sums in the field, on GPUs with matrix units; elsewhere as float32'),
};

export interface ObjectiveContext<K extends Keys = Keys> {
  generator: Generator;
  /** The config's `train` section. */
  settings: Settings<typeof commonKeys> & Settings<K>;
  seed: number;
  /** How many images of which size are trained on. */
  images: { count: number; width: number; height: number };
  /** `data.noise`: standard deviation of the noise on what is trained on. */
  imageNoise: number;
}

/** What a config's `objective` names. */
export interface ObjectiveKind<K extends Keys = Keys> {
  /** What it is, in a line, for the docs of the key. */
  about: string;
  /** Its own keys of the `train` section. */
  keys: K;
  /** Whether the generator's conditioner must have latents, or must have none. */
  conditioning: 'latents' | 'none';
  make(context: ObjectiveContext<K>): Objective;
}

/** An `ObjectiveKind` whose `make` is checked against its keys. */
export function defineObjective<K extends Keys>(kind: ObjectiveKind<K>): ObjectiveKind<K> {
  return kind;
}
