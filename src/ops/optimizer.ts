/** Adam and exponential moving averages: one pass over memory where the engine brings one, composed ops elsewhere. */
import { type Tensor, type Tensor1D, tf } from '../tf.ts';
import {
  type AdamHyperparameters,
  type AdamState,
  kernelsInUse,
  type RowUpdateOptions,
  type Trained,
  type UpdateOptions,
} from './kernels.ts';

export type {
  AdamHyperparameters,
  AdamState,
  OptimizerKernel,
  RowUpdateOptions,
  Trained,
  UpdateOptions,
} from './kernels.ts';

/**
 * One Adam update (Kingma & Ba 2015, algorithm 1, ε outside the root as in PyTorch). Consumes `state`: use only what
 * is returned. The gradient is left alone.
 */
export function adamUpdate(state: AdamState, gradient: Tensor, hyperparameters: AdamHyperparameters): AdamState {
  return (kernelsInUse().optimizer?.adam ?? referenceAdam)(state, gradient, hyperparameters);
}

/** average ← decay·average + (1−decay)·value. Consumes `average`. */
export function emaUpdate(average: Tensor, value: Tensor, decay: number): Tensor {
  return (kernelsInUse().optimizer?.ema ?? referenceEma)(average, value, decay);
}

/** Adam and averages over all parameters. Consumes states and averages; gradients are left alone. */
export function updateAll(parameters: readonly Trained[], options: UpdateOptions): Trained[] {
  const kernel = kernelsInUse().optimizer;
  if (kernel?.updateAll) return kernel.updateAll(parameters, options);
  return parameters.map(({ state, average, gradient }) => {
    const updated = gradient ? adamUpdate(state, gradient, options.hyperparameters) : state;
    return { state: updated, average: average && emaUpdate(average, updated.parameter, options.decay) };
  });
}

/**
 * Adam on the rows of a table [N,D] that a batch touched; the others keep their values and moments (a dense update would
 * move them by stale momentum). Consumes `table`.
 *
 * @param rows [B] int32, each row once.
 * @param gradient [B,D]
 * @param options with the number of updates of each row: a row that is seen seldom is corrected as one that is young.
 */
export function updateRows(table: AdamState, rows: Tensor1D, gradient: Tensor, options: RowUpdateOptions): AdamState {
  return (kernelsInUse().optimizer?.updateRows ?? referenceUpdateRows)(table, rows, gradient, options);
}

export function referenceUpdateRows(
  table: AdamState,
  rows: Tensor1D,
  gradient: Tensor,
  { hyperparameters: { beta1, beta2, epsilon }, corrections }: RowUpdateOptions,
): AdamState {
  const [parameter, firstMoment, secondMoment] = tf.tidy(() => {
    const part = (whole: Tensor) => tf.gather(whole, rows); // [B,D]
    const [stepSize, rootCorrection] = tf.split(corrections, 2, 1); // [B,1]
    const m = tf.add(tf.mul(part(table.firstMoment), beta1), tf.mul(gradient, 1 - beta1));
    const v = tf.add(tf.mul(part(table.secondMoment), beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const denominator = tf.add(tf.mul(tf.sqrt(v), rootCorrection), epsilon);
    const moved = tf.sub(part(table.parameter), tf.mul(tf.div(m, denominator), stepSize));
    const at = tf.expandDims(rows, 1); // [B,1]
    return [
      tf.tensorScatterUpdate(table.parameter, at, moved),
      tf.tensorScatterUpdate(table.firstMoment, at, m),
      tf.tensorScatterUpdate(table.secondMoment, at, v),
    ];
  });
  tf.dispose([table.parameter, table.firstMoment, table.secondMoment]);
  return { parameter, firstMoment, secondMoment };
}

/** Adam's bias corrections of update `step`, from 1: what the first moment, and the second's root, are multiplied with. */
function biasCorrections({ learningRate, beta1, beta2 }: AdamHyperparameters, step: number): [number, number] {
  return [learningRate / (1 - beta1 ** step), 1 / Math.sqrt(1 - beta2 ** step)];
}

/** Step size and root correction of rows that have had their `counts`-th update with this one, [B,2]. */
export function rowCorrections(hyperparameters: AdamHyperparameters, counts: Int32Array): Float32Array {
  return Float32Array.from([...counts].flatMap((count) => biasCorrections(hyperparameters, count)));
}

/** The numbers of an update in the order in which kernels read `UpdateOptions.values`. */
export function updateValues(hyperparameters: AdamHyperparameters, decay: number): Float32Array {
  const { beta1, beta2, epsilon, step } = hyperparameters;
  const [stepSize, rootCorrection] = biasCorrections(hyperparameters, step);
  return Float32Array.of(stepSize, rootCorrection, beta1, beta2, epsilon, decay, 1 - beta1, 1 - beta2);
}

export function referenceAdam(state: AdamState, gradient: Tensor, hyperparameters: AdamHyperparameters): AdamState {
  const { learningRate, beta1, beta2, epsilon, step } = hyperparameters;
  const stepSize = learningRate / (1 - beta1 ** step);
  const rootCorrection = Math.sqrt(1 - beta2 ** step);
  const [parameter, firstMoment, secondMoment] = tf.tidy(() => {
    const m = tf.add(tf.mul(state.firstMoment, beta1), tf.mul(gradient, 1 - beta1));
    const v = tf.add(tf.mul(state.secondMoment, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const denominator = tf.add(tf.div(tf.sqrt(v), rootCorrection), epsilon);
    return [tf.sub(state.parameter, tf.mul(tf.div(m, denominator), stepSize)), m, v];
  });
  tf.dispose([state.parameter, state.firstMoment, state.secondMoment]);
  return { parameter, firstMoment, secondMoment };
}

export function referenceEma(average: Tensor, value: Tensor, decay: number): Tensor {
  const next = tf.tidy(() => tf.add(tf.mul(average, decay), tf.mul(value, 1 - decay)));
  average.dispose();
  return next;
}
