import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { type AdamState, adamUpdate, emaUpdate } from '../../src/ops/optimizer.ts';
import { Random } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';

describe.each(availableEngines)('the optimiser on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it("follows Adam's algorithm 1 step by step", async () => {
    const size = 103;
    const hyper = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8 };
    const initial = new Random(1, 'parameters').normals(size);
    let state: AdamState = {
      parameter: tf.tensor1d(initial),
      firstMoment: tf.zeros([size]),
      secondMoment: tf.zeros([size]),
    };
    const [theta, m, v] = [Float64Array.from(initial), new Float64Array(size), new Float64Array(size)];
    for (let t = 1; t <= 20; t++) {
      const gradient = new Random(t, 'synthetic').normals(size, 10 ** ((t % 5) - 3));
      const tensor = tf.tensor1d(gradient);
      state = adamUpdate(state, tensor, { ...hyper, step: t });
      tensor.dispose();
      for (let i = 0; i < size; i++) {
        m[i] = hyper.beta1 * m[i] + (1 - hyper.beta1) * gradient[i];
        v[i] = hyper.beta2 * v[i] + (1 - hyper.beta2) * gradient[i] ** 2;
        const [mHat, vHat] = [m[i] / (1 - hyper.beta1 ** t), v[i] / (1 - hyper.beta2 ** t)];
        theta[i] -= (hyper.learningRate * mHat) / (Math.sqrt(vHat) + hyper.epsilon);
      }
    }
    const [parameter, first, second] = await Promise.all(
      [state.parameter, state.firstMoment, state.secondMoment].map((tensor) => tensor.data()),
    );
    for (let i = 0; i < size; i++) {
      expect(Math.abs(parameter[i] - theta[i])).toBeLessThan(2e-5);
      expect(Math.abs(first[i] - m[i])).toBeLessThan(1e-5 * Math.max(1, Math.abs(m[i])));
      expect(Math.abs(second[i] - v[i])).toBeLessThan(1e-5 * Math.max(1, v[i]));
    }
  });

  it('averages exponentially', async () => {
    let average = tf.tensor1d([1, 2, 3]) as ReturnType<typeof tf.tensor>;
    const value = tf.tensor1d([3, 2, -1]);
    for (let i = 0; i < 3; i++) average = emaUpdate(average, value, 0.75);
    const remaining = 0.75 ** 3;
    const expected = [3 - 2 * remaining, 2, -1 + 4 * remaining];
    (await average.data()).forEach((got, i) => {
      expect(got).toBeCloseTo(expected[i], 6);
    });
  });

  it('leaks nothing', () => {
    let state: AdamState = { parameter: tf.ones([5]), firstMoment: tf.zeros([5]), secondMoment: tf.zeros([5]) };
    let average = tf.zeros([5]) as ReturnType<typeof tf.tensor>;
    const gradient = tf.ones([5]);
    const before = tf.memory().numTensors;
    for (let step = 1; step < 5; step++) {
      state = adamUpdate(state, gradient, { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step });
      average = emaUpdate(average, state.parameter, 0.9);
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});
