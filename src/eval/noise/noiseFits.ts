/**
 * Many fits of one size trained as one batch of fields, with identical initial weights and identical batches of pixels:
 * what differs between two fields is their targets alone.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import type { Experiment } from '../../config/schema.ts';
import { pointIndices } from '../../data/batches.ts';
import { RunError } from '../../errors.ts';
import { fullView } from '../../grid.ts';
import { makeGridEncoder } from '../../models/encoding.ts';
import { fieldWeights, type Generator, initGenerator } from '../../models/generator.ts';
import type { Parameters } from '../../models/parameters.ts';
import { fieldForward, fieldLoss } from '../../ops/field.ts';
import { type AdamState, adamUpdate } from '../../ops/optimizer.ts';
import { type Tensor, type Tensor3D, tf, tidy } from '../../tf.ts';
import { scheduleFactor } from '../../train/schedule.ts';

/** `gd`: plain gradient descent, which the closed forms describe; `adam`: what people train with. */
export type Optimizer = 'adam' | 'gd';

export interface NoiseFits {
  /** Its `train` settings and seed are used; the objective is a fit's. */
  experiment: Experiment;
  generator: Generator;
  optimizer: Optimizer;
  width: number;
  height: number;
  /** One image [H,W,3] a field; values may leave [0,1]. */
  targets: readonly Float32Array[];
  /** Steps after which the fits are drawn, ascending; 0 is the untrained field. */
  drawAt: readonly number[];
  /** Called with the fits [H,W,3], neither clamped nor quantised. */
  onDrawn(step: number, fits: Float32Array[]): void;
  onStep?(step: number): void;
}

/**
 * Trains up to the last of `drawAt`. Each field minimises its own mean squared error over the step's pixels; its path
 * does not depend on how many others are trained beside it.
 *
 * @throws RunError where a loss is no longer finite.
 */
export async function trainNoiseFits(fits: NoiseFits): Promise<void> {
  const { experiment, generator, width, height, targets, drawAt } = fits;
  const { train, seed } = experiment;
  const fields = targets.length;
  const pixels = width * height;
  const points = Math.min(train.points, pixels);
  const encoder = makeGridEncoder(generator.encoding, fullView(width, height));
  const everything = encoder.tensor({ firstRow: 0, rowCount: height }); // [N,F]
  const initial = tidy(() => initGenerator(generator, seed, 1));
  const state: Record<string, AdamState> = {};
  for (const [name, tensor] of Object.entries(initial)) {
    const parameter = tf.tidy(() => tf.tile(tensor, [fields, ...tensor.shape.slice(1).map(() => 1)]));
    state[name] = { parameter, firstMoment: tf.zerosLike(parameter), secondMoment: tf.zerosLike(parameter) };
  }
  tf.dispose(Object.values(initial));
  const wholeTargets = points === pixels ? gather(targets, pointIndices(seed, 0, points, pixels)) : undefined;
  const last = drawAt[drawAt.length - 1];
  try {
    for (let step = 0; ; step++) {
      if (drawAt.includes(step)) fits.onDrawn(step, await draw(generator, state, everything, fields));
      if (step === last) break;
      await eventLoopTurn(); // lets Ctrl-C in
      const chosen = wholeTargets ? undefined : pointIndices(seed, step, points, pixels);
      const features = chosen ? encoder.tensor(chosen) : everything;
      const wanted = wholeTargets ?? gather(targets, chosen!);
      const { loss, gradients } = await lossAndGradients(generator, state, features, wanted);
      if (!Number.isFinite(loss)) {
        throw new RunError(`the loss became ${loss} at step ${step + 1}; lower the learning rate`);
      }
      update(fits, state, gradients, step);
      tf.dispose(Object.values(gradients));
      if (chosen) tf.dispose([features, wanted]);
      fits.onStep?.(step + 1);
    }
  } finally {
    for (const { parameter, firstMoment, secondMoment } of Object.values(state)) {
      tf.dispose([parameter, firstMoment, secondMoment]);
    }
    tf.dispose(wholeTargets ? [everything, wholeTargets] : [everything]);
  }
}

/** Colours of the chosen pixels in every field's image, [B,P,3]. */
function gather(targets: readonly Float32Array[], chosen: Int32Array): Tensor3D {
  const values = new Float32Array(targets.length * chosen.length * 3);
  let at = 0;
  for (const target of targets) {
    for (const pixel of chosen) {
      values[at++] = target[3 * pixel];
      values[at++] = target[3 * pixel + 1];
      values[at++] = target[3 * pixel + 2];
    }
  }
  return tf.tensor3d(values, [targets.length, chosen.length, 3]);
}

/** Mean loss over the fields, and the gradients of each field's own loss. */
async function lossAndGradients(
  generator: Generator,
  state: Record<string, AdamState>,
  features: Tensor,
  targets: Tensor3D,
): Promise<{ loss: number; gradients: Parameters }> {
  const names = Object.keys(state);
  const result = tidy(() => {
    const loss = (...values: Tensor[]) => {
      const parameters: Parameters = Object.fromEntries(names.map((name, i) => [name, values[i]]));
      return fieldLoss(generator.spec, fieldWeights(generator, parameters), features, targets);
    };
    const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => state[name].parameter));
    // The loss is a mean over fields; each field follows its own.
    return { value, grads: grads.map((gradient) => tf.mul(gradient, targets.shape[0])) };
  });
  const [loss] = await result.value.data();
  result.value.dispose();
  return { loss, gradients: Object.fromEntries(names.map((name, i) => [name, result.grads[i]])) };
}

function update(
  { experiment, optimizer }: NoiseFits,
  state: Record<string, AdamState>,
  gradients: Parameters,
  step: number,
) {
  const { train } = experiment;
  const learningRate = train.learningRate * scheduleFactor(train.schedule, step, train.steps);
  const { beta1, beta2, epsilon } = train;
  for (const [name, gradient] of Object.entries(gradients)) {
    if (optimizer === 'adam') {
      state[name] = adamUpdate(state[name], gradient, { learningRate, beta1, beta2, epsilon, step: step + 1 });
      continue;
    }
    const { parameter } = state[name];
    state[name].parameter = tf.tidy(() => tf.sub(parameter, tf.mul(gradient, learningRate)));
    parameter.dispose();
  }
}

/** Floats of one forward pass's output. */
const FLOATS_AT_ONCE = 2 ** 24;

/** Draws every field at every training pixel, some rows of features at a time. */
async function draw(
  generator: Generator,
  state: Record<string, AdamState>,
  features: Tensor,
  fields: number,
): Promise<Float32Array[]> {
  const [pixels, featureCount] = features.shape;
  const images = Array.from({ length: fields }, () => new Float32Array(pixels * 3));
  const parameters: Parameters = Object.fromEntries(
    Object.entries(state).map(([name, { parameter }]) => [name, parameter]),
  );
  const chunk = Math.max(1, Math.floor(FLOATS_AT_ONCE / (3 * fields)));
  for (let first = 0; first < pixels; first += chunk) {
    const count = Math.min(chunk, pixels - first);
    const output = tf.tidy(() =>
      fieldForward(
        generator.spec,
        fieldWeights(generator, parameters),
        tf.slice(features, [first, 0], [count, featureCount]),
      ),
    ); // [B,count,3]
    const values = (await output.data()) as Float32Array;
    output.dispose();
    images.forEach((image, b) => {
      image.set(values.subarray(b * count * 3, (b + 1) * count * 3), first * 3);
    });
  }
  return images;
}
