import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import { fullView } from '../../../src/grid.ts';
import { fourierFeatures } from '../../../src/models/encodings/fourierFeatures.ts';
import {
  type FieldSpec,
  type FieldWeights,
  fieldForward,
  fieldForwardOnGrid,
  fieldLoss,
} from '../../../src/ops/field.ts';
import { referenceForward, referenceLoss } from '../../../src/ops/fieldReference.ts';
import { adamUpdate, emaUpdate } from '../../../src/ops/optimizer.ts';
import { Random } from '../../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../../src/tf.ts';
import { isBuilt, relativeError } from './support.ts';

const random = new Random(21, 'synthetic');
const tensor = (shape: number[]) => tf.tensor(random.normals(shape.reduce((a, b) => a * b, 1)), shape);

/** Ops by name, each from fixed inputs; run on the native and on the JavaScript backend. */
const a = random.normals(2 * 3 * 4 * 5);
const b = random.normals(2 * 3 * 4 * 5);
const four = (values: Float32Array) => tf.tensor4d(values, [2, 3, 4, 5]);
const image = random.normals(2 * 9 * 8 * 3);
const filter = random.normals(3 * 3 * 3 * 5);
const OPS: Record<string, () => Tensor | Tensor[]> = {
  'slice, inner': () => tf.slice(four(a), [1, 0, 1, 2], [1, 3, 2, 3]),
  'slice, contiguous': () => tf.slice(four(a), [1, 0, 0, 0], [1, 3, 4, 5]),
  'slice of integers': () => tf.slice(tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], 'int32'), [0, 1], [2, 2]),
  'split, uneven': () => tf.split(four(a), [1, 3, 1], 3),
  'concat, last axis': () => tf.concat([four(a), tf.ones([2, 3, 4, 1]), four(b)], 3),
  'concat, first axis': () => tf.concat([four(a), four(b)], 0),
  'concat with an empty part': () => tf.concat([tf.zeros([0, 2]), tf.ones([2, 2])], 0),
  'stack, unstack': () => tf.unstack(tf.stack([four(a), four(b)], 2), 3),
  pad: () =>
    tf.pad(
      four(a),
      [
        [0, 1],
        [2, 0],
        [0, 0],
        [1, 3],
      ],
      7,
    ),
  'transpose, all': () => tf.transpose(four(a), [3, 1, 0, 2]),
  'transpose, last two': () => tf.transpose(four(a), [0, 1, 3, 2]),
  'transpose, matrix': () => tf.transpose(tf.tensor2d(random.normals(130 * 67).fill(2), [130, 67])),
  'transpose, first two': () => tf.transpose(four(a), [1, 0, 2, 3]),
  tile: () => tf.tile(four(a), [2, 1, 3, 2]),
  'gather rows': () => tf.gather(tf.tensor2d(a.slice(0, 24), [6, 4]), tf.tensor1d([5, 0, 5], 'int32')),
  'gather columns': () => tf.gather(four(a), tf.tensor1d([3, 0], 'int32'), 2),
  'segment sum': () =>
    tf.unsortedSegmentSum(tf.tensor2d(a.slice(0, 24), [6, 4]), tf.tensor1d([2, 0, 2, 2, 1, 0], 'int32'), 4),
  'segment sum with dropped rows': () =>
    tf.unsortedSegmentSum(tf.tensor2d(a.slice(0, 6), [3, 2]), tf.tensor1d([1, -1, 1], 'int32'), 2),
  'scatter update': () =>
    tf.tensorScatterUpdate(
      tf.tensor2d(a.slice(0, 24), [6, 4]),
      tf.tensor2d([4, 1], [2, 1], 'int32'),
      tf.tensor2d(b.slice(0, 8), [2, 4]),
    ),
  'sum, middle': () => tf.sum(four(a), [1, 2]),
  'sum, kept': () => tf.sum(four(a), [0], true),
  'sum, axes apart': () => tf.sum(four(a), [0, 2]),
  'sum, all': () => tf.sum(four(a)),
  'mean, last': () => tf.mean(four(a), -1),
  'sum of booleans': () => tf.sum(tf.cast(tf.greater(four(a), four(b)), 'float32')),
  'add, broadcast both ways': () =>
    tf.add(tf.slice(four(a), [0, 0, 0, 0], [2, 1, 4, 1]), tf.slice(four(b), [0, 0, 0, 0], [1, 3, 1, 5])),
  'a power of an integer tensor': () => tf.pow(tf.abs(four(a)), tf.scalar(2, 'int32')),
  'integers stay integers': () => tf.add(tf.tensor1d([1, 2], 'int32'), tf.tensor1d([3, 4], 'int32')),
  'matMul, broadcast batch': () => tf.matMul(four(a), tf.reshape(four(b), [2, 3, 5, 4])),
  'matMul, one against many': () => tf.matMul(tf.ones([1, 1, 6, 4]), four(a)),
  'matMul, partly broadcast batch': () =>
    tf.matMul(tf.slice(four(a), [0, 0, 0, 0], [2, 1, 4, 5]), four(b), false, true),
  'fused matMul': () =>
    tf.fused.matMul({
      a: tf.tensor2d(a, [12, 10]),
      b: tf.tensor2d(b, [10, 12]),
      bias: tf.tensor1d(a.slice(0, 12)),
      activation: 'sigmoid',
    }),
  'conv2d, same': () => tf.conv2d(tf.tensor4d(image, [2, 9, 8, 3]), tf.tensor4d(filter, [3, 3, 3, 5]), 2, 'same'),
  'conv2d, gradients': () => {
    const f = (x: Tensor, w: Tensor) => tf.sum(tf.square(tf.conv2d(x as never, w as never, 1, 'valid')));
    return tf.grads(f as never)([tf.tensor4d(image, [2, 9, 8, 3]), tf.tensor4d(filter, [3, 3, 3, 5])]);
  },
  'conv2d, transposed': () =>
    tf.conv2dTranspose(
      tf.tensor4d(a.slice(0, 60), [1, 3, 4, 5]),
      tf.tensor4d(b.slice(0, 90), [3, 3, 2, 5]),
      [1, 6, 8, 2],
      2,
      'same',
    ),
  'fused conv2d': () =>
    tf.fused.conv2d({
      x: tf.tensor4d(image, [2, 9, 8, 3]),
      filter: tf.tensor4d(filter, [3, 3, 3, 5]),
      strides: 1,
      pad: 'same',
      bias: tf.tensor1d([1, 2, 3, 4, 5]),
      activation: 'leakyrelu',
      leakyreluAlpha: 0.1,
    }),
  'leaky rectifier': () => tf.leakyRelu(four(a), 0.3),
  clip: () => tf.clipByValue(four(a), -0.5, 0.25),
  fill: () => tf.fill([3, 4], 2.5),
  addN: () => tf.addN([four(a), four(b), four(a)]),
};

