/**
 * Gradients of gradients, as penalties on gradients (R1: Mescheder et al. 2018) and inner loops take them, against
 * central differences of central differences in float64.
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import {
  ACTIVATIONS,
  type Activation,
  type FieldSpec,
  type FieldWeights,
  fieldForward,
  fieldForwardOnGrid,
  fieldLoss,
} from '../../src/ops/field.ts';
import { affineHeads } from '../../src/ops/heads.ts';
import { kernelsInUse } from '../../src/ops/kernels.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';
import { centralDifferences, slowField } from '../support/slowModel.ts';

const [FIELDS, POINTS, FEATURES, WIDTH, CHANNELS, LATENT] = [2, 5, 3, 5, 2, 3];
/**
 * Of the inner and the outer differences: rounding and truncation both stay near 1e-8 of the values, and kinks of
 * rectifiers are seldom met. The series behind the slow gelu has fewer digits.
 */
const stepOf = (activation: Activation) => (activation === 'gelu' ? 1e-3 : 1e-4);

/** A loss of the outputs of all fields, [B,P,C] flat, and the same in tensors. */
interface Loss {
  name: string;
  slow(outputs: readonly number[], targets: Float64Array): number;
  fast(spec: FieldSpec, weights: FieldWeights, features: Tensor, targets: Tensor3D): Tensor;
}

const LOSSES: Loss[] = [
  {
    name: 'the loss',
    slow: (outputs, targets) => outputs.reduce((sum, v, i) => sum + (v - targets[i]) ** 2, 0) / outputs.length,
    fast: fieldLoss,
  },
  {
    name: 'a nonlinear function of the output',
    slow: (outputs, targets) => outputs.reduce((sum, v, i) => sum + v ** 3 * targets[i], 0) / outputs.length,
    fast: (spec, weights, features, targets) => {
      const output = fieldForward(spec, weights, features);
      return tf.mean(tf.mul(tf.mul(output, tf.square(output)), targets));
    },
  },
];

/** B fields whose weights are heads of B latents; parameters are [kernel, shared] of each head in turn. */
function setUp(activation: Activation, skipLayer: number | undefined, perField = false) {
  const step = stepOf(activation);
  const random = new Random(23, 'parameters');
  const widths = [FEATURES, WIDTH, WIDTH, CHANNELS];
  const layers = widths.slice(1).map((outputs, i) => {
    return { inputs: widths[i] + (i === skipLayer ? FEATURES : 0), outputs };
  });
  const spec: FieldSpec = {
    layers,
    skipLayer,
    activation,
    omega: activation === 'finer' ? 0.5 : 1.5,
    output: 'sigmoid',
  };
  const sizes = layers.flatMap(({ inputs, outputs }) => [inputs * outputs, outputs]);
  const draw = (count: number, deviation: number) => Float64Array.from(random.normals(count, deviation));
  const parameters = sizes.flatMap((size, i) => {
    const deviation = 1 / Math.sqrt(layers[i >> 1].inputs);
    return [draw(LATENT * size, 0.4 * deviation), draw(size, deviation)];
  });
  const latents = draw(FIELDS * LATENT, 1);
  const features = draw((perField ? FIELDS : 1) * POINTS * FEATURES, 1);
  const targets = Float64Array.from(random.uniforms(FIELDS * POINTS * CHANNELS, 0, 1));

  const slowOutputs = () => {
    const outputs: number[] = [];
    for (let b = 0; b < FIELDS; b++) {
      const flat = sizes.map((size, i) => {
        return Float64Array.from({ length: size }, (_, o) => {
          let value = parameters[2 * i + 1][o];
          for (let m = 0; m < LATENT; m++) value += latents[b * LATENT + m] * parameters[2 * i][m * size + o];
          return value;
        });
      });
      const weights = layers.map((_, l) => ({ kernel: flat[2 * l], bias: flat[2 * l + 1] }));
      for (let p = 0; p < POINTS; p++) {
        const at = ((perField ? b * POINTS : 0) + p) * FEATURES;
        outputs.push(...slowField(spec, weights, features.subarray(at, at + FEATURES)));
      }
    }
    return outputs;
  };
  /** ‖∇L‖² with respect to some values, in float64. */
  const slowPenalty = (loss: Loss, values: Float64Array) => {
    const gradient = centralDifferences(() => loss.slow(slowOutputs(), targets), values, [...values.keys()], step);
    return gradient.reduce((sum, g) => sum + g * g, 0);
  };

  const tensors = {
    parameters: parameters.map((values, i) => {
      const size = sizes[i >> 1];
      return i % 2 === 0
        ? tf.tensor2d(Float32Array.from(values), [LATENT, size])
        : tf.tensor1d(Float32Array.from(values));
    }),
    latents: tf.tensor2d(Float32Array.from(latents), [FIELDS, LATENT]),
    features: tf.tensor(Float32Array.from(features), [...(perField ? [FIELDS] : []), POINTS, FEATURES]),
    targets: tf.tensor3d(Float32Array.from(targets), [FIELDS, POINTS, CHANNELS]),
  };
  const weightsOf = (latentTensor: Tensor, heads: readonly Tensor[]): FieldWeights => {
    const outputs = affineHeads(
      latentTensor as Tensor2D,
      sizes.map((_, i) => ({ kernel: heads[2 * i] as Tensor2D, shared: heads[2 * i + 1] })),
    );
    return {
      kernels: layers.map(({ inputs, outputs: width }, l) => tf.reshape(outputs[2 * l], [-1, inputs, width])),
      biases: layers.map((_, l) => outputs[2 * l + 1]),
    };
  };
  return { spec, step, parameters, latents, features, slowOutputs, slowPenalty, tensors, weightsOf };
}

