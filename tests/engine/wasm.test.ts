import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { sinInto, transposeInto } from '../../src/engine/wasm/kernels.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, tf } from '../../src/tf.ts';

const random = (shape: number[], seed = 1) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, values: new Random(seed, 'synthetic').normals(size) };
};

/** The same ops on the javascript engine, whose kernels are TensorFlow.js's own. */
async function onBoth(inputs: { shape: number[]; values: Float32Array }[], f: (...tensors: Tensor[]) => Tensor) {
  const results: { shape: number[]; values: number[] }[] = [];
  for (const engine of ['wasm', 'javascript']) {
    await startEngine(engine);
    const tensors = inputs.map(({ values, shape }) => tf.tensor(values, shape));
    const result = f(...tensors);
    results.push({ shape: result.shape, values: Array.from(await result.data()) });
    tf.dispose([...tensors, result]);
  }
  await startEngine('wasm');
  const [wasm, javascript] = results;
  expect(wasm.shape).toEqual(javascript.shape);
  const worst = Math.max(0, ...wasm.values.map((value, i) => Math.abs(value - javascript.values[i])));
  expect(worst).toBeLessThan(2e-5);
}

describe('kernels replaced on the wasm engine', () => {
  beforeAll(async () => {
    await startEngine('wasm');
  });

  it.each([
    [[4, 5, 7], [4, 7, 3], false, false],
    [[4, 7, 5], [4, 7, 3], true, false],
    [[4, 5, 7], [4, 3, 7], false, true],
    [[4, 7, 5], [4, 3, 7], true, true],
    [[1, 5, 7], [4, 7, 3], false, false],
    [[1, 7, 5], [4, 7, 3], true, false],
    [[4, 5, 7], [1, 3, 7], false, true],
    [[5, 7], [7, 3], false, false],
    [[7, 5], [7, 3], true, false],
    [[2, 3, 5, 7], [2, 3, 7, 2], false, false],
    [[2, 1, 5, 7], [1, 3, 7, 2], false, false],
    [[3, 65, 33], [3, 33, 129], false, false],
  ])('multiply %j by %j (transposed: %s, %s)', async (a, b, transposeA, transposeB) => {
    await onBoth([random(a), random(b, 2)], (x, y) => tf.matMul(x, y, transposeA, transposeB));
  });

  it.each([
    [[3, 4, 5], 1],
    [[3, 4, 5], 0],
    [
      [3, 4, 5],
      [0, 1],
    ],
    [
      [3, 4, 5],
      [1, 2],
    ],
    [[3, 4, 5], undefined],
    [
      [3, 4, 5],
      [0, 2],
    ],
    [[70, 33], 0],
  ])('sum %j over axes %j', async (shape, axes) => {
    await onBoth([random(shape)], (x) => tf.sum(x, axes as number[]));
    await onBoth([random(shape)], (x) => tf.sum(x, axes as number[], true));
  });

  it.each([
    [
      [3, 4, 5],
      [0, 2, 1],
    ],
    [
      [17, 35],
      [1, 0],
    ],
    [
      [3, 4, 5],
      [2, 0, 1],
    ],
    [
      [2, 3, 4, 5],
      [0, 1, 3, 2],
    ],
  ])('transpose %j by %j', async (shape, permutation) => {
    await onBoth([random(shape)], (x) => tf.transpose(x, permutation));
  });

  it('take sines and cosines to the rounding of a float32', () => {
    const xs = new Random(3, 'synthetic').uniforms(20_000, -3000, 3000);
    const sines = new Float32Array(xs.length);
    const cosines = new Float32Array(xs.length);
    sinInto(xs, sines, 0);
    sinInto(xs, cosines, Math.PI / 2);
    xs.forEach((x, i) => {
      // Half a unit in the last place of a float32 near 1 is 3e-8.
      expect(Math.abs(sines[i] - Math.sin(x))).toBeLessThan(3.1e-8);
      expect(Math.abs(cosines[i] - Math.cos(x))).toBeLessThan(3.1e-8);
    });
  });

  it('transpose blocks of any size', () => {
    const source = Float32Array.from({ length: 19 * 37 }, (_, i) => i);
    const target = new Float32Array(19 * 37);
    transposeInto(source, target, 19, 37);
    for (let r = 0; r < 19; r++) for (let c = 0; c < 37; c++) expect(target[c * 19 + r]).toBe(source[r * 37 + c]);
  });

  it('leave no tensor and no heap memory behind', async () => {
    const backend = tf.backend() as unknown as { numDataIds(): number; wasm: { HEAPU8: Uint8Array } };
    const [a, b] = [tf.randomNormal([8, 64, 64], 0, 1, 'float32', 1), tf.randomNormal([8, 64, 64], 0, 1, 'float32', 2)];
    const work = () => tf.tidy(() => void tf.sum(tf.sin(tf.matMul(tf.transpose(a, [0, 2, 1]), b, true, true)), 0));
    work();
    const [ids, heap] = [backend.numDataIds(), backend.wasm.HEAPU8.length];
    for (let i = 0; i < 200; i++) work();
    expect(backend.numDataIds()).toBe(ids);
    expect(backend.wasm.HEAPU8.length).toBeLessThan(heap + 2 ** 24);
  });
});