describe.skipIf(!isBuilt)('the native backend', () => {
  beforeAll(async () => {
    await startEngine('native');
  });
  beforeEach(async () => {
    await tf.setBackend('native');
  });

  it.each(Object.keys(OPS))('agrees with the JavaScript backend: %s', async (name) => {
    const run = async (backend: string) => {
      await tf.setBackend(backend);
      const before = tf.memory().numTensors;
      const results = tf.tidy(() => [OPS[name]()].flat());
      const read = results.map((result) => ({ shape: result.shape, dtype: result.dtype, values: result.dataSync() }));
      tf.dispose(results);
      expect(tf.memory().numTensors).toBe(before);
      return read;
    };
    const [native, javascript] = [await run('native'), await run('cpu')];
    expect(native.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
      javascript.map(({ shape, dtype }) => ({ shape, dtype })),
    );
    native.forEach(({ values }, i) => {
      expect(relativeError(values, javascript[i].values)).toBeLessThan(2e-6);
    });
  });

  it('never reuses memory that somebody can still see', () => {
    const length = 5000;
    const first = tf.add(tf.zeros([length]), 1);
    const values = first.dataSync();
    const part = tf.slice(tf.add(tf.zeros([length]), 2), 0, length - 1);
    const view = tf.reshape(part, [1, length - 1]);
    part.dispose();
    first.dispose();
    for (let i = 0; i < 20; i++) tf.tidy(() => tf.sub(tf.fill([length], i + 10), tf.fill([length], 3)));
    for (let i = 0; i < 20; i++) tf.tidy(() => tf.fill([length - 1], i + 10));
    expect(values.every((value) => value === 1)).toBe(true);
    expect(view.dataSync().every((value) => value === 2)).toBe(true);
    view.dispose();
  });

  it('encodes grids as the JavaScript encoder does, deep zooms and attenuation included', () => {
    const frequencies = Float64Array.from(new Random(3, 'encoding').normals(2 * 37, 40));
    const gains = Float64Array.from({ length: 37 }, (_, k) => 1 / (1 + k));
    const far = 1e-7;
    const views = [fullView(19, 23), { width: 19, height: 23, window: [0.5, 0.5, 0.5 + far, 0.5 + far] as const }];
    for (const view of views) {
      for (const attenuation of [undefined, gains]) {
        const encoder = fourierFeatures(frequencies, attenuation).grid(view as never);
        const rows = encoder.tensor({ firstRow: 4, rowCount: 11 });
        expect(rows.shape).toEqual([11 * 19, 74]);
        expect(relativeError(rows.dataSync(), encoder.values({ firstRow: 4, rowCount: 11 }))).toBeLessThan(2e-7);
        const chosen = Int32Array.of(436, 0, 20, 20);
        const pixels = encoder.tensor(chosen);
        expect(relativeError(pixels.dataSync(), encoder.values(chosen))).toBeLessThan(2e-7);
        for (const skipLayer of [undefined, 1]) {
          const spec: FieldSpec = {
            layers: [
              { inputs: 74, outputs: 21 },
              { inputs: skipLayer ? 21 + 74 : 21, outputs: 3 },
            ],
            skipLayer,
            activation: 'relu',
            omega: 1,
            output: 'sigmoid',
          };
          const kernels = spec.layers.map(({ inputs, outputs }) => tensor([2, inputs, outputs]) as Tensor3D);
          const biases = spec.layers.map(({ outputs }) => tensor([2, outputs]) as Tensor2D);
          const onGrid = fieldForwardOnGrid(spec, { kernels, biases }, encoder.grid!, { firstRow: 4, rowCount: 11 });
          const composed = referenceForward(spec, { kernels, biases }, rows);
          expect(relativeError(onGrid!.dataSync(), composed.dataSync())).toBeLessThan(1e-5);
        }
        tf.dispose([rows, pixels]);
      }
    }
  });

  it('takes tensors that another backend made', async () => {
    await tf.setBackend('cpu');
    const [x, y] = [tensor([40, 60]) as Tensor2D, tensor([60, 50]) as Tensor2D];
    const expected = tf.matMul(x, y).dataSync();
    await tf.setBackend('native');
    expect(relativeError(tf.matMul(x, y).dataSync(), expected)).toBeLessThan(1e-6);
  });

  it('updates in place what it owns alone, and copies what others see', () => {
    const size = [3000];
    const hyperparameters = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 1 };
    const fromCaller = random.normals(3000);
    const original = fromCaller.slice();
    const parameter = tf.tensor(fromCaller, size);
    const shared = tf.clone(parameter);
    const state = { parameter, firstMoment: tf.zeros(size), secondMoment: tf.zeros(size) };
    const gradient = tf.ones(size);
    const next = adamUpdate(state, gradient, hyperparameters);
    expect([...fromCaller]).toEqual([...original]);
    expect([...shared.dataSync()]).toEqual([...original]);
    const again = adamUpdate(next, gradient, { ...hyperparameters, step: 2 });
    expect(again.parameter).toBe(next.parameter);
    const seen = again.parameter.dataSync();
    const copy = Float32Array.from(seen);
    const third = adamUpdate(again, gradient, { ...hyperparameters, step: 3 });
    expect([...seen]).toEqual([...copy]);
    const average = emaUpdate(tf.clone(shared), third.parameter, 0.5);
    expect([...shared.dataSync()]).toEqual([...original]);
    tf.dispose([third, average, shared, gradient] as never);
  });

  it('keeps no tensors after a step of a field, and agrees with the composed field', () => {
    const layers = [
      { inputs: 6, outputs: 20 },
      { inputs: 20, outputs: 3 },
    ];
    const spec: FieldSpec = { layers, activation: 'gelu', omega: 1, output: 'sigmoid' };
    const kernels = layers.map(({ inputs, outputs }) => tensor([4, inputs, outputs]) as Tensor3D);
    const biases = layers.map(({ outputs }) => tensor([4, outputs]) as Tensor2D);
    const [features, targets] = [tensor([4, 33, 6]) as Tensor3D, tensor([4, 33, 3]) as Tensor3D];
    const weightsOf = (w: Tensor[]): FieldWeights => ({
      kernels: w.slice(0, 2) as Tensor3D[],
      biases: w.slice(2, 4) as Tensor2D[],
    });
    const before = tf.memory().numTensors;
    const compare = (fused: (...w: Tensor[]) => Tensor, composed: (...w: Tensor[]) => Tensor, inputs: Tensor[]) => {
      const [one, other] = [fused, composed].map((f) => tf.valueAndGrads(f as never)(inputs));
      expect(relativeError(one.value.dataSync(), other.value.dataSync())).toBeLessThan(1e-5);
      one.grads.forEach((gradient, i) => {
        expect(relativeError(gradient.dataSync(), other.grads[i].dataSync())).toBeLessThan(1e-5);
      });
      tf.dispose([one, other] as never);
    };
    compare(
      (...w) => fieldLoss(spec, weightsOf(w), features, targets),
      (...w) => tf.mean(referenceLoss(spec, weightsOf(w), features, targets)),
      [...kernels, ...biases],
    );
    compare(
      (...w) => tf.tidy(() => tf.sum(tf.mul(fieldForward(spec, weightsOf(w), w[4]), targets))),
      (...w) => tf.tidy(() => tf.sum(tf.mul(referenceForward(spec, weightsOf(w), w[4]), targets))),
      [...kernels, ...biases, features],
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});