type Setting = ReturnType<typeof setUp>;

/** ‖∇_z L‖² of latents and parameters. */
function latentPenalty({ spec, tensors, weightsOf }: Setting, loss: Loss) {
  return (latents: Tensor, ...heads: Tensor[]) => {
    const gradient = tf.grad((z: Tensor) => loss.fast(spec, weightsOf(z, heads), tensors.features, tensors.targets));
    return tf.sum(tf.square(gradient(latents)));
  };
}

/** Compares gradients with central differences of `slow`, at some entries of each of `values`. */
async function expectGradients(
  gradients: readonly Tensor[],
  values: readonly Float64Array[],
  slow: () => number,
  step: number,
) {
  for (let i = 0; i < gradients.length; i++) {
    const gradient = await gradients[i].data();
    expect(gradient.length).toBe(values[i].length);
    const entries = [...new Random(i, 'evaluation').sample(gradient.length, Math.min(2, gradient.length))];
    const expected = centralDifferences(slow, values[i], entries, step);
    const scale = Math.max(...gradient.map(Math.abs));
    expect(scale).toBeGreaterThan(1e-7);
    entries.forEach((entry, k) => {
      expect(Math.abs(gradient[entry] - expected[k])).toBeLessThan(2e-7 + 5e-4 * scale);
    });
  }
}

const cases = ACTIVATIONS.flatMap((activation) =>
  [undefined, 1].flatMap((skipLayer) => LOSSES.map((loss) => ({ activation, skipLayer, loss, name: loss.name }))),
);

