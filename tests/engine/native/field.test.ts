import { describe, expect, it } from 'vitest';
import { ACTIVATIONS, type Activation, type FieldSpec } from '../../../src/ops/field.ts';
import { Random } from '../../../src/random.ts';
import { centralDifferences, slowField } from '../../support/slowModel.ts';
import { addon, instructionSets, isBuilt, relativeError, withSettings } from './support.ts';

interface Shape {
  name: string;
  fields: number;
  points: number;
  widths: number[];
  perField?: boolean;
  skipLayer?: number;
}

const SHAPES: Shape[] = [
  { name: 'whole tiles and vectors', fields: 2, points: 96, widths: [16, 64, 64, 3] },
  { name: 'odd widths, a ragged last tile', fields: 3, points: 131, widths: [7, 19, 37, 3] },
  { name: 'every width of panel', fields: 1, points: 14, widths: [5, 81, 33, 49, 17] },
  { name: 'one point, one channel', fields: 2, points: 1, widths: [3, 6, 1] },
  { name: 'no hidden layer', fields: 2, points: 29, widths: [21, 4] },
  { name: 'one field of many points, in chunks', fields: 1, points: 401, widths: [4, 9, 3] },
  { name: 'features of each field', fields: 3, points: 45, widths: [6, 12, 5, 2], perField: true },
  { name: 'a skip, odd widths', fields: 3, points: 131, widths: [7, 19, 37, 3], skipLayer: 1 },
  {
    name: 'a skip in chunks, features of one field',
    fields: 1,
    points: 401,
    widths: [13, 33, 6, 2],
    perField: true,
    skipLayer: 2,
  },
  { name: 'a skip of whole tiles and vectors', fields: 2, points: 96, widths: [16, 64, 64, 3], skipLayer: 1 },
];

function setUp(shape: Shape, activation: Activation, output: FieldSpec['output']) {
  const { fields, points, widths, perField = false, skipLayer } = shape;
  const random = new Random(5, 'parameters');
  const layers = widths.slice(1).map((outputs, i) => {
    return { inputs: widths[i] + (i === skipLayer ? widths[0] : 0), outputs };
  });
  const spec: FieldSpec = { layers, skipLayer, activation, omega: 1.7, output };
  // Rounded to float32 first, so that both sides start from the same numbers.
  const numbers = (count: number, scale: number) => random.normals(count, scale);
  const kernels = layers.map(({ inputs, outputs }) => numbers(fields * inputs * outputs, 1 / Math.sqrt(inputs)));
  const biases = layers.map(({ outputs }) => numbers(fields * outputs, 0.3));
  const features = numbers((perField ? fields : 1) * points * widths[0], 1);
  const targets = random.uniforms(fields * points * widths[widths.length - 1], 0, 1);
  const channels = widths[widths.length - 1];

  const call = (mode: number, gradientOf?: Float32Array) => {
    const outputs = new Float32Array(fields * points * channels).fill(Number.NaN);
    const losses = new Float32Array(fields).fill(Number.NaN);
    const kernelGradients = kernels.map((kernel) => new Float32Array(kernel.length).fill(Number.NaN));
    const biasGradients = biases.map((bias) => new Float32Array(bias.length).fill(Number.NaN));
    const featureGradients = new Float32Array(fields * points * widths[0]).fill(Number.NaN);
    addon.field(
      mode,
      widths,
      skipLayer ?? 0,
      ACTIVATIONS.indexOf(activation),
      spec.omega,
      output === 'sigmoid',
      !perField,
      fields,
      points,
      kernels,
      biases,
      features,
      gradientOf ?? (mode === 1 ? targets : null),
      mode === 0 ? outputs : null,
      mode === 1 ? losses : null,
      kernelGradients,
      biasGradients,
      mode === 2 ? featureGradients : null,
    );
    return { outputs, losses, kernelGradients, biasGradients, featureGradients };
  };
  return { spec, fields, points, channels, kernels, biases, features, targets, perField, call };
}

type Problem = ReturnType<typeof setUp>;

/** Float64 copies, so that finite differences can move them. */
function slowCopies({ kernels, biases, features }: Problem) {
  return {
    kernels: kernels.map((kernel) => Float64Array.from(kernel)),
    biases: biases.map((bias) => Float64Array.from(bias)),
    features: Float64Array.from(features),
  };
}

function slowOutputs(problem: Problem, slow: ReturnType<typeof slowCopies>, field: number): number[] {
  const { spec, points, perField } = problem;
  const weights = spec.layers.map(({ inputs, outputs }, l) => ({
    kernel: slow.kernels[l].subarray(field * inputs * outputs, (field + 1) * inputs * outputs),
    bias: slow.biases[l].subarray(field * outputs, (field + 1) * outputs),
  }));
  const { inputs } = spec.layers[0];
  const first = perField ? field * points : 0;
  return Array.from({ length: points }, (_, p) =>
    slowField(spec, weights, slow.features.subarray((first + p) * inputs, (first + p + 1) * inputs)),
  ).flat();
}

function slowLoss(problem: Problem, slow: ReturnType<typeof slowCopies>, field: number): number {
  const { points, channels, targets } = problem;
  const outputs = slowOutputs(problem, slow, field);
  const squares = outputs.map((y, i) => (y - targets[field * points * channels + i]) ** 2);
  return squares.reduce((sum, square) => sum + square, 0) / squares.length;
}

