/** One training step: loss, gradients, Adam, averages. */
import type { Experiment } from '../config/schema.ts';
import { fieldWeights, type Generator } from '../models/generator.ts';
import type { Parameters } from '../models/parameters.ts';
import { type FieldSpec, fieldLoss } from '../ops/field.ts';
import { updateAll, updateRows, updateValues } from '../ops/optimizer.ts';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf, tidy } from '../tf.ts';
import type { Batch } from './batch.ts';
import { scheduleFactor } from './schedule.ts';
import { LATENTS, type TrainState } from './state.ts';

export interface StepResult {
  /** What was minimised. */
  loss: Scalar;
  /** Mean squared error over the batch. */
  meanSquaredError: Scalar;
  /** One gradient for each parameter; for the latents, that of the batch's rows [B,D]. */
  gradients: Parameters;
}

/**
 * Loss and gradients of a batch. The caller disposes what it is given.
 *
 * `autodecoder` (Bojanowski et al. 2018, GLO; Park et al. 2019, DeepSDF eq. 9): mean squared error plus the latents'
 * mean squared norm times `latentPenalty`. `fit`: the mean squared error alone.
 */
export function lossAndGradients(
  experiment: Experiment,
  generator: Generator,
  state: TrainState,
  { images, features, targets, latentNoise }: Batch,
): StepResult {
  return tidy(() => {
    const table = state.adam[LATENTS]?.parameter;
    const inputs: Parameters = Object.fromEntries(
      Object.entries(state.adam).map(([name, { parameter }]) => [name, parameter]),
    );
    // The rows of the batch are gathered outside the gradient, so that it needs no scatter (which wasm lacks).
    if (table) inputs[LATENTS] = tf.gather(table, images); // [B,D]
    const names = Object.keys(inputs);
    let meanSquaredError: Scalar | undefined;
    const loss = (...values: Tensor[]): Scalar => {
      const parameters: Parameters = Object.fromEntries(names.map((name, i) => [name, values[i]]));
      const latents = parameters[LATENTS] as Tensor2D | undefined;
      const noisy = latents && latentNoise ? tf.add(latents, latentNoise) : latents;
      const weights = fieldWeights(generator, parameters, noisy as Tensor2D | undefined);
      const error = fieldLoss(trainingSpec(experiment, generator), weights, features, targets);
      meanSquaredError = tf.keep(tf.clone(error));
      if (!latents) return error;
      const squaredNorm = tf.mean(tf.sum(tf.square(latents), 1)) as Scalar;
      return tf.add(error, tf.mul(squaredNorm, experiment.train.latentPenalty));
    };
    const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => inputs[name]));
    const kept = meanSquaredError as unknown as Scalar;
    const result = { loss: value as Scalar, meanSquaredError: tf.clone(kept) };
    kept.dispose();
    return { ...result, gradients: Object.fromEntries(names.map((name, i) => [name, grads[i]])) };
  });
}

const mixedSpecs = new WeakMap<FieldSpec, FieldSpec>();

/** The field as it is trained: drawing always has full precision. One object a field, for engines keep plans by it. */
export function trainingSpec({ train }: Experiment, { spec }: Generator): FieldSpec {
  if (train.precision === 'float32') return spec;
  const known = mixedSpecs.get(spec);
  const mixed = known ?? { ...spec, precision: train.precision };
  mixedSpecs.set(spec, mixed);
  return mixed;
}

/** What the update after `step` updates multiplies with: for all parameters, and for the rows of the latents. */
export interface UpdateNumbers {
  parameters: UpdateNumbersOf;
  latents: UpdateNumbersOf;
}

interface UpdateNumbersOf {
  hyperparameters: { learningRate: number; beta1: number; beta2: number; epsilon: number; step: number };
  decay: number;
  /** The same as engines read them (`updateValues`). */
  values: Float32Array;
}

/** @param visits how often each image of the batch will have been trained on: sets the latents' bias correction. */
export function updateNumbers({ train }: Experiment, step: number, visits: number): UpdateNumbers {
  const factor = scheduleFactor(train.schedule, step, train.steps);
  const updates = step + 1;
  // Early averages forget their random start quickly: decay grows as (1+step)/(10+step), as in TensorFlow's EMA.
  const decay = Math.min(train.emaDecay, (1 + updates) / (10 + updates));
  const { beta1, beta2, epsilon } = train;
  const numbers = (learningRate: number, count: number): UpdateNumbersOf => {
    const hyperparameters = { learningRate: factor * learningRate, beta1, beta2, epsilon, step: count };
    return { hyperparameters, decay, values: updateValues(hyperparameters, decay) };
  };
  return { parameters: numbers(train.learningRate, updates), latents: numbers(train.latentLearningRate, visits) };
}

/** The numbers of an update on the device. */
export interface UpdateTensors {
  parameters: Tensor1D;
  latents: Tensor1D;
}

/** Applies gradients to the state: Adam on every parameter, on the latents row by row, and the averages. */
export function applyGradients(
  state: TrainState,
  { gradients, loss }: Pick<StepResult, 'gradients' | 'loss'>,
  rows: Tensor1D,
  numbers: UpdateNumbers,
  tensors: UpdateTensors,
): void {
  const latents = state.adam[LATENTS];
  if (latents) {
    const options = { ...numbers.latents, values: tensors.latents, guard: loss };
    state.adam[LATENTS] = updateRows(latents, rows, gradients[LATENTS], options);
  }
  const names = Object.keys(state.adam);
  const updated = updateAll(
    names.map((name) => ({
      state: state.adam[name],
      average: state.averages[name],
      gradient: name === LATENTS ? undefined : gradients[name],
    })),
    { ...numbers.parameters, values: tensors.parameters, guard: loss },
  );
  names.forEach((name, i) => {
    state.adam[name] = updated[i].state;
    if (updated[i].average) state.averages[name] = updated[i].average as Tensor;
  });
}
