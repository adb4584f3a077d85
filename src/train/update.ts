/** From gradients to the next parameters: learning rates, Adam or plain descent, averages. */
import type { TrainConfig } from '../config/schema.ts';
import type { Parameters } from '../models/parameters.ts';
import type { Group } from '../objectives/objective.ts';
import {
  type AdamHyperparameters,
  type AdamState,
  emaUpdate,
  rowCorrections,
  updateAll,
  updateRows,
  updateValues,
} from '../ops/optimizer.ts';
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../tf.ts';
import { scheduleFactor } from './schedule.ts';
import type { TrainState } from './state.ts';

/** The keys of the config's `train` section that updates follow. */
export type UpdateSettings = Pick<TrainConfig, 'steps' | 'schedule' | 'beta1' | 'beta2' | 'epsilon' | 'emaDecay'>;

/** The numbers that a group's update is made with. */
export interface UpdateNumbers {
  /** `step` is the number of this update of the group, from 1: it sets Adam's bias correction. */
  hyperparameters: AdamHyperparameters;
  /** average ← decay·average + (1−decay)·parameter */
  decay: number;
  /** The same as engines read them (`updateValues`). */
  values: Float32Array;
  /** Of a group of tables: the rows, and the number of this update of each, from 1, with the corrections that it sets. */
  rows?: { indices: Int32Array; counts: Int32Array; corrections: Float32Array };
}

/** `UpdateNumbers` on the device, and what they act on. */
export interface UpdateTensors {
  values: Tensor1D;
  /** The loss: where it is not finite, an engine that repeats recorded steps changes nothing. */
  guard: Tensor;
  /** Of a group of tables: the rows, int32 [B], and their corrections [B,2]. */
  rows?: { indices: Tensor1D; corrections: Tensor2D };
}

/**
 * Numbers of the update that follows `step` updates.
 *
 * @param count number of this update of the group, from 1.
 * @param rows of a group of tables: the rows that are updated, and how often each row of the tables was before.
 */
export function updateNumbers(
  group: Group,
  settings: UpdateSettings,
  step: number,
  count: number,
  rows?: { indices: Int32Array; updates: Int32Array },
): UpdateNumbers {
  const { schedule, steps, emaDecay } = settings;
  // Early averages forget their random start quickly: decay grows as (1+count)/(10+count), as in TensorFlow's EMA.
  const decay = Math.min(emaDecay, (1 + count) / (10 + count));
  const hyperparameters = {
    learningRate: scheduleFactor(schedule, step, steps) * group.learningRate,
    beta1: group.beta1 ?? settings.beta1,
    beta2: group.beta2 ?? settings.beta2,
    epsilon: group.epsilon ?? settings.epsilon,
    step: count,
  };
  const numbers = { hyperparameters, decay, values: updateValues(hyperparameters, decay) };
  if (!rows) return numbers;
  const counts = rows.indices.map((row) => rows.updates[row] + 1);
  const corrections = rowCorrections(hyperparameters, counts);
  return { ...numbers, rows: { indices: rows.indices, counts, corrections } };
}

/**
 * Updates the parameters of a group in the state, and their averages.
 *
 * @param gradients by name; of a table, those of the rows.
 */
export function applyGradients(
  state: TrainState,
  group: Group,
  gradients: Parameters,
  numbers: UpdateNumbers,
  { rows, ...tensors }: UpdateTensors,
): void {
  const names = Object.keys(group.initial);
  const options = { ...numbers, ...tensors };
  if (group.optimizer === 'gd') {
    for (const name of names) {
      state.parameters[name] = descended(state.parameters[name], gradients[name], numbers.hyperparameters.learningRate);
      if (name in state.averages) {
        state.averages[name] = emaUpdate(state.averages[name], state.parameters[name], numbers.decay);
      }
    }
    return;
  }
  if (rows && numbers.rows) {
    const ofRows = { ...options, counts: numbers.rows.counts, corrections: rows.corrections };
    for (const name of names) put(state, name, updateRows(trained(state, name), rows.indices, gradients[name], ofRows));
  }
  const entries = names.map((name) => ({
    state: trained(state, name),
    average: state.averages[name],
    gradient: rows ? undefined : gradients[name], // of tables there is only the average left to update
  }));
  updateAll(entries, options).forEach(({ state: next, average }, i) => {
    put(state, names[i], next);
    if (average) state.averages[names[i]] = average;
  });
}

function trained({ parameters, moments }: TrainState, name: string): AdamState {
  return { parameter: parameters[name], ...moments[name] };
}

function put(state: TrainState, name: string, { parameter, firstMoment, secondMoment }: AdamState): void {
  state.parameters[name] = parameter;
  state.moments[name] = { firstMoment, secondMoment };
}

/** A step of gradient descent. Consumes the parameter. */
function descended(parameter: Tensor, gradient: Tensor, learningRate: number): Tensor {
  const next = tf.tidy(() => tf.sub(parameter, tf.mul(gradient, learningRate)));
  parameter.dispose();
  return next;
}
