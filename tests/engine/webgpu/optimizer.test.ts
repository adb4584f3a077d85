import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import type { WebgpuBackend } from '../../../src/engine/webgpu/backend.ts';
import { createOptimizerKernel } from '../../../src/engine/webgpu/optimizer.ts';
import {
  type AdamState,
  type RowUpdateOptions,
  referenceAdam,
  referenceEma,
  rowCorrections,
  type Trained,
  type UpdateOptions,
  updateAll,
  updateRows,
  updateValues,
} from '../../../src/ops/optimizer.ts';
import { Random } from '../../../src/random.ts';
import { type Tensor, type Tensor1D, tf } from '../../../src/tf.ts';
import { availableEngines } from '../../support/engines.ts';

/** Each a part of a vector, a whole one, or just more: parts of the arena begin at multiples of 64 values. */
const SIZES = [1, 63, 64, 65, 1000];
const DECAY = 0.9;

const normals = (stream: number, size: number) => new Random(stream, 'synthetic').normals(size);
const vector = (stream: number, size: number) => tf.tensor1d(normals(stream, size));

function optionsAt(step: number, loss = 0.5): UpdateOptions {
  const hyperparameters = { learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step };
  const values = tf.tensor1d(updateValues(hyperparameters, DECAY));
  return { hyperparameters, decay: DECAY, values, guard: tf.scalar(loss) };
}
const disposeOptions = ({ values, guard }: UpdateOptions) => tf.dispose([values, guard]);

const fresh = (sizes: readonly number[], averages: boolean): Trained[] =>
  sizes.map((size, i) => ({
    state: {
      parameter: vector(i, size),
      firstMoment: vector(100 + i, size),
      secondMoment: tf.tidy(() => tf.square(vector(200 + i, size))),
    },
    average: averages ? vector(300 + i, size) : undefined,
  }));

const gradientsAt = (step: number, sizes: readonly number[]) => sizes.map((size, i) => vector(1000 * step + i, size));

const partsOf = ({ state, average }: Trained): Tensor[] => [
  state.parameter,
  state.firstMoment,
  state.secondMoment,
  ...(average ? [average] : []),
];
const valuesOf = (trained: readonly Trained[]) =>
  Promise.all(trained.flatMap(partsOf).map((tensor) => tensor.data<'float32'>()));
const disposeAll = (trained: readonly Trained[]) => tf.dispose(trained.flatMap(partsOf));

/** One update of all, in place of the last. */
function update(trained: readonly Trained[], gradients: readonly (Tensor | undefined)[], options: UpdateOptions) {
  const updated = updateAll(
    trained.map((part, i) => ({ ...part, gradient: gradients[i] })),
    options,
  );
  tf.dispose(gradients as Tensor[]);
  disposeOptions(options);
  return updated;
}

function reference(trained: readonly Trained[], gradients: readonly (Tensor | undefined)[], options: UpdateOptions) {
  return trained.map(({ state, average }, i): Trained => {
    const gradient = gradients[i];
    const next = gradient ? referenceAdam(state, gradient, options.hyperparameters) : state;
    return { state: next, average: average && referenceEma(average, next.parameter, options.decay) };
  });
}

const gpuBytes = () => (tf.memory() as unknown as { numBytesInGPU: number }).numBytesInGPU;

/** Every command so far has been submitted, and what was disposed before is free. */
async function settled() {
  const something = tf.tidy(() => tf.add(tf.scalar(1), 1));
  await something.data();
  something.dispose();
}

function expectClose(got: Float32Array[], wanted: Float32Array[]) {
  expect(got.map(({ length }) => length)).toEqual(wanted.map(({ length }) => length));
  got.forEach((values, t) => {
    const errors = values.map((value, i) => Math.abs(value - wanted[t][i]) / Math.max(1, Math.abs(wanted[t][i])));
    expect(Math.max(...errors)).toBeLessThan(1e-6);
  });
}

