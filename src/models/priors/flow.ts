/**
 * A flow: noise ε ~ N(0, I) at time 0 is carried to latents z at time 1 along dx/dt = v(x, t), with v trained by flow
 * matching on straight ways x_t = (1−t)·ε + t·z (Lipman et al. 2023, eq. 20 to 23 with σ_min = 0; Liu et al. 2023, rectified
 * flow, eq. 1). Its loss is in src/objectives/flow.ts.
 *
 * v is a residual network of dense layers. Latents are standardised, dimension by dimension; the network adds to the
 * velocity of standard normal latents, v₀ = (2t−1)/(t²+(1−t)²)·x, so that before training samples are those of a Gaussian.
 */
import { type Tensor, type Tensor2D, tf, tidy } from '../../tf.ts';
import { type InitialParameters, normal, type Parameters, zeros } from '../parameters.ts';
import { type FittedPrior, type PriorDraws, randomOfDraw, type TrainedPrior } from './prior.ts';

export interface FlowShape {
  /** Dimensions of a latent, D. */
  latent: number;
  /** Width of the hidden layers, H. */
  width: number;
  /** Residual blocks of two layers. */
  blocks: number;
}

/** Sines and cosines of πkt, k = 1 … 8: values of a time, T. */
const TIME_FREQUENCIES = 8;
export const TIME_FEATURES = 2 * TIME_FREQUENCIES;

/**
 * Samples carried together, always so many, whatever is asked for: the same product of the same shape gives draw n the same
 * bits.
 */
const CHUNK = 64;

/** Names and first values. The last layer starts at zero. */
export function initialFlow({ latent, width, blocks }: FlowShape): InitialParameters {
  const layer = (name: string, inputs: number, outputs: number, draw = normal(Math.sqrt(1 / inputs))) => ({
    [`${name}.kernel`]: { shape: [inputs, outputs], draw },
    [`${name}.bias`]: { shape: [outputs], draw: zeros },
  });
  const time = (name: string) => ({
    [`${name}.time`]: { shape: [TIME_FEATURES, width], draw: normal(Math.sqrt(1 / TIME_FEATURES)) },
  });
  const initial: InitialParameters = { ...layer('first', latent, width), ...time('first') };
  for (let block = 0; block < blocks; block++) {
    Object.assign(initial, layer(`${block}.0`, width, width), time(`${block}.0`), layer(`${block}.1`, width, width));
  }
  return { ...initial, ...layer('last', width, latent, zeros) };
}

/** What the network is told of a time, in place: T features from `offset` on. */
export function writeTimeFeatures(time: number, features: Float32Array, offset: number): void {
  for (let k = 0; k < TIME_FREQUENCIES; k++) {
    features[offset + k] = Math.sin(Math.PI * (k + 1) * time);
    features[offset + TIME_FREQUENCIES + k] = Math.cos(Math.PI * (k + 1) * time);
  }
}

/** Factor of the velocity of standard normal latents at a time, which is linear: E[z − ε | x_t] = slope·x_t. */
export function gaussianSlope(time: number): number {
  return (2 * time - 1) / (time * time + (1 - time) * (1 - time));
}

/** x·σ(x); its gradient σ + y·(1−σ), y the value, takes two passes fewer over memory than that of the composed ops. */
const silu = tf.customGrad((x, save) => {
  const sigmoid = tf.sigmoid(x as Tensor);
  const value = tf.mul(x as Tensor, sigmoid);
  (save as (tensors: Tensor[]) => void)([sigmoid, value]);
  return {
    value,
    gradFunc: (dy: Tensor, [s, y]: Tensor[]) => tf.mul(dy, tf.sub(tf.add(s, y), tf.mul(s, y))),
  };
}) as (x: Tensor) => Tensor;

/**
 * What the network adds to slope·x, [B,D]. Differentiable.
 *
 *   h = x·W + b + γU;  each block: h ← h + (silu(silu(h)·W₀ + b₀ + γU₀))·W₁ + b₁;  silu(h)·W_last + b_last
 *
 * @param x [B,D]
 * @param time features γ, [B,T], or [1,T] where all have one time.
 */
export function flowNetwork(blocks: number, parameters: Parameters, x: Tensor2D, time: Tensor2D): Tensor2D {
  return tidy(() => {
    const dense = (input: Tensor, name: string): Tensor2D => {
      const bias = parameters[`${name}.bias`];
      return tf.fused.matMul({ a: input as Tensor2D, b: parameters[`${name}.kernel`] as Tensor2D, bias }) as Tensor2D;
    };
    const shift = (name: string) => tf.matMul(time, parameters[`${name}.time`] as Tensor2D); // [B or 1,H]
    let hidden: Tensor = tf.add(dense(x, 'first'), shift('first')); // [B,H]
    for (let block = 0; block < blocks; block++) {
      const inner = tf.add(dense(silu(hidden), `${block}.0`), shift(`${block}.0`));
      hidden = tf.add(hidden, dense(silu(inner), `${block}.1`));
    }
    return dense(silu(hidden), 'last'); // [B,D]
  });
}

