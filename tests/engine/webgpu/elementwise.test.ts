import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import { Random } from '../../../src/random.ts';
import { tf } from '../../../src/tf.ts';
import { availableEngines } from '../../support/engines.ts';

const waves = { sine: { ours: tf.sin, exact: Math.sin }, cosine: { ours: tf.cos, exact: Math.cos } };

describe.skipIf(!availableEngines.includes('webgpu'))('kernels of the webgpu engine', () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  describe.each(Object.entries(waves))('%s', (_, { ours, exact }) => {
    // 1001 is no multiple of four; multiples of π/2 are where cancellation shows.
    const angles = (most: number) => new Random(1, 'synthetic').uniforms(1001, -most, most);
    const quarters = Float32Array.from({ length: 1275 }, (_, i) => ((i - 637) * Math.PI) / 2);

    it.each([
      ['|x| ≤ π', angles(Math.PI)],
      ['|x| ≤ 1000', angles(1000)],
      ['multiples of a quarter turn', quarters],
      ['one value', Float32Array.of(-0.5)],
    ])('is within 3e-7 of the exact one (%s)', async (_, x) => {
      const values = await ours(tf.tensor1d(x)).data<'float32'>();
      expect(values.length).toBe(x.length);
      expect(Math.max(...x.map((angle, i) => Math.abs(values[i] - exact(angle))))).toBeLessThan(3e-7);
    });

    it('keeps what is not a number, and the shape', async () => {
      const values = ours(tf.tensor2d([0.5, Number.NaN, 1, 2, 3, 4], [3, 2]));
      expect(values.shape).toEqual([3, 2]);
      expect([...(await values.data())].map(Number.isNaN)).toEqual([false, true, false, false, false, false]);
    });
  });

  it('takes more values than workgroups lie side by side', async () => {
    const { limits } = (tf.backend() as unknown as { device: GPUDevice }).device;
    const size = limits.maxComputeWorkgroupsPerDimension * 64 * 4 + 1001;
    const sine = tf.sin(tf.tensor1d(Float32Array.from({ length: size }, (_, i) => i % 1009)));
    const values = await sine.data<'float32'>();
    const exact = Float64Array.from({ length: 1009 }, (_, i) => Math.sin(i));
    let worst = 0;
    for (let i = 0; i < size; i++) worst = Math.max(worst, Math.abs(values[i] - exact[i % 1009]));
    expect(values.length).toBe(size);
    expect(worst).toBeLessThan(3e-7);
    sine.dispose();
  });

  const sumCases: { name: string; shape: number[]; axis?: number | number[]; keepDims?: boolean }[] = [
    { name: 'the first axis', shape: [5, 7], axis: 0 },
    { name: 'the first axis, kept', shape: [5, 7], axis: 0, keepDims: true },
    { name: 'two leading axes', shape: [3, 5, 7], axis: [0, 1] },
    { name: 'two leading axes in the other order', shape: [3, 5, 7], axis: [1, 0] },
    { name: 'three leading axes, kept', shape: [2, 3, 5, 130], axis: [0, 1, 2], keepDims: true },
    { name: 'the first axis counted from the end', shape: [5, 7], axis: -2 },
    { name: 'many columns', shape: [3, 10_000], axis: 0 },
    { name: 'more rows than a thread should walk', shape: [5000, 3], axis: 0 },
    { name: 'the last axis', shape: [5, 7], axis: 1 },
    { name: 'the middle axis', shape: [3, 5, 7], axis: 1, keepDims: true },
    { name: 'the outer axes', shape: [3, 5, 7], axis: [0, 2] },
    { name: 'all axes', shape: [3, 5, 7] },
    { name: 'all axes by name', shape: [3, 5], axis: [0, 1], keepDims: true },
    { name: 'no axis', shape: [3, 5], axis: [] },
  ];

  it.each(sumCases)('sums over $name', async ({ shape, axis, keepDims }) => {
    const size = shape.reduce((product, extent) => product * extent);
    const x = new Random(2, 'synthetic').normals(size);
    const axes = (axis === undefined ? shape.map((_, i) => i) : [axis].flat()).map((a) =>
      a < 0 ? a + shape.length : a,
    );
    const kept = shape.map((extent, i) => (axes.includes(i) ? 1 : extent));
    const expected = new Float64Array(kept.reduce((product, extent) => product * extent));
    const magnitudes = new Float64Array(expected.length);
    x.forEach((value, index) => {
      let [at, stride, rest] = [0, 1, index];
      for (let i = shape.length - 1; i >= 0; i--) {
        if (!axes.includes(i)) at += (rest % shape[i]) * stride;
        stride *= kept[i];
        rest = Math.floor(rest / shape[i]);
      }
      expected[at] += value;
      magnitudes[at] += Math.abs(value);
    });
    const sum = tf.sum(tf.tensor(x, shape), axis, keepDims);
    expect(sum.shape).toEqual(keepDims ? kept : shape.filter((_, i) => !axes.includes(i)));
    const values = await sum.data();
    expect(values.length).toBe(expected.length);
    expect(Math.max(...expected.map((value, i) => Math.abs(values[i] - value) / magnitudes[i]))).toBeLessThan(2 ** -21);
  });

  it('sums whole numbers and truths as TensorFlow.js does', async () => {
    const whole = tf.sum(tf.tensor2d([1, 2, 3, 4], [2, 2], 'int32'), 0);
    expect(whole.dtype).toBe('int32');
    expect([...(await whole.data())]).toEqual([4, 6]);
    expect([...(await tf.sum(tf.tensor2d([true, false, true, true], [2, 2], 'bool'), 0).data())]).toEqual([2, 1]);
  });

  it('sums columns to the same bits every time', async () => {
    const x = tf.tensor2d(new Random(3, 'synthetic').normals(300 * 70), [300, 70]);
    expect(await tf.sum(x, 0).data()).toEqual(await tf.sum(x, 0).data());
  });
});
