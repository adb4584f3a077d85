import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import { Random } from '../../../src/random.ts';
import { type Tensor, type Tensor2D, tf } from '../../../src/tf.ts';
import { availableEngines } from '../../support/engines.ts';

interface Case {
  name: string;
  /** Extents of the left and right matrices as they are given, with those of the batch before them. */
  a: number[];
  b: number[];
  transposeA?: boolean;
  transposeB?: boolean;
}

const cases: Case[] = [
  { name: 'one number', a: [1, 1], b: [1, 1] },
  { name: 'odd sizes', a: [7, 13], b: [13, 5] },
  { name: 'odd sizes, left transposed', a: [13, 7], b: [13, 5], transposeA: true },
  { name: 'odd sizes, right transposed', a: [7, 13], b: [5, 13], transposeB: true },
  { name: 'odd sizes, both transposed', a: [13, 7], b: [5, 13], transposeA: true, transposeB: true },
  { name: 'more than a tile', a: [65, 33], b: [33, 130] },
  { name: 'more than a tile, both transposed', a: [33, 65], b: [130, 33], transposeA: true, transposeB: true },
  { name: 'a long sum', a: [3, 1000], b: [1000, 5] },
  { name: 'a long sum of a batch', a: [2, 700, 3], b: [2, 700, 5], transposeA: true },
  { name: 'a long sum, few rows, right transposed', a: [8, 2048], b: [64, 2048], transposeB: true },
  { name: 'a batch', a: [3, 5, 6], b: [3, 6, 7] },
  { name: 'one against a batch', a: [1, 5, 6], b: [4, 6, 7] },
  { name: 'a batch against one', a: [4, 5, 6], b: [1, 6, 7] },
  { name: 'a batch of two axes', a: [2, 3, 5, 6], b: [2, 3, 7, 6], transposeB: true },
  { name: 'a large batch', a: [64, 32, 2], b: [64, 2, 32] },
];

const sizeOf = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);

function operands({ a, b }: Case) {
  const random = new Random(3, 'synthetic');
  return [random.normals(sizeOf(a)), random.normals(sizeOf(b))];
}

/** The product in float64, and beside each value the sum of the magnitudes of its terms. */
function slowProduct({ a, b, transposeA, transposeB }: Case, left: Float32Array, right: Float32Array) {
  const [m, k] = transposeA ? [a[a.length - 1], a[a.length - 2]] : a.slice(-2);
  const n = transposeB ? b[b.length - 2] : b[b.length - 1];
  const batch = a.slice(0, -2).map((extent, i) => Math.max(extent, b[i]));
  const [values, magnitudes]: number[][] = [[], []];
  for (let index = 0; index < sizeOf(batch); index++) {
    const first = (shape: number[]) => {
      let [rest, offset, stride] = [index, 0, sizeOf(shape.slice(-2))];
      for (let axis = batch.length - 1; axis >= 0; axis--) {
        offset += shape[axis] === 1 ? 0 : (rest % batch[axis]) * stride;
        stride *= shape[axis];
        rest = Math.floor(rest / batch[axis]);
      }
      return offset;
    };
    const [ofLeft, ofRight] = [first(a), first(b)];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let [sum, magnitude] = [0, 0];
        for (let l = 0; l < k; l++) {
          const term =
            left[ofLeft + (transposeA ? l * m + i : i * k + l)] * right[ofRight + (transposeB ? j * k + l : l * n + j)];
          sum += term;
          magnitude += Math.abs(term);
        }
        values.push(sum);
        magnitudes.push(magnitude);
      }
    }
  }
  return { values, magnitudes, shape: [...batch, m, n] };
}

/** The largest error of any value, in units of 2⁻²⁴ of its terms' magnitudes. */
const worst = (got: ArrayLike<number>, { values, magnitudes }: ReturnType<typeof slowProduct>) =>
  values.reduce((most, value, i) => Math.max(most, Math.abs(got[i] - value) / (2 ** -24 * magnitudes[i])), 0);

