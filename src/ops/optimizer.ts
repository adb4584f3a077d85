/** Adam and exponential moving averages: one pass over memory where the engine brings one, composed ops elsewhere. */
import { type Tensor, type Tensor1D, tf } from '../tf.ts';
import { type AdamHyperparameters, type AdamState, kernelsInUse, type Trained, type UpdateOptions } from './kernels.ts';

export type { AdamHyperparameters, AdamState, OptimizerKernel, Trained, UpdateOptions } from './kernels.ts';

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
 */
export function updateRows(table: AdamState, rows: Tensor1D, gradient: Tensor, options: UpdateOptions): AdamState {
  const kernel = kernelsInUse().optimizer;
  if (kernel?.updateRows) return kernel.updateRows(table, rows, gradient, options);
  const part = (whole: Tensor) => tf.gather(whole, rows);
  const { parameter, firstMoment, secondMoment } = table;
  const gathered = {
    parameter: part(parameter),
    firstMoment: part(firstMoment),
    secondMoment: part(secondMoment),
  };
  const updated = adamUpdate(gathered, gradient, options.hyperparameters);
  const put = (whole: Tensor, rowsOfIt: Tensor): Tensor => {
    const next = tf.tidy(() => tf.tensorScatterUpdate(whole, tf.expandDims(rows, 1), rowsOfIt));
    tf.dispose([whole, rowsOfIt]);
    return next;
  };
  return {
    parameter: put(parameter, updated.parameter),
    firstMoment: put(firstMoment, updated.firstMoment),
    secondMoment: put(secondMoment, updated.secondMoment),
  };
}

/** The numbers of an update in the order in which kernels read `UpdateOptions.values`. */
export function updateValues(
  { learningRate, beta1, beta2, epsilon, step }: AdamHyperparameters,
  decay: number,
): Float32Array {
  const [stepSize, rootCorrection] = [learningRate / (1 - beta1 ** step), 1 / Math.sqrt(1 - beta2 ** step)];
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
