import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import {
  type AdamState,
  adamUpdate,
  emaUpdate,
  rowCorrections,
  updateRows,
  updateValues,
} from '../../src/ops/optimizer.ts';
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

  it('updates the rows of a table by algorithm 1, each by the number of its own updates, and no other bit', async () => {
    const [count, width] = [9, 37];
    const hyper = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 1 };
    const initial = new Random(1, 'latents').normals(count * width);
    let table: AdamState = {
      parameter: tf.tensor2d(initial, [count, width]),
      firstMoment: tf.zeros([count, width]),
      secondMoment: tf.zeros([count, width]),
    };
    const [theta, m, v] = [
      Float64Array.from(initial),
      new Float64Array(initial.length),
      new Float64Array(initial.length),
    ];
    const updates = new Int32Array(count);
    const guard = tf.scalar(1);
    // Row 8 is never seen, the others differently often.
    for (const [t, rows] of [
      [3, 0, 5],
      [0, 1, 2],
      [7, 0, 3],
      [0, 6, 4],
      [1, 0, 7],
    ].entries()) {
      const gradient = new Random(t, 'synthetic').normals(rows.length * width);
      const counts = Int32Array.from(rows, (row) => updates[row] + 1);
      const tensors = {
        values: tf.tensor1d(updateValues(hyper, 0.9)),
        corrections: tf.tensor2d(rowCorrections(hyper, counts), [rows.length, 2]),
        rows: tf.tensor1d(rows, 'int32'),
        gradient: tf.tensor2d(gradient, [rows.length, width]),
      };
      const options = { hyperparameters: hyper, decay: 0.9, guard, counts, ...tensors };
      const before = tf.memory().numTensors;
      table = updateRows(table, tensors.rows, tensors.gradient, options);
      expect(tf.memory().numTensors).toBe(before);
      tf.dispose(Object.values(tensors));
      rows.forEach((row, r) => {
        const n = ++updates[row];
        for (let k = 0; k < width; k++) {
          const [i, g] = [row * width + k, gradient[r * width + k]];
          m[i] = hyper.beta1 * m[i] + (1 - hyper.beta1) * g;
          v[i] = hyper.beta2 * v[i] + (1 - hyper.beta2) * g ** 2;
          const [mHat, vHat] = [m[i] / (1 - hyper.beta1 ** n), v[i] / (1 - hyper.beta2 ** n)];
          theta[i] -= (hyper.learningRate * mHat) / (Math.sqrt(vHat) + hyper.epsilon);
        }
      });
    }
    const [parameter, first, second] = await Promise.all(
      [table.parameter, table.firstMoment, table.secondMoment].map((tensor) => tensor.data()),
    );
    for (let i = 0; i < initial.length; i++) {
      expect(Math.abs(parameter[i] - theta[i])).toBeLessThan(1e-6);
      expect(Math.abs(first[i] - m[i])).toBeLessThan(1e-6);
      expect(Math.abs(second[i] - v[i])).toBeLessThan(1e-6);
    }
    expect(parameter.slice(8 * width)).toEqual(initial.slice(8 * width));
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