describe.skipIf(!availableEngines.includes('webgpu'))('a product of matrices on the webgpu engine', () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  it.each(cases)(
    'agrees with float64 within a few roundings of its sum, the same every time ($name)',
    async (testCase) => {
      const [left, right] = operands(testCase);
      const { transposeA = false, transposeB = false } = testCase;
      const [a, b] = [tf.tensor(left, testCase.a), tf.tensor(right, testCase.b)];
      const multiply = () => tf.matMul(a, b, transposeA, transposeB);
      const expected = slowProduct(testCase, left, right);
      const product = multiply();
      expect(product.shape).toEqual(expected.shape);
      const values = await product.data();
      expect(values.length).toBe(expected.values.length);
      expect(worst(values, expected)).toBeLessThan(8);
      expect(await multiply().data()).toEqual(values);
    },
  );

  it("runs none of TensorFlow.js's kernels for products of float32 matrices", async () => {
    const { pipelineCache } = tf.backend() as unknown as { pipelineCache: Record<string, unknown> };
    const theirs = () => Object.keys(pipelineCache).filter((key) => /matmul/i.test(key));
    for (const { a, b, transposeA, transposeB } of cases) tf.matMul(tf.ones(a), tf.ones(b), transposeA, transposeB);
    expect(theirs()).toEqual([]);
    await tf.matMul(tf.ones([2, 2], 'int32'), tf.ones([2, 2], 'int32')).data();
    expect(theirs()).toHaveLength(1); // were it called otherwise, the above would say nothing
  });

  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('has the gradients that the products of its factors are (transposed: %s, %s)', async (transposeA, transposeB) => {
    const [m, k, n] = [6, 150, 9];
    const testCase = { name: '', a: transposeA ? [k, m] : [m, k], b: transposeB ? [n, k] : [k, n] };
    const [left, right] = operands(testCase);
    const weights = new Random(4, 'synthetic').normals(m * n);
    const loss = (a: Tensor, b: Tensor) =>
      tf.sum(tf.mul(tf.matMul(a, b, transposeA, transposeB), tf.tensor2d(weights, [m, n])));
    const grads = tf.grads(loss)([tf.tensor(left, testCase.a), tf.tensor(right, testCase.b)]);
    // d/dA = W·Bᵀ and d/dB = Aᵀ·W, each transposed where its factor is.
    const plain = (values: Float32Array, rows: number, columns: number, transposed: boolean) => {
      const at = (i: number, j: number) => values[transposed ? j * rows + i : i * columns + j];
      return Float32Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns));
    };
    const [a, b] = [plain(left, m, k, transposeA), plain(right, k, n, transposeB)];
    const ofA = slowProduct({ name: '', a: [m, n], b: [k, n], transposeB: true }, weights, b);
    const ofB = slowProduct({ name: '', a: [m, k], b: [m, n], transposeA: true }, a, weights);
    const untransposed = async (gradient: Tensor, transposed: boolean) =>
      (transposed ? tf.transpose(gradient as Tensor2D) : gradient).data();
    expect(worst(await untransposed(grads[0], transposeA), ofA)).toBeLessThan(8);
    expect(worst(await untransposed(grads[1], transposeB), ofB)).toBeLessThan(8);
  });

  it("leaves products of whole numbers and empty ones to TensorFlow.js's kernel", async () => {
    const whole = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2], 'int32'), tf.tensor2d([1, 1, 0, 2], [2, 2], 'int32'));
    expect([...(await whole.data())]).toEqual([1, 5, 3, 11]);
    expect(tf.matMul(tf.zeros([0, 3]), tf.zeros([3, 2])).shape).toEqual([0, 2]);
  });

  it('gives what is not a number where a factor is not', async () => {
    const a = tf.tensor2d([1, Number.NaN, 2, 3], [2, 2]);
    const values = await tf.matMul(a, tf.ones([2, 2]) as Tensor2D).data();
    expect([...values].map(Number.isNaN)).toEqual([true, true, false, false]);
  });

  it('leaks neither tensors nor memory of the GPU', async () => {
    const [a, b] = [tf.ones([8, 2048]), tf.ones([64, 2048])];
    const multiply = async () => {
      const product = tf.matMul(a, b, false, true);
      await product.data();
      product.dispose();
    };
    await multiply();
    await multiply();
    const before = tf.memory();
    for (let i = 0; i < 5; i++) await multiply();
    expect(tf.memory()).toEqual(before);
  });
});