describe.skipIf(!availableEngines.includes('webgpu'))('updates of the webgpu engine', () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  it('follow the reference where the device binds less than all of them at a time', async () => {
    // 1,216 values with their padding: two arenas.
    const kernel = createOptimizerKernel(tf.backend() as unknown as WebgpuBackend, { mostValues: 1024 });
    let [ours, theirs] = [fresh(SIZES, true), fresh(SIZES, true)];
    for (let step = 1; step <= 3; step++) {
      const options = optionsAt(step);
      const without = (gradients: Tensor[]) => gradients.map((g, i) => (i === 1 ? undefined : g));
      const gradients = without(gradientsAt(step, SIZES));
      ours = kernel.updateAll!(
        ours.map((part, i) => ({ ...part, gradient: gradients[i] })),
        options,
      );
      theirs = reference(theirs, without(gradientsAt(step, SIZES)), options);
      expectClose(await valuesOf(ours), await valuesOf(theirs));
    }
    disposeAll([...ours, ...theirs]);
  });

  describe.each([
    ['with averages', true],
    ['without averages', false],
  ])('of all parameters, %s,', (_, averages) => {
    it.each([
      ['every parameter has a gradient', []],
      ['the first has none', [0]],
      ['one between others has none', [2]],
      ['only one has any', [0, 2, 3, 4]],
    ])('follow the reference over several updates where %s', async (_, without) => {
      let [ours, theirs] = [fresh(SIZES, averages), fresh(SIZES, averages)];
      for (let step = 1; step <= 4; step++) {
        const some = (gradients: Tensor[]) =>
          gradients.map((g, i) => ((without as number[]).includes(i) ? undefined : g));
        ours = update(ours, some(gradientsAt(step, SIZES)), optionsAt(step));
        theirs = reference(theirs, some(gradientsAt(step, SIZES)), optionsAt(step));
        expectClose(await valuesOf(ours), await valuesOf(theirs));
      }
    });

    it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
      'change nothing where the loss is %s',
      async (loss) => {
        const first = update(fresh(SIZES, averages), gradientsAt(1, SIZES), optionsAt(1));
        const before = await valuesOf(first);
        const after = update(first, gradientsAt(2, SIZES), optionsAt(2, loss));
        expect(await valuesOf(after)).toEqual(before);
        const next = update(after, gradientsAt(3, SIZES), optionsAt(3));
        expect((await valuesOf(next))[0]).not.toEqual(before[0]);
      },
    );

    it('keep neither tensors nor memory of the GPU, over many updates and when all is disposed', async () => {
      await settled();
      const beforeAll = { tensors: tf.memory().numTensors, bytes: gpuBytes() };
      let trained = fresh(SIZES, averages);
      const step = async (n: number) => {
        trained = update(trained, gradientsAt(n, SIZES), optionsAt(n));
        await trained[0].state.parameter.data();
      };
      await step(1);
      await step(2);
      await settled();
      const before = { tensors: tf.memory().numTensors, bytes: gpuBytes() };
      for (let n = 3; n < 8; n++) await step(n);
      await settled();
      expect(tf.memory().numTensors - before.tensors).toBe(0);
      expect(gpuBytes()).toBe(before.bytes);
      disposeAll(trained);
      await settled();
      expect(gpuBytes()).toBe(beforeAll.bytes);
    });
  });

  it('refuse averages of some parameters alone', () => {
    const [one, other] = [...fresh([3], true), ...fresh([3], false)];
    const options = optionsAt(1);
    expect(() => updateAll([one, other], options)).toThrow('either all parameters have averages or none');
  });

  it('of all parameters leave a clone of one as it was', async () => {
    let trained = update(fresh(SIZES, true), gradientsAt(1, SIZES), optionsAt(1));
    let expected = reference(fresh(SIZES, true), gradientsAt(1, SIZES), optionsAt(1));
    const clone = tf.clone(trained[1].state.parameter);
    const values = (await clone.data()).slice();
    trained = update(trained, gradientsAt(2, SIZES), optionsAt(2));
    expected = reference(expected, gradientsAt(2, SIZES), optionsAt(2));
    expect(await clone.data()).toEqual(values);
    expectClose(await valuesOf(trained), await valuesOf(expected));
    clone.dispose();
    trained = update(trained, gradientsAt(3, SIZES), optionsAt(3));
    expected = reference(expected, gradientsAt(3, SIZES), optionsAt(3));
    expectClose(await valuesOf(trained), await valuesOf(expected));
  });

  describe('of rows', () => {
    const [count, width] = [11, 13];
    const table = (): AdamState => ({
      parameter: tf.tensor2d(normals(1, count * width), [count, width]),
      firstMoment: tf.tensor2d(normals(2, count * width), [count, width]),
      secondMoment: tf.tidy(() => tf.square(tf.tensor2d(normals(3, count * width), [count, width]))),
    });
    const rows = [7, 0, 10, 3];
    const gradientAt = (step: number) => tf.tensor2d(normals(50 + step, rows.length * width), [rows.length, width]);
    const values = (state: AdamState) => valuesOf([{ state }]);
    const indices = () => tf.tensor1d(rows, 'int32') as Tensor1D;
    /** As if the rows had had 0, 1, 2 and 3 updates before the first. */
    const rowOptionsAt = (step: number, loss?: number): RowUpdateOptions => {
      const options = optionsAt(step, loss);
      const counts = Int32Array.from(rows, (_, i) => step + i);
      const corrections = tf.tensor2d(rowCorrections(options.hyperparameters, counts), [rows.length, 2]);
      return { ...options, counts, corrections };
    };

    it('follow the reference on them, and leave every other bit', async () => {
      let state = table();
      const before = await values(state);
      const gathered = (whole: Tensor) => tf.gather(whole, indices());
      const { parameter, firstMoment, secondMoment } = table();
      const row = (whole: Tensor, i: number) => tf.slice(whole, [i, 0], [1, width]);
      const [p, m, v] = [parameter, firstMoment, secondMoment].map(gathered);
      let expected = rows.map((_, i) => ({ parameter: row(p, i), firstMoment: row(m, i), secondMoment: row(v, i) }));
      for (let step = 1; step <= 3; step++) {
        const options = rowOptionsAt(step);
        state = updateRows(state, indices(), gradientAt(step), options);
        const { hyperparameters } = options;
        expected = expected.map((ofRow, i) =>
          referenceAdam(ofRow, row(gradientAt(step), i), { ...hyperparameters, step: step + i }),
        );
      }
      const after = await values(state);
      const wanted = await Promise.all(expected.map(values));
      after.forEach((whole, part) => {
        rows.forEach((at, i) => {
          expectClose([whole.slice(at * width, (at + 1) * width)], [wanted[i][part]]);
        });
        for (let other = 0; other < count; other++) {
          if (rows.includes(other)) continue;
          const span = [other * width, (other + 1) * width];
          expect(whole.subarray(...span)).toEqual(before[part].subarray(...span));
        }
      });
    });

    it('change nothing where the loss is not finite', async () => {
      const state = updateRows(table(), indices(), gradientAt(1), rowOptionsAt(1));
      const before = await values(state);
      for (const loss of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const after = updateRows(state, indices(), gradientAt(2), rowOptionsAt(2, loss));
        expect(await values(after)).toEqual(before);
      }
    });

    it('leave a clone of the table as it was', async () => {
      const state = table();
      const clone = tf.clone(state.parameter);
      const before = (await clone.data()).slice();
      const after = updateRows(state, indices(), gradientAt(1), rowOptionsAt(1));
      expect(await clone.data()).toEqual(before);
      expect(await after.parameter.data()).not.toEqual(before);
    });

    it('go on where the table lies side by side with other parameters', async () => {
      const run = async (together: boolean) => {
        let [state, other] = [table(), fresh([70], true)[0]];
        let average = tf.add(state.parameter, 0);
        for (let step = 1; step <= 3; step++) {
          state = updateRows(state, indices(), gradientAt(step), rowOptionsAt(step));
          const trained = [{ state, average }, other];
          const gradients = [undefined, vector(step, 70)];
          const options = optionsAt(step);
          const next = together ? update(trained, gradients, options) : reference(trained, gradients, options);
          [{ state, average }, other] = next as [Required<Trained>, Trained];
        }
        return valuesOf([{ state, average }, other]);
      };
      expectClose(await run(true), await run(false));
    });
  });
});
