import { beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { type FieldSpec, type FieldWeights, fieldForward, fieldLoss } from '../../src/ops/field.ts';
import { referenceForward, referenceLoss } from '../../src/ops/fieldReference.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';
import { centralDifferences, slowField } from '../support/slowModel.ts';

interface Case {
  name: string;
  fields: number;
  points: number;
  widths: number[];
  activation: FieldSpec['activation'];
  output: FieldSpec['output'];
  perField?: boolean;
  skipLayer?: number;
}

const cases: Case[] = [
  { name: 'relu, sigmoid', fields: 3, points: 7, widths: [6, 8, 5, 3], activation: 'relu', output: 'sigmoid' },
  {
    name: 'relu, linear, odd widths',
    fields: 2,
    points: 33,
    widths: [5, 17, 9, 1],
    activation: 'relu',
    output: 'linear',
  },
  { name: 'sine', fields: 2, points: 9, widths: [2, 12, 12, 3], activation: 'sine', output: 'linear' },
  { name: 'no hidden layer', fields: 4, points: 5, widths: [8, 3], activation: 'relu', output: 'sigmoid' },
  { name: 'one field, one point', fields: 1, points: 1, widths: [4, 6, 3], activation: 'relu', output: 'sigmoid' },
  {
    name: 'features per field',
    fields: 3,
    points: 8,
    widths: [4, 10, 3],
    activation: 'sine',
    output: 'sigmoid',
    perField: true,
  },
  {
    name: 'a skip',
    fields: 3,
    points: 13,
    widths: [5, 9, 7, 3],
    activation: 'relu',
    output: 'sigmoid',
    skipLayer: 1,
  },
  {
    name: 'a skip of features per field',
    fields: 2,
    points: 8,
    widths: [6, 10, 11, 3],
    activation: 'sine',
    output: 'linear',
    perField: true,
    skipLayer: 2,
  },
];

function setUp({ fields, points, widths, activation, output, perField, skipLayer }: Case) {
  const random = new Random(11, 'parameters');
  const layers = widths.slice(1).map((outputs, i) => {
    return { inputs: widths[i] + (i === skipLayer ? widths[0] : 0), outputs };
  });
  const spec: FieldSpec = { layers, skipLayer, activation, omega: 3, output };
  const kernels = layers.map(({ inputs, outputs }) => {
    return Float64Array.from(random.normals(fields * inputs * outputs, 1 / Math.sqrt(inputs)));
  });
  const biases = layers.map(({ outputs }) => Float64Array.from(random.normals(fields * outputs, 0.3)));
  const features = Float64Array.from(random.normals((perField ? fields : 1) * points * widths[0]));
  const targets = Float64Array.from(random.uniforms(fields * points * widths[widths.length - 1], 0, 1));
  /** All outputs [B,P,C], slowly. */
  const slowForward = () => {
    const values: number[] = [];
    for (let b = 0; b < fields; b++) {
      const weights = layers.map(({ inputs, outputs }, l) => ({
        kernel: kernels[l].subarray(b * inputs * outputs, (b + 1) * inputs * outputs),
        bias: biases[l].subarray(b * outputs, (b + 1) * outputs),
      }));
      for (let p = 0; p < points; p++) {
        const at = ((perField ? b * points : 0) + p) * widths[0];
        values.push(...slowField(spec, weights, features.subarray(at, at + widths[0])));
      }
    }
    return values;
  };
  const slowLoss = () => {
    const values = slowForward();
    return values.reduce((sum, value, i) => sum + (value - targets[i]) ** 2, 0) / values.length;
  };
  const tensors = () => {
    const weights: FieldWeights = {
      kernels: layers.map(({ inputs, outputs }, l) =>
        tf.tensor3d(Float32Array.from(kernels[l]), [fields, inputs, outputs]),
      ),
      biases: layers.map(({ outputs }, l) => tf.tensor2d(Float32Array.from(biases[l]), [fields, outputs])),
    };
    const shape = perField ? [fields, points, widths[0]] : [points, widths[0]];
    const x = tf.tensor(Float32Array.from(features), shape);
    const y = tf.tensor3d(Float32Array.from(targets), [fields, points, widths[widths.length - 1]]);
    return { weights, x, y };
  };
  return { spec, kernels, biases, features, slowForward, slowLoss, tensors };
}

const largest = (values: Iterable<number>) => Math.max(...[...values].map(Math.abs));

describe.each(availableEngines)('the field operation on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it.each(cases)('agrees with a float64 evaluation point by point ($name)', async (testCase) => {
    const { spec, slowForward, tensors } = setUp(testCase);
    const { weights, x } = tensors();
    const values = await fieldForward(spec, weights, x).data();
    const expected = slowForward();
    expect(values.length).toBe(expected.length);
    expect(largest(expected.map((value, i) => value - values[i]))).toBeLessThan(5e-6);
  });

  it.each(cases)('has the gradients that finite differences give ($name)', async (testCase) => {
    const { spec, kernels, biases, slowLoss, tensors } = setUp(testCase);
    const { weights, x, y } = tensors();
    const count = spec.layers.length;
    const loss = (...w: Tensor[]) =>
      fieldLoss(spec, { kernels: w.slice(0, count) as Tensor3D[], biases: w.slice(count) as Tensor2D[] }, x, y);
    const { value, grads } = tf.valueAndGrads(loss)([...weights.kernels, ...weights.biases]);
    expect((await value.data())[0]).toBeCloseTo(slowLoss(), 6);
    const slow = [...kernels, ...biases];
    for (let i = 0; i < grads.length; i++) {
      const gradient = await grads[i].data();
      const entries = [...new Random(i, 'evaluation').sample(gradient.length, Math.min(12, gradient.length))];
      const expected = centralDifferences(slowLoss, slow[i], entries);
      entries.forEach((entry, k) => {
        expect(Math.abs(gradient[entry] - expected[k])).toBeLessThan(2e-6 + 1e-4 * Math.abs(expected[k]));
      });
    }
  });

  it.each(cases)('agrees with the reference ops, value and gradients ($name)', async (testCase) => {
    const { spec, tensors } = setUp(testCase);
    const { weights, x, y } = tensors();
    const count = spec.layers.length;
    const asWeights = (w: Tensor[]) => ({
      kernels: w.slice(0, count) as Tensor3D[],
      biases: w.slice(count) as Tensor2D[],
    });
    const inputs = [...weights.kernels, ...weights.biases];
    const fused = tf.valueAndGrads((...w: Tensor[]) => fieldLoss(spec, asWeights(w), x, y))(inputs);
    const reference = tf.valueAndGrads((...w: Tensor[]) => tf.mean(referenceLoss(spec, asWeights(w), x, y)))(inputs);
    for (const [a, b] of [[fused.value, reference.value], ...fused.grads.map((g, i) => [g, reference.grads[i]])]) {
      expect(a.shape).toEqual(b.shape);
      expect((await tf.max(tf.abs(tf.sub(a, b))).data())[0]).toBeLessThan(1e-5);
    }
    const forward = tf.sub(fieldForward(spec, weights, x), referenceForward(spec, weights, x));
    expect((await tf.max(tf.abs(forward)).data())[0]).toBeLessThan(1e-5);
  });

  it.each(cases.filter(({ perField }) => perField))(
    'differentiates the forward pass with respect to features that are given per field ($name)',
    async (testCase) => {
      const { spec, features, slowForward, tensors } = setUp(testCase);
      const { weights, x } = tensors();
      const gradient = await tf
        .grad((input: Tensor) => tf.sum(fieldForward(spec, weights, input)))(x)
        .data();
      const expected = centralDifferences(() => slowForward().reduce((a, b) => a + b, 0), features, [0, 5, 31, 95]);
      [0, 5, 31, 95].forEach((entry, k) => {
        expect(gradient[entry]).toBeCloseTo(expected[k], 4);
      });
    },
  );

  it('refuses gradients of what it takes as constant, instead of leaving them out', () => {
    const shared = setUp(cases[0]);
    const { weights, x, y } = shared.tensors();
    // Weights depend on the input too: without the error the rest of the gradient would pass for the whole.
    const scaled = (t: Tensor): FieldWeights => ({
      kernels: weights.kernels.map((kernel) => tf.mul(kernel, t) as Tensor3D),
      biases: weights.biases,
    });
    const gradient = (f: (t: Tensor) => Tensor) => tf.grad((t: Tensor) => tf.sum(f(t)))(tf.scalar(1));
    const twice = (f: (t: Tensor) => Tensor) => gradient((t) => tf.grad((u: Tensor) => tf.sum(f(u)))(t));
    for (const take of [gradient, twice]) {
      const features = (t: Tensor) => tf.mul(x, t);
      expect(() => take((t) => fieldForward(shared.spec, scaled(t), features(t)))).toThrow('features [P,F]');
      expect(() => take((t) => fieldLoss(shared.spec, scaled(t), features(t), y))).toThrow('constants');
      const targets = (t: Tensor) => tf.mul(y, t) as Tensor3D;
      expect(() => take((t) => fieldLoss(shared.spec, scaled(t), x, targets(t)))).toThrow('fieldLoss takes');
      const own = setUp(cases[5]);
      const perField = own.tensors();
      const ownFeatures = (t: Tensor) => tf.mul(perField.x, t);
      expect(() => take((t) => fieldLoss(own.spec, perField.weights, ownFeatures(t), perField.y))).toThrow(
        'fieldLoss takes',
      );
      expect(() => take((t) => fieldForward(own.spec, perField.weights, ownFeatures(t)))).not.toThrow();
    }
  });

  it('gives the same bits twice', async () => {
    const { spec, tensors } = setUp(cases[0]);
    const { weights, x, y } = tensors();
    const run = () => fieldLoss(spec, weights, x, y).data();
    expect(await run()).toEqual(await run());
  });

  it('leaks no tensor', async () => {
    const { spec, tensors } = setUp(cases[0]);
    const { weights, x, y } = tensors();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) {
      fieldForward(spec, weights, x).dispose();
      fieldLoss(spec, weights, x, y).dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives no op a tensor that is disposed, which only some engines forgive', () => {
    const { spec, tensors } = setUp(cases[6]);
    const { weights, x, y } = tensors();
    const disposed: string[] = [];
    const original = tf.engine().runKernel;
    const spy = vi.spyOn(tf.engine(), 'runKernel').mockImplementation((name, inputs, attributes) => {
      if (Object.values(inputs).some((input) => (input as Tensor).isDisposed)) disposed.push(name);
      return original.call(tf.engine(), name, inputs, attributes);
    });
    const asWeights = (w: Tensor[]) => ({
      kernels: w.slice(0, spec.layers.length) as Tensor3D[],
      biases: w.slice(spec.layers.length) as Tensor2D[],
    });
    tf.grads((...w: Tensor[]) => fieldLoss(spec, asWeights(w), x, y))([...weights.kernels, ...weights.biases]);
    expect(spy).toHaveBeenCalled();
    spy.mockRestore();
    expect(disposed).toEqual([]);
  });

  it('refuses weights and features of other shapes, naming both', () => {
    const { spec, tensors } = setUp(cases[0]);
    const { weights, x } = tensors();
    const short = { kernels: weights.kernels.slice(1), biases: weights.biases };
    expect(() => fieldForward(spec, short, x)).toThrow('3 layers, got weights of 2');
    const swapped = { kernels: [...weights.kernels].reverse(), biases: weights.biases };
    expect(() => fieldForward(spec, swapped, x)).toThrow('layer 0 needs kernel [3,6,8]');
    expect(() => fieldForward(spec, weights, tf.zeros([7, 4]))).toThrow('needs features [P,6]');
    for (const skipLayer of [0, 1, 3]) {
      expect(() => fieldForward({ ...spec, skipLayer }, weights, x)).toThrow("can't read [hidden, features]");
    }
  });
});
