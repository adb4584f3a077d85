/** Adam and exponential moving averages: one pass over memory where the engine brings one, composed ops elsewhere. */
import { type Tensor, tf } from '../tf.ts';

export interface AdamHyperparameters {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Number of this update, from 1: sets the bias corrections. */
  step: number;
}

/** A parameter and its two moments. */
export interface AdamState {
  parameter: Tensor;
  firstMoment: Tensor;
  secondMoment: Tensor;
}

/** A fused implementation. Both functions own the state they are given: they may write in place or dispose it. */
export interface OptimizerKernel {
  adam(state: AdamState, gradient: Tensor, hyperparameters: AdamHyperparameters): AdamState;
  /** average ← decay·average + (1−decay)·value */
  ema(average: Tensor, value: Tensor, decay: number): Tensor;
}

const optimizerKernels = new Map<string, OptimizerKernel>();

/** Makes `kernel` serve Adam and EMA whenever the TensorFlow.js backend of that name is in use. */
export function registerOptimizerKernel(backendName: string, kernel: OptimizerKernel): void {
  optimizerKernels.set(backendName, kernel);
}

/**
 * One Adam update (Kingma & Ba 2015, algorithm 1, ε outside the root as in PyTorch). Consumes `state`: use only what
 * is returned. The gradient is left alone.
 */
export function adamUpdate(state: AdamState, gradient: Tensor, hyperparameters: AdamHyperparameters): AdamState {
  const kernel = optimizerKernels.get(tf.getBackend());
  return (kernel?.adam ?? referenceAdam)(state, gradient, hyperparameters);
}

/** average ← decay·average + (1−decay)·value. Consumes `average`. */
export function emaUpdate(average: Tensor, value: Tensor, decay: number): Tensor {
  const kernel = optimizerKernels.get(tf.getBackend());
  return (kernel?.ema ?? referenceEma)(average, value, decay);
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
