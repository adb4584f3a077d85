/** The flow prior's network and its integration. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { initialise } from '../../src/models/parameters.ts';
import {
  carry,
  chooseSteps,
  type FlowShape,
  flow,
  flowNetwork,
  gaussianSlope,
  initialFlow,
  sampleStandardised,
  TIME_FEATURES,
  writeTimeFeatures,
} from '../../src/models/priors/flow.ts';
import type { FittedPrior } from '../../src/models/priors/prior.ts';
import { Random } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';

const SHAPE: FlowShape = { latent: 3, width: 8, blocks: 2 };

/** A fitted flow that was never trained: random layers, the last one too. */
async function randomFlow(shape = SHAPE, last = 0.3): Promise<FittedPrior> {
  const parameters = initialise(initialFlow(shape), 1, 'test');
  const fitted: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(parameters)) fitted[name] = (await tensor.data()) as Float32Array;
  tf.dispose(parameters);
  fitted['last.kernel'] = new Random(2, 'parameters').normals(shape.width * shape.latent, last);
  fitted['first.bias'] = new Random(3, 'parameters').normals(shape.width);
  const { latent } = shape;
  return {
    ...fitted,
    mean: Float32Array.from({ length: latent }, (_, k) => k),
    scale: Float32Array.from({ length: latent }, (_, k) => 1 + k),
    heunSteps: Float64Array.of(16),
    heunError: Float64Array.of(0),
  };
}

/** The network of one latent at one time, in scalars. */
function slowNetwork(fitted: FittedPrior, x: readonly number[], time: number): number[] {
  const features: number[] = [];
  for (let k = 1; k <= 8; k++) features[k - 1] = Math.sin(Math.PI * k * time);
  for (let k = 1; k <= 8; k++) features[7 + k] = Math.cos(Math.PI * k * time);
  const times = (input: readonly number[], kernel: FittedPrior[string]) => {
    const outputs = kernel.length / input.length;
    return Array.from({ length: outputs }, (_, o) =>
      input.reduce((sum, value, i) => sum + value * kernel[i * outputs + o], 0),
    );
  };
  const plus = (a: readonly number[], b: ArrayLike<number>) => a.map((value, i) => value + b[i]);
  const silu = (values: readonly number[]) => values.map((value) => value / (1 + Math.exp(-value)));
  const layer = (input: readonly number[], name: string) =>
    plus(times(input, fitted[`${name}.kernel`]), fitted[`${name}.bias`]);
  let h = plus(layer(x, 'first'), times(features, fitted['first.time']));
  for (const block of [0, 1]) {
    const inner = plus(layer(silu(h), `${block}.0`), times(features, fitted[`${block}.0.time`]));
    h = plus(h, layer(silu(inner), `${block}.1`));
  }
  return layer(silu(h), 'last');
}

describe.each(availableEngines)('a flow on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it('has the network that its file describes', async () => {
    const fitted = await randomFlow();
    const rows = [
      [0.3, -1, 2],
      [1.5, 0, -0.4],
    ];
    const times = [0.2, 0.85];
    const features = new Float32Array(2 * TIME_FEATURES);
    times.forEach((time, i) => {
      writeTimeFeatures(time, features, i * TIME_FEATURES);
    });
    const parameters = Object.fromEntries(
      Object.entries(initialFlow(SHAPE)).map(([name, { shape }]) => [
        name,
        tf.tensor(fitted[name] as Float32Array, [...shape]),
      ]),
    );
    const result = flowNetwork(2, parameters, tf.tensor2d(rows), tf.tensor2d(features, [2, TIME_FEATURES]));
    const found = await result.data();
    rows.forEach((row, i) => {
      slowNetwork(fitted, row, times[i]).forEach((value, k) => {
        expect(found[3 * i + k]).toBeCloseTo(value, 3);
      });
    });
    tf.dispose([parameters, result]);
  });

  it('carries noise to itself before it is trained: a Gaussian, by an error of second order', async () => {
    // dx/dt = slope(t)·x has x(t) = x(0)·√(t² + (1−t)²), which is x(0) at 1.
    const untrained = await randomFlow(SHAPE, 0);
    const parameters = Object.fromEntries(
      Object.entries(initialFlow(SHAPE)).map(([name, { shape }]) => [
        name,
        name === 'last.bias' ? tf.zeros([...shape]) : tf.tensor(untrained[name] as Float32Array, [...shape]),
      ]),
    );
    const noise = tf.tensor2d([[1, -2, 0.5]]);
    const errorAt = async (steps: number) => {
      const carried = carry(2, parameters, noise, steps);
      const [first] = await carried.data();
      carried.dispose();
      return Math.abs(first - 1);
    };
    expect(await errorAt(64)).toBeLessThan(1e-3);
    expect((await errorAt(4)) / (await errorAt(8))).toBeGreaterThan(3);
    tf.dispose([parameters, noise]);
  });

  it('draws sample n alike whatever the count, in the units of the latents, and leaks nothing', async () => {
    const fitted = await randomFlow();
    const before = tf.memory().numTensors;
    const many = await flow.sample(fitted, 3, { seed: 4, count: 70, temperature: 1 });
    const few = await flow.sample(fitted, 3, { seed: 4, count: 2, temperature: 1 });
    expect(few).toEqual(many.slice(0, 6));
    expect(tf.memory().numTensors).toBe(before);
    const standard = await sampleStandardised(fitted, 3, { seed: 4, count: 2, temperature: 1 }, 16);
    few.forEach((value, i) => {
      expect(value).toBeCloseTo((i % 3) + (1 + (i % 3)) * standard[i], 5);
    });
  });

  it('chooses as many steps as its tolerance needs, and states their error', async () => {
    const fitted = await randomFlow();
    const { steps, error } = await chooseSteps(fitted, 3);
    expect(error).toBeLessThanOrEqual(0.01);
    const draws = { seed: 9, count: 64, temperature: 1 };
    const [chosen, exact] = [
      await sampleStandardised(fitted, 3, draws, steps),
      await sampleStandardised(fitted, 3, draws, 512),
    ];
    const measured = Math.sqrt(chosen.reduce((sum, value, i) => sum + (value - exact[i]) ** 2, 0) / chosen.length);
    expect(measured / error).toBeGreaterThan(0.3);
    expect(measured / error).toBeLessThan(3);
  });
});

describe('the velocity of standard normal latents', () => {
  it('is the mean of z − ε where x is known', () => {
    // Cov(z − ε, x)/Var(x) = (t − (1−t))/(t² + (1−t)²), by the draws themselves.
    const random = new Random(1, 'latents');
    for (const t of [0.1, 0.5, 0.8]) {
      let [xy, xx] = [0, 0];
      for (let i = 0; i < 20_000; i++) {
        const [noise, z] = [random.normal(), random.normal()];
        const x = (1 - t) * noise + t * z;
        xy += x * (z - noise);
        xx += x * x;
      }
      expect(gaussianSlope(t)).toBeCloseTo(xy / xx, 1);
    }
  });
});
