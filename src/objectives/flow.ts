/**
 * Flow matching: what a flow prior (src/models/priors/flow.ts) is trained with, on latents z ~ q(z|x) of a trained model.
 *
 *   L = E ‖v(x_t, t) − (z − ε)‖² / D,  x_t = (1−t)·ε + t·z,  ε ~ N(0, I),  t uniform   (Lipman et al. 2023, eq. 23)
 *
 * z are means plus deviations times noise where an encoder gives deviations, standardised. The times of a batch are
 * stratified: one in each B-th part of [0, 1).
 */

import type { Parameters } from '../models/parameters.ts';
import {
  type FlowShape,
  flowNetwork,
  gaussianSlope,
  initialFlow,
  TIME_FEATURES,
  writeTimeFeatures,
} from '../models/priors/flow.ts';
import type { LatentSet } from '../models/priors/prior.ts';
import { Random } from '../random.ts';
import { type Scalar, type Tensor2D, tf, tidy } from '../tf.ts';
import type { Batch, Batches, InputArray, Objective } from './objective.ts';

export interface FlowContext {
  latents: LatentSet;
  shape: FlowShape;
  learningRate: number;
  /** Latents a step. */
  batch: number;
  seed: number;
}

/** Part of the latents that is held out, and at most so many. */
const HELD_OUT = { part: 0.1, most: 1024 } as const;
/** Ways that the held-out loss is measured on, whatever the number of latents. */
const MEASURED = 2048;

export interface FlowObjective extends Pick<Objective, 'groups' | 'phases'> {
  batches: Batches;
  /** Mean and standard deviation of z ~ q(z|x) over all images, [D] each. */
  mean: Float32Array;
  scale: Float32Array;
  /** The loss under these parameters on latents that no batch has, always of the same noise and times. */
  heldOutLoss(parameters: Parameters): Promise<number>;
}

export function flowObjective({ latents, shape, learningRate, batch, seed }: FlowContext): FlowObjective {
  const { dimensions } = latents;
  const count = latents.means.length / dimensions;
  const order = new Random(seed, 'flowHeldOut').sample(count, count);
  const heldOut = order.subarray(0, Math.min(HELD_OUT.most, Math.max(1, Math.round(HELD_OUT.part * count))));
  const trained = order.subarray(heldOut.length);
  const standard = moments(latents);
  const loss = (parameters: Parameters, { x, target, time }: Batch): Scalar =>
    tf.mean(tf.squaredDifference(flowNetwork(shape.blocks, parameters, x as Tensor2D, time as Tensor2D), target));
  return {
    ...standard,
    groups: { flow: { initial: initialFlow(shape), learningRate, averaged: true } },
    phases: [
      { name: 'matching', trains: ['flow'], loss: (parameters, ways) => ({ minimise: loss(parameters, ways) }) },
    ],
    batches: {
      size: batch,
      inputsAt(step) {
        const random = new Random(seed, 'flow', step);
        const rows = Int32Array.from({ length: batch }, () => trained[random.integer(trained.length)]);
        return waysOf(latents, standard, rows, random);
      },
      assemble: (inputs) => inputs,
      dispose() {},
    },
    async heldOutLoss(parameters) {
      const rows = Int32Array.from({ length: MEASURED }, (_, i) => heldOut[i % heldOut.length]);
      const random = new Random(seed, 'flowHeldOut', 1);
      const measured = tidy(() => {
        const ways = Object.entries(waysOf(latents, standard, shuffled(rows, random), random));
        return loss(
          parameters,
          Object.fromEntries(ways.map(([name, { values, shape: extents }]) => [name, tf.tensor(values, extents)])),
        );
      });
      try {
        return (await measured.data())[0];
      } finally {
        measured.dispose();
      }
    },
  };
}

/** Each latent at times of its own: else the i-th would always be met near the i-th time. */
function shuffled(rows: Int32Array, random: Random): Int32Array {
  return random.sample(rows.length, rows.length).map((place) => rows[place]);
}

/**
 * Ways from noise to latents of these rows, at a time each: x_t [B,D], what the network is to add to slope(t)·x_t [B,D] and the
 * features of t [B,T].
 */
function waysOf(
  { means, deviations, dimensions }: LatentSet,
  { mean, scale }: { mean: Float32Array; scale: Float32Array },
  rows: Int32Array,
  random: Random,
): Record<string, InputArray> {
  const batch = rows.length;
  const times = random.uniforms(batch, 0, 1).map((u, i) => (i + u) / batch);
  const noise = random.manyNormals(batch * dimensions);
  const spread = deviations && random.manyNormals(batch * dimensions);
  const x = new Float32Array(batch * dimensions);
  const target = new Float32Array(batch * dimensions);
  const time = new Float32Array(batch * TIME_FEATURES);
  for (let i = 0; i < batch; i++) {
    const t = times[i];
    const slope = gaussianSlope(t);
    writeTimeFeatures(t, time, i * TIME_FEATURES);
    for (let k = 0, at = i * dimensions, row = rows[i] * dimensions; k < dimensions; k++, at++, row++) {
      const latent = means[row] + (deviations && spread ? deviations[row] * spread[at] : 0);
      const z = (latent - mean[k]) / scale[k];
      x[at] = (1 - t) * noise[at] + t * z;
      target[at] = z - noise[at] - slope * x[at];
    }
  }
  return {
    x: { values: x, shape: [batch, dimensions] },
    target: { values: target, shape: [batch, dimensions] },
    time: { values: time, shape: [batch, TIME_FEATURES] },
  };
}

/** Mean and standard deviation of z ~ q(z|x), x any image: the variance of the means and the mean of the variances. */
function moments({ means, deviations, dimensions }: LatentSet): { mean: Float32Array; scale: Float32Array } {
  const count = means.length / dimensions;
  const sums = new Float64Array(dimensions);
  const squares = new Float64Array(dimensions);
  for (let i = 0; i < means.length; i++) sums[i % dimensions] += means[i] / count;
  for (let i = 0; i < means.length; i++) {
    const k = i % dimensions;
    squares[k] += ((means[i] - sums[k]) ** 2 + (deviations ? deviations[i] ** 2 : 0)) / count;
  }
  return {
    mean: Float32Array.from(sums),
    // A dimension that nothing uses still has a scale.
    scale: Float32Array.from(squares, (square) => Math.max(Math.sqrt(square), 1e-6)),
  };
}
