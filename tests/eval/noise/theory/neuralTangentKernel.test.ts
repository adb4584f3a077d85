/** The empirical kernel against finite differences, and its prediction against a wide field that is really trained. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../../../src/engine/engine.ts';
import { predictFromKernel } from '../../../../src/eval/noise/theory/kernelPrediction.ts';
import { descentGain } from '../../../../src/eval/noise/theory/linearFit.ts';
import { neuralTangentKernel } from '../../../../src/eval/noise/theory/neuralTangentKernel.ts';
import type { Band } from '../../../../src/metrics/signal/bands.ts';
import { fft } from '../../../../src/metrics/signal/fft.ts';
import { ACTIVATIONS, type FieldSpec, fieldForward, fieldLoss } from '../../../../src/ops/field.ts';
import { Random } from '../../../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../../../src/tf.ts';
import { slowField } from '../../../support/slowModel.ts';

beforeAll(async () => {
  await startEngine('auto');
});

const line = (points: number, membership: Int32Array, bands: number) => ({
  width: points,
  height: 1,
  membership,
  bands: Array.from({ length: bands }, () => ({}) as Band),
});

describe('the empirical neural tangent kernel', () => {
  it.each([
    ...ACTIVATIONS.map((activation) => ({ activation, skipLayer: undefined })),
    { activation: 'sine' as const, skipLayer: 1 },
  ])('is J·Jᵀ by finite differences, activation $activation, skip to layer $skipLayer', ({ activation, skipLayer }) => {
    const spec: FieldSpec = {
      skipLayer,
      layers: [
        { inputs: 3, outputs: 4 },
        { inputs: skipLayer ? 7 : 4, outputs: 5 },
        { inputs: 5, outputs: 2 },
      ],
      activation,
      omega: activation === 'sine' || activation === 'finer' ? 3 : 0.7,
      output: 'sigmoid',
    };
    const random = new Random(3, 'synthetic');
    const weights = {
      kernels: spec.layers.map(({ inputs, outputs }) =>
        Array.from({ length: inputs * outputs }, () => random.normal()),
      ),
      biases: spec.layers.map(({ outputs }) => Array.from({ length: outputs }, () => random.normal() / 2)),
    };
    const features = Float64Array.from({ length: 4 * 3 }, () => random.normal());
    const { kernel, output } = neuralTangentKernel(spec, weights, features);
    const evaluate = () => {
      const layers = spec.layers.map((_, l) => ({ kernel: weights.kernels[l], bias: weights.biases[l] }));
      return Float64Array.from([0, 1, 2, 3].flatMap((p) => slowField(spec, layers, features.slice(3 * p, 3 * p + 3))));
    };
    const jacobian: Float64Array[] = [];
    for (const array of [...weights.kernels, ...weights.biases]) {
      for (let i = 0; i < array.length; i++) {
        const [value, h] = [array[i], 1e-5];
        array[i] = value + h;
        const above = evaluate();
        array[i] = value - h;
        const below = evaluate();
        array[i] = value;
        jacobian.push(above.map((v, k) => (v - below[k]) / (2 * h)));
      }
    }
    for (const [i, value] of evaluate().entries()) expect(output[i]).toBeCloseTo(value, 6);
    for (let p = 0; p < 4; p++) {
      for (let q = 0; q < 4; q++) {
        let expected = 0;
        for (const column of jacobian) for (const c of [0, 1]) expected += (column[2 * p + c] * column[2 * q + c]) / 2;
        expect(Math.abs(kernel[4 * p + q] - expected)).toBeLessThan(1e-5 * (1 + Math.abs(expected)));
      }
    }
  });

  it('predicts T, C and G of a circulant kernel exactly as the grid model does', () => {
    const points = 16;
    const row = Float64Array.from({ length: points }, (_, d) => Math.exp(-(Math.min(d, points - d) ** 2) / 4));
    const kernel = Float64Array.from({ length: points * points }, (_, i) => {
      return row[(Math.floor(i / points) - (i % points) + points) % points];
    });
    const spectrum = fft(row).re;
    const membership = Int32Array.from({ length: points }, (_, k) => (Math.min(k, points - k) < 3 ? 0 : 1));
    const random = new Random(4, 'synthetic');
    const signal = Float64Array.from({ length: points }, () => random.normal());
    const prediction = predictFromKernel(kernel, line(points, membership, 2), [signal]);
    const gain = (eigenvalue: number) => descentGain(0.2 * eigenvalue, 3);
    const response = prediction.response(gain);
    const s = fft(signal);
    for (const band of [0, 1]) {
      const modes = [...membership.keys()].filter((k) => membership[k] === band);
      const energy = modes.map((k) => s.re[k] ** 2 + s.im[k] ** 2);
      const total = energy.reduce((sum, value) => sum + value, 0);
      const gains = modes.map((k) => gain(spectrum[k]));
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(response[band].copy).toBeCloseTo(mean(gains), 10);
      expect(response[band].gain).toBeCloseTo(mean(gains.map((g) => g * g)), 10);
      expect(response[band].transfer).toBeCloseTo(gains.reduce((sum, g, i) => sum + g * energy[i], 0) / total, 10);
    }
  });

  it('predicts a wide field trained by plain gradient descent', async () => {
    const [points, half, frequencies, steps] = [32, 512, 8, 60];
    const spec: FieldSpec = {
      layers: [
        { inputs: 2 * frequencies, outputs: 2 * half },
        { inputs: 2 * half, outputs: 1 },
      ],
      activation: 'relu',
      omega: 1,
      output: 'linear',
    };
    const random = new Random(5, 'synthetic');
    const features = Float32Array.from({ length: points * 2 * frequencies }, (_, i) => {
      const [p, f] = [Math.floor(i / (2 * frequencies)), i % (2 * frequencies)];
      const phase = (2 * Math.PI * ((f % frequencies) + 1) * p) / points;
      return (f < frequencies ? Math.sin(phase) : Math.cos(phase)) / ((f % frequencies) + 1);
    });
    // Antisymmetric: the second half repeats the first with the sign turned, so that f_0 = 0.
    const first = random.normals(2 * frequencies * half, Math.sqrt(1 / frequencies));
    const kernel0 = Float32Array.from({ length: 2 * frequencies * 2 * half }, (_, i) => {
      return first[Math.floor(i / (2 * half)) * half + (i % half)];
    });
    const last = random.normals(half, Math.sqrt(1 / (2 * half)));
    const kernel1 = Float32Array.from({ length: 2 * half }, (_, i) => (i < half ? last[i] : -last[i - half]));
    const target = Float32Array.from({ length: points }, (_, p) => {
      return (
        Math.sin((2 * Math.PI * p) / points) + 0.5 * Math.cos((2 * Math.PI * 4 * p) / points) + 0.3 * random.normal()
      );
    });
    const plain = { kernels: [kernel0, kernel1], biases: [new Float32Array(2 * half), new Float32Array(1)] };
    const { kernel, output } = neuralTangentKernel(spec, plain, features);
    expect(Math.max(...output.map(Math.abs))).toBeLessThan(1e-6);
    const membership = Int32Array.from({ length: points }, (_, k) => Math.min(k, points - k));
    const prediction = predictFromKernel(kernel, line(points, membership, points / 2 + 1), [target]);
    const largest = Math.max(...prediction.eigenvalues);
    // d/dθ of the mean squared error is 2/P times that of ½‖·‖².
    const rate = 1 / largest;
    const learningRate = (rate * points) / 2;

    const shapes: number[][] = [
      [1, 2 * frequencies, 2 * half],
      [1, 2 * half, 1],
      [1, 2 * half],
      [1, 1],
    ];
    let parameters: Tensor[] = [kernel0, kernel1, ...plain.biases].map((values, i) => tf.tensor(values, shapes[i]));
    const weightsOf = (tensors: Tensor[]) => ({
      kernels: tensors.slice(0, 2) as Tensor3D[],
      biases: tensors.slice(2) as Tensor2D[],
    });
    const x = tf.tensor2d(features, [points, 2 * frequencies]);
    const y = tf.tensor3d(target, [1, points, 1]);
    const gradients = tf.grads((...tensors: Tensor[]) => fieldLoss(spec, weightsOf(tensors), x, y));
    for (let step = 0; step < steps; step++) {
      const next = tf.tidy(() =>
        gradients(parameters).map((gradient, i) => tf.sub(parameters[i], tf.mul(gradient, learningRate))),
      );
      tf.dispose(parameters);
      parameters = next;
    }
    const fit = Float64Array.from(await fieldForward(spec, weightsOf(parameters), x).data());

    const s = fft(target);
    const f = fft(fit);
    const predicted = prediction.response((eigenvalue) => descentGain(rate * eigenvalue, steps));
    for (const k of [0, 1, 2, 4, 8]) {
      const modes = [...membership.keys()].filter((mode) => membership[mode] === k);
      const energy = modes.reduce((sum, mode) => sum + s.re[mode] ** 2 + s.im[mode] ** 2, 0);
      const cross = modes.reduce((sum, mode) => sum + s.re[mode] * f.re[mode] + s.im[mode] * f.im[mode], 0);
      expect(Math.abs(cross / energy - predicted[k].transfer)).toBeLessThan(0.02);
    }
    // Something was learned, and not everything: the comparison means something.
    expect(predicted[1].transfer).toBeGreaterThan(0.9);
    expect(predicted[8].transfer).toBeLessThan(0.9);
  });
});
