/** One training step: loss, gradients, Adam, averages. */
import type { Experiment } from '../config/schema.ts';
import { fieldLoss } from '../engine/field.ts';
import { type AdamHyperparameters, adamUpdate, emaUpdate } from '../engine/optimizer.ts';
import { fieldWeights, type Generator } from '../models/generator.ts';
import type { Parameters } from '../models/parameters.ts';
import { type Scalar, type Tensor, type Tensor2D, tf, tidy } from '../tf.ts';
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
    if (table) inputs[LATENTS] = tf.gather(table, tf.tensor1d(images, 'int32')); // [B,D]
    const names = Object.keys(inputs);
    let meanSquaredError: Scalar | undefined;
    const loss = (...values: Tensor[]): Scalar => {
      const parameters: Parameters = Object.fromEntries(names.map((name, i) => [name, values[i]]));
      const latents = parameters[LATENTS] as Tensor2D | undefined;
      const noisy = latents && latentNoise ? tf.add(latents, latentNoise) : latents;
      const weights = fieldWeights(generator, parameters, noisy as Tensor2D | undefined);
      const error = fieldLoss(generator.spec, weights, features, targets);
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

/** Applies the gradients to the state: Adam on every parameter, on the latents row by row, and the averages. */
export function applyGradients(experiment: Experiment, state: TrainState, gradients: Parameters, batch: Batch): void {
  const { train } = experiment;
  const factor = scheduleFactor(train.schedule, state.step, train.steps);
  const moments = { beta1: train.beta1, beta2: train.beta2, epsilon: train.epsilon };
  const step = state.step + 1;
  for (const [name, gradient] of Object.entries(gradients)) {
    state.adam[name] =
      name === LATENTS
        ? updateRows(state, gradient, batch, {
            ...moments,
            learningRate: factor * train.latentLearningRate,
            step: batch.visits,
          })
        : adamUpdate(state.adam[name], gradient, { ...moments, learningRate: factor * train.learningRate, step });
  }
  // Early averages forget their random start quickly: decay grows as (1+step)/(10+step), as in TensorFlow's EMA.
  const decay = Math.min(train.emaDecay, (1 + step) / (10 + step));
  for (const name of Object.keys(state.averages)) {
    state.averages[name] = emaUpdate(state.averages[name], state.adam[name].parameter, decay);
  }
  state.step = step;
}

/**
 * Adam on the rows of a table that the batch touched; the others keep their values and moments (a dense update would
 * move them by stale momentum).
 */
function updateRows(state: TrainState, gradient: Tensor, batch: Batch, hyperparameters: AdamHyperparameters) {
  const table = state.adam[LATENTS];
  const rows = tf.tidy(() => {
    const indices = tf.tensor1d(batch.images, 'int32');
    return {
      parameter: tf.gather(table.parameter, indices),
      firstMoment: tf.gather(table.firstMoment, indices),
      secondMoment: tf.gather(table.secondMoment, indices),
    };
  });
  const updated = adamUpdate(rows, gradient, hyperparameters);
  const put = (whole: Tensor, part: Tensor): Tensor => {
    const next = tf.tidy(() =>
      tf.tensorScatterUpdate(whole, tf.tensor2d(batch.images, [batch.images.length, 1], 'int32'), part),
    );
    tf.dispose([whole, part]);
    return next;
  };
  return {
    parameter: put(table.parameter, updated.parameter),
    firstMoment: put(table.firstMoment, updated.firstMoment),
    secondMoment: put(table.secondMoment, updated.secondMoment),
  };
}

/** √Σ‖t‖² over tensors. */
export async function globalNorm(tensors: Iterable<Tensor>): Promise<number> {
  const squares = tf.tidy(() => tf.addN([...tensors].map((tensor) => tf.sum(tf.square(tensor)))));
  const [sum] = await squares.data();
  squares.dispose();
  return Math.sqrt(sum);
}