/**
 * Carries noise [B,D] from time 0 to 1 by Heun's method: n steps of second order, two velocities each. Standardised in and
 * out; the caller disposes the result.
 */
export function carry(blocks: number, parameters: Parameters, noise: Tensor2D, steps: number): Tensor2D {
  const velocity = (x: Tensor2D, time: number): Tensor2D =>
    tidy(() => {
      const features = new Float32Array(TIME_FEATURES);
      writeTimeFeatures(time, features, 0);
      const added = flowNetwork(blocks, parameters, x, tf.tensor2d(features, [1, TIME_FEATURES]));
      return tf.add(tf.mul(x, gaussianSlope(time)), added) as Tensor2D;
    });
  let x = tf.clone(noise);
  for (let step = 0; step < steps; step++) {
    const next = tidy(() => {
      const h = 1 / steps;
      const before = velocity(x, step * h);
      const after = velocity(tf.add(x, tf.mul(before, h)) as Tensor2D, (step + 1) * h);
      return tf.add(x, tf.mul(tf.add(before, after), h / 2)) as Tensor2D;
    });
    x.dispose();
    x = next;
  }
  return x;
}

/** Tensors of what was fitted. The caller disposes them. */
function networkOf(fitted: FittedPrior, latent: number): { blocks: number; parameters: Parameters } {
  const width = fitted['first.bias'].length;
  const blocks = Object.keys(fitted).filter((name) => name.endsWith('.1.kernel')).length;
  const parameters = Object.fromEntries(
    Object.entries(initialFlow({ latent, width, blocks })).map(([name, { shape }]) => [
      name,
      tf.tensor(fitted[name] as Float32Array, [...shape]),
    ]),
  );
  return { blocks, parameters };
}

/** Standardised latents [count,D] by so many steps. */
export async function sampleStandardised(
  fitted: FittedPrior,
  latent: number,
  { seed, count, temperature }: PriorDraws,
  steps: number,
): Promise<Float32Array> {
  const { blocks, parameters } = networkOf(fitted, latent);
  const samples = new Float32Array(count * latent);
  try {
    for (let first = 0; first < count; first += CHUNK) {
      const noise = new Float32Array(CHUNK * latent);
      const wanted = Math.min(CHUNK, count - first);
      for (let n = 0; n < wanted; n++) {
        noise.set(randomOfDraw(seed, first + n).normals(latent, temperature), n * latent);
      }
      const carried = tidy(() => carry(blocks, parameters, tf.tensor2d(noise, [CHUNK, latent]), steps));
      samples.set(((await carried.data()) as Float32Array).subarray(0, wanted * latent), first * latent);
      carried.dispose();
    }
  } finally {
    tf.dispose(parameters);
  }
  return samples;
}

/**
 * Fitted: the network's parameters; `mean` and `scale` [D] of the latents; `heunSteps` [1], and `heunError` [1], an estimate of
 * the root mean square error of so many steps, in standard deviations of the latents.
 */
export const flow = {
  hasTemperature: true,
  fit: { objective: 'flow' },
  async sample(fitted, dimensions, draws) {
    const samples = await sampleStandardised(fitted, dimensions, draws, fitted.heunSteps[0]);
    const { mean, scale } = fitted;
    return samples.map((value, i) => mean[i % dimensions] + scale[i % dimensions] * value);
  },
} satisfies TrainedPrior;

/** More are never taken. */
const MOST_STEPS = 128;
/** Of the integration, in standard deviations of the latents: far below what can be seen. */
const TOLERANCE = 0.01;

/**
 * The fewest Heun steps, of powers of 2 from 8 on, whose error is within the tolerance. The method is of second order, so n
 * steps err by 4/3 of what 2n steps change (Richardson).
 */
export async function chooseSteps(fitted: FittedPrior, latent: number): Promise<{ steps: number; error: number }> {
  const draws = { seed: 0, count: CHUNK, temperature: 1 };
  let steps = 8;
  let coarse = await sampleStandardised(fitted, latent, draws, steps);
  for (;;) {
    const fine = await sampleStandardised(fitted, latent, draws, 2 * steps);
    const square = fine.reduce((sum, value, i) => sum + (value - coarse[i]) ** 2, 0) / fine.length;
    const error = (4 / 3) * Math.sqrt(square);
    if (error <= TOLERANCE || steps === MOST_STEPS) return { steps, error };
    steps *= 2;
    coarse = fine;
  }
}
