import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { startEngine } from '../src/engine/engine.ts';
import { type Tensor, tf } from '../src/tf.ts';
import { availableEngines } from './support/engines.ts';

const PLACES = [-1.5, -0.25, 0.5, 2];

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Functions with their first three derivatives. */
const FUNCTIONS: { name: string; of(x: Tensor): Tensor; derivatives: ((x: number) => number)[] }[] = [
  { name: 'exp', of: (x) => tf.exp(x), derivatives: [Math.exp, Math.exp, Math.exp] },
  {
    name: 'sigmoid',
    of: (x) => tf.sigmoid(x),
    derivatives: [
      (x) => sigmoid(x) * sigmoid(-x),
      (x) => sigmoid(x) * sigmoid(-x) * (1 - 2 * sigmoid(x)),
      (x) => sigmoid(x) * sigmoid(-x) * (1 - 6 * sigmoid(x) * sigmoid(-x)),
    ],
  },
  {
    name: 'tanh',
    of: (x) => tf.tanh(x),
    derivatives: [
      (x) => 1 - Math.tanh(x) ** 2,
      (x) => -2 * Math.tanh(x) * (1 - Math.tanh(x) ** 2),
      (x) => (1 - Math.tanh(x) ** 2) * (6 * Math.tanh(x) ** 2 - 2),
    ],
  },
  {
    name: 'leakyRelu(x)·x²',
    of: (x) => tf.mul(tf.leakyRelu(x, 0.2), tf.square(x)),
    derivatives: [3, 6, 6].map((factor, i) => (x: number) => (x > 0 ? 1 : 0.2) * factor * x ** (2 - i)),
  },
  {
    name: 'where(x ≥ 0, x³, −x³)',
    of: (x) => tf.where(tf.greaterEqual(x, 0), tf.mul(x, tf.square(x)), tf.mul(tf.neg(x), tf.square(x))),
    derivatives: [3, 6, 6].map((factor, i) => (x: number) => Math.sign(x) * factor * x ** (2 - i)),
  },
];

describe('TensorFlow.js', () => {
  it('is the object that other packages find, so that backends register with it', () => {
    const require = createRequire(import.meta.url);
    expect(tf).toBe(require('@tensorflow/tfjs'));
    expect(tf.engine()).toBe(require('@tensorflow/tfjs-core').engine());
  });

  describe.each(availableEngines)('on the %s engine', (engine) => {
    it.each(FUNCTIONS)('has the derivatives of $name, of every order', async ({ of, derivatives }) => {
      await startEngine(engine);
      let derivative: (x: Tensor) => Tensor = of;
      for (const expected of derivatives) {
        const before = derivative;
        derivative = (x) => tf.grad((y: Tensor) => tf.sum(before(y)))(x);
        const values = await derivative(tf.tensor1d(PLACES)).data();
        PLACES.forEach((x, i) => {
          expect(values[i]).toBeCloseTo(expected(x), 4);
        });
      }
    });
  });
});
