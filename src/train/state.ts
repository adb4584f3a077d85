/** What training changes: parameters, Adam's moments, averages, the step. Nothing else has to be saved. */
import { RunError } from '../errors.ts';
import { initialise, type Parameters } from '../models/parameters.ts';
import type { Objective } from '../objectives/objective.ts';
import type { AdamState } from '../ops/optimizer.ts';
import { type Checkpoint, STORED_AS } from '../run/checkpoints.ts';
import type { SafeTensors } from '../run/safetensors.ts';
import { type Tensor, tf } from '../tf.ts';

export interface TrainState {
  /** Updates made so far. */
  step: number;
  /** Of all groups, by name. */
  parameters: Parameters;
  /** Of the parameters that Adam trains. */
  moments: Record<string, Pick<AdamState, 'firstMoment' | 'secondMoment'>>;
  /** Exponential moving averages, of the groups that are drawn with them. */
  averages: Parameters;
  /** Of groups of tables, by group: how often each row was updated, [N]. Sets Adam's bias correction of the row. */
  rowUpdates: Record<string, Int32Array>;
}

/** The state before the first step. @param averaged whether averages are kept at all (`train.emaDecay` is above 0). */
export function initialState({ groups }: Pick<Objective, 'groups'>, seed: number, averaged: boolean): TrainState {
  const state: TrainState = { step: 0, parameters: {}, moments: {}, averages: {}, rowUpdates: {} };
  for (const [group, { initial, stream, optimizer, rows, averaged: ownAverages }] of Object.entries(groups)) {
    if (rows) state.rowUpdates[group] = new Int32Array(Object.values(initial)[0].shape[0]);
    for (const [name, parameter] of Object.entries(initialise(initial, seed, stream ?? group))) {
      if (name in state.parameters) throw new Error(`group "${group}" has a parameter "${name}", as another has`);
      state.parameters[name] = parameter;
      if (optimizer !== 'gd') {
        state.moments[name] = { firstMoment: tf.zerosLike(parameter), secondMoment: tf.zerosLike(parameter) };
      }
      // Copies, not clones: engines update in place, and a clone shares its values.
      if (averaged && ownAverages) state.averages[name] = tf.add(parameter, 0);
    }
  }
  return state;
}

/** The parameters to draw with: averages where there are any. Owned by the state. */
export function drawingParameters({ parameters, averages }: TrainState): Parameters {
  return { ...parameters, ...averages };
}

/** The state's tensors as a checkpoint holds them, with what an encoder makes of the images (`encodedParameters`). */
export async function stateTensors(
  { parameters, moments, averages, rowUpdates }: TrainState,
  encoded: Parameters = {},
): Promise<SafeTensors> {
  const tensors: SafeTensors = {};
  const put = async (name: string, tensor: Tensor) => {
    tensors[name] = { dtype: 'F32', shape: tensor.shape, data: (await tensor.data()) as Float32Array };
  };
  for (const [name, parameter] of Object.entries(parameters)) {
    await put(STORED_AS.parameter + name, parameter);
    if (!(name in moments)) continue;
    await put(STORED_AS.firstMoment + name, moments[name].firstMoment);
    await put(STORED_AS.secondMoment + name, moments[name].secondMoment);
  }
  for (const [name, average] of Object.entries(averages)) await put(STORED_AS.average + name, average);
  for (const [name, tensor] of Object.entries(encoded)) await put(STORED_AS.encoded + name, tensor);
  for (const [group, counts] of Object.entries(rowUpdates)) {
    tensors[STORED_AS.rowUpdates + group] = { dtype: 'I32', shape: [counts.length], data: counts.slice() };
  }
  return tensors;
}

/**
 * Puts a checkpoint's tensors in place of a fresh state's.
 *
 * @param imagesPerStep for checkpoints of versions that did not count the updates of rows: each then has had its share.
 * @throws RunError where a tensor is missing or of another shape: the checkpoint belongs to another config.
 */
export function restoreState(
  state: TrainState,
  { tensors, step, path: origin }: Pick<Checkpoint, 'tensors' | 'step' | 'path'>,
  imagesPerStep: number,
): void {
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
  const { parameters, moments, averages } = state;
  for (const name of Object.keys(parameters)) parameters[name] = take(STORED_AS.parameter + name, parameters[name]);
  for (const [name, { firstMoment, secondMoment }] of Object.entries(moments)) {
    moments[name] = {
      firstMoment: take(STORED_AS.firstMoment + name, firstMoment),
      secondMoment: take(STORED_AS.secondMoment + name, secondMoment),
    };
  }
  const hasAverages = Object.keys(tensors).some((name) => name.startsWith(STORED_AS.average));
  for (const name of Object.keys(averages)) {
    // Averages that are turned on when a run goes on begin where its parameters are.
    averages[name] = take((hasAverages ? STORED_AS.average : STORED_AS.parameter) + name, averages[name]);
  }
  for (const [group, counts] of Object.entries(state.rowUpdates)) {
    const stored = tensors[STORED_AS.rowUpdates + group]?.data as Int32Array | undefined;
    if (stored) counts.set(stored);
    else counts.fill(Math.round((step * imagesPerStep) / counts.length));
  }
  state.step = step;
}

/** Frees every tensor of the state. */
export function disposeState({ parameters, moments, averages }: TrainState): void {
  tf.dispose([parameters, averages, Object.values(moments)] as never);
}