describe.each(availableEngines)('gradients of gradients on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it.each(cases)(
    'are those of float64 differences: $activation, skip at $skipLayer, latents under $name',
    async ({ activation, skipLayer, loss }) => {
      const setting = setUp(activation, skipLayer);
      const inputs = [setting.tensors.latents, ...setting.tensors.parameters];
      const { value, grads } = tf.valueAndGrads(latentPenalty(setting, loss))(inputs);
      const slow = () => setting.slowPenalty(loss, setting.latents);
      const expected = slow();
      expect(Math.abs((await value.data())[0] - expected)).toBeLessThan(1e-4 * expected);
      await expectGradients(grads, [setting.latents, ...setting.parameters], slow, setting.step);
    },
  );

  it.each(ACTIVATIONS)('are those of float64 differences: %s, features of each field', async (activation) => {
    const setting = setUp(activation, 1, true);
    const { spec, tensors, weightsOf } = setting;
    const loss = LOSSES[1];
    const penalty = (latents: Tensor, ...heads: Tensor[]) => {
      const gradient = tf.grad((x: Tensor) => loss.fast(spec, weightsOf(latents, heads), x, tensors.targets));
      return tf.sum(tf.square(gradient(tensors.features)));
    };
    const { grads } = tf.valueAndGrads(penalty)([tensors.latents, ...tensors.parameters]);
    const slow = () => setting.slowPenalty(loss, setting.features);
    await expectGradients(grads, [setting.latents, ...setting.parameters], slow, setting.step);
  });

  it.each(ACTIVATIONS)('can be differentiated once more: %s', async (activation) => {
    const { spec, latents, slowOutputs, tensors, weightsOf } = setUp(activation, 1);
    const sum = (t: Tensor) =>
      tf.sum(fieldForward(spec, weightsOf(tf.mul(tensors.latents, t), tensors.parameters), tensors.features));
    const third = tf.grad((t) => tf.grad((u) => tf.grad(sum)(u))(t))(tf.scalar(1));
    const at = (t: number) => {
      const original = Float64Array.from(latents);
      for (let i = 0; i < latents.length; i++) latents[i] *= t;
      const value = slowOutputs().reduce((a, b) => a + b, 0);
      latents.set(original);
      return value;
    };
    const h = 1e-3;
    const expected = (at(1 + 2 * h) - 2 * at(1 + h) + 2 * at(1 - h) - at(1 - 2 * h)) / (2 * h ** 3);
    expect(Math.abs(expected)).toBeGreaterThan(1e-3);
    expect(Math.abs((await third.data())[0] - expected)).toBeLessThan(2e-3 * Math.max(1, Math.abs(expected)));
  });

  it('leave no tensor behind', () => {
    for (const loss of LOSSES) {
      const setting = setUp('sine', 1);
      const inputs = [setting.tensors.latents, ...setting.tensors.parameters];
      const before = tf.memory().numTensors;
      const { value, grads } = tf.valueAndGrads(latentPenalty(setting, loss))(inputs);
      tf.dispose([value, ...grads]);
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it('are the only ones for which kernels stand back', () => {
    const kernel = kernelsInUse().field;
    if (!kernel) return;
    const spy = vi.spyOn(kernel, 'lossAndGradients');
    try {
      const setting = setUp('relu', undefined);
      const { spec, tensors, weightsOf } = setting;
      tf.grad((z: Tensor) => fieldLoss(spec, weightsOf(z, tensors.parameters), tensors.features, tensors.targets))(
        tensors.latents,
      );
      expect(spy).toHaveBeenCalledTimes(1);
      tf.grads(latentPenalty(setting, LOSSES[0]))([tensors.latents, ...tensors.parameters]);
      expect(spy).toHaveBeenCalledTimes(1);
    } finally {
      spy.mockRestore();
    }
  });

  it('are not lost in drawing: the kernel for grids leaves a gradient to the others', () => {
    const { spec, tensors, weightsOf } = setUp('relu', undefined);
    const grid = { xs: Float64Array.of(0.5), ys: Float64Array.of(0.5), frequencies: Float64Array.of(1, 2) };
    const small = { ...spec, layers: [{ ...spec.layers[0], inputs: 2 }, ...spec.layers.slice(1)] };
    const draw = (weights: FieldWeights) => {
      const kernels = [tf.slice(weights.kernels[0], [0, 0, 0], [-1, 2, -1]) as Tensor3D, ...weights.kernels.slice(1)];
      return fieldForwardOnGrid(small, { ...weights, kernels }, grid, { firstRow: 0, rowCount: 1 });
    };
    const outside = draw(weightsOf(tensors.latents, tensors.parameters));
    expect(outside !== undefined).toBe(kernelsInUse().field?.forwardOnGrid !== undefined);
    tf.grad((z: Tensor) => {
      expect(draw(weightsOf(z, tensors.parameters))).toBeUndefined();
      return tf.sum(z);
    })(tensors.latents);
  });
});