/** A few entries of field `field`'s part of an array of `size` per field: one inside and the last. */
function entriesOf(field: number, size: number): number[] {
  return [Math.floor(size / 3), size - 1].map((i) => field * size + i);
}

describe.skipIf(!isBuilt)('the fused field, on every instruction set', () => {
  /** The same call on each instruction set, so that the slow answers are worked out once. */
  const onEach = <T>(work: () => T): [string, T][] =>
    instructionSets.map((instructionSet) => [instructionSet, withSettings({ instructionSet }, work)]);

  /** Compares some entries of gradients with central differences of `value`. */
  const compare = (
    value: () => number,
    slow: Float64Array,
    gradients: [string, Float32Array][],
    from: readonly number[],
    at = from,
  ) => {
    const differences = centralDifferences(value, slow, from);
    for (const [instructionSet, gradient] of gradients) {
      expect(gradient.every(Number.isFinite), instructionSet).toBe(true);
      const scale = gradient.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      differences.forEach((difference, i) => {
        expect(Math.abs(gradient[at[i]] - difference), instructionSet).toBeLessThan(2e-5 * scale + 1e-9);
      });
    }
  };

  describe.each(ACTIVATIONS)('with %s', (activation) => {
    it.each(SHAPES)('evaluates as float64 does: $name', (shape) => {
      const problem = setUp(shape, activation, 'linear');
      const slow = slowCopies(problem);
      const expected = Array.from({ length: problem.fields }, (_, b) => slowOutputs(problem, slow, b)).flat();
      for (const [instructionSet, { outputs }] of onEach(() => problem.call(0))) {
        // FINER's slope ω(2|z|+1) multiplies the rounding errors of each layer.
        const bound = activation === 'finer' ? 3e-5 : 3e-6;
        expect(relativeError(outputs, expected), instructionSet).toBeLessThan(bound);
      }
    });

    it.each(SHAPES)('has the losses and gradients of float64 differences: $name', (shape) => {
      const problem = setUp(shape, activation, 'sigmoid');
      const results = onEach(() => problem.call(1));
      const slow = slowCopies(problem);
      const { fields } = problem;
      const expected = Array.from({ length: fields }, (_, b) => slowLoss(problem, slow, b));
      for (const [instructionSet, { losses }] of results) {
        expect(relativeError(losses, expected), instructionSet).toBeLessThan(1e-5);
      }
      const field = fields - 1;
      const loss = () => slowLoss(problem, slow, field) / fields;
      problem.spec.layers.forEach(({ inputs, outputs }, l) => {
        const kernels = results.map(([set, { kernelGradients }]): [string, Float32Array] => [set, kernelGradients[l]]);
        const biases = results.map(([set, { biasGradients }]): [string, Float32Array] => [set, biasGradients[l]]);
        compare(loss, slow.kernels[l], kernels, entriesOf(field, inputs * outputs));
        compare(loss, slow.biases[l], biases, entriesOf(field, outputs));
      });
    });
  });

  it.each(SHAPES)('carries any output gradient back to weights and features: $name', (shape) => {
    const problem = setUp(shape, 'sine', 'sigmoid');
    const { fields, points, channels, spec } = problem;
    const direction = new Random(9, 'parameters').normals(fields * points * channels);
    const results = onEach(() => problem.call(2, direction));
    const slow = slowCopies(problem);
    const field = fields - 1;
    const along = () =>
      slowOutputs(problem, slow, field).reduce((sum, y, i) => sum + y * direction[field * points * channels + i], 0);
    spec.layers.forEach(({ inputs, outputs }, l) => {
      const kernels = results.map(([set, { kernelGradients }]): [string, Float32Array] => [set, kernelGradients[l]]);
      const biases = results.map(([set, { biasGradients }]): [string, Float32Array] => [set, biasGradients[l]]);
      compare(along, slow.kernels[l], kernels, entriesOf(field, inputs * outputs));
      compare(along, slow.biases[l], biases, entriesOf(field, outputs));
    });
    // Feature gradients come for each field, shared features or not.
    const size = points * spec.layers[0].inputs;
    const features = results.map(([set, { featureGradients }]): [string, Float32Array] => [set, featureGradients]);
    compare(along, slow.features, features, entriesOf(problem.perField ? field : 0, size), entriesOf(field, size));
  });

  it.each(SHAPES)('gives the same bits on 1, 2 and 3 threads: $name', (shape) => {
    const problem = setUp(shape, 'gelu', 'sigmoid');
    for (const instructionSet of instructionSets) {
      const results = [1, 2, 3].map((threads) =>
        withSettings({ instructionSet, threads }, () => [problem.call(0), problem.call(1)]),
      );
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
    }
  });

  it('passes NaN on instead of hiding it', () => {
    const problem = setUp(SHAPES[1], 'relu', 'sigmoid');
    problem.kernels[0][0] = Number.NaN;
    for (const [, { losses }] of onEach(() => problem.call(1))) {
      expect(losses[0]).toBeNaN();
      expect(losses[1]).not.toBeNaN();
    }
  });
});
