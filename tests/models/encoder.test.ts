import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { divergence, type EncoderShape, encode, initialEncoder } from '../../src/models/encoder.ts';
import { initialise } from '../../src/models/parameters.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, type Tensor2D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';
import { centralDifferences } from '../support/slowModel.ts';

const shape: EncoderShape = { inputs: 12, widths: [7, 5], latent: 3 };
const images = 4;

describe.each(availableEngines)('the encoder on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it('and its divergence give the values of the formulas and the gradients of finite differences', async () => {
    const parameters = initialise(initialEncoder(shape), 3, 'encoder');
    const names = Object.keys(parameters);
    const values = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, Float64Array.from(await parameters[name].data())] as const)),
    );
    const x = new Random(1, 'synthetic').uniforms(images * shape.inputs, 0, 1);
    /** Means and log-variances of each image, [images, 2·D]. */
    const slowPosterior = () =>
      Array.from({ length: images }, (_, b) => {
        let hidden = Array.from(x.subarray(b * shape.inputs, (b + 1) * shape.inputs), (value) => 2 * value - 1);
        [...shape.widths, 2 * shape.latent].forEach((outputs, l) => {
          const [kernel, bias] = [values[`encoder.${l}.kernel`], values[`encoder.${l}.bias`]];
          const linear = Array.from({ length: outputs }, (_, o) =>
            hidden.reduce((sum, value, i) => sum + value * kernel[i * outputs + o], bias[o]),
          );
          hidden = l === shape.widths.length ? linear : linear.map((value) => value / (1 + Math.exp(-value)));
        });
        return hidden;
      });
    const slowDivergence = () =>
      slowPosterior().flatMap((row) =>
        row.slice(0, 3).map((mean, d) => {
          const deviation = Math.exp(row[3 + d] / 2);
          // KL of N(μ, σ²) from N(0, 1) as −log σ + (σ² + μ²)/2 − ½.
          return -Math.log(deviation) + (deviation ** 2 + mean ** 2) / 2 - 0.5;
        }),
      );
    const input = tf.tensor2d(x, [images, shape.inputs]);
    const { mean, logVariance } = encode(shape, parameters, input);
    const [means, logs] = [await mean.data(), await logVariance.data()];
    slowPosterior().forEach((row, b) => {
      for (let d = 0; d < 3; d++) {
        expect(means[b * 3 + d]).toBeCloseTo(row[d], 5);
        expect(logs[b * 3 + d]).toBeCloseTo(row[3 + d], 5);
      }
    });
    const loss = (...tensors: Tensor[]) => {
      const own = Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
      return tf.sum(divergence(encode(shape, own, input)));
    };
    const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => parameters[name]));
    const slowLoss = () => slowDivergence().reduce((sum, one) => sum + one, 0);
    expect((await value.data())[0]).toBeCloseTo(slowLoss(), 4);
    for (const [i, name] of names.entries()) {
      const gradient = await grads[i].data();
      const entries = [...new Random(i, 'evaluation').sample(gradient.length, Math.min(6, gradient.length))];
      centralDifferences(slowLoss, values[name], entries).forEach((expected, k) => {
        expect(Math.abs(gradient[entries[k]] - expected), name).toBeLessThan(1e-4 + 1e-3 * Math.abs(expected));
      });
    }
  });

  it('keeps deviations finite, whatever the image', async () => {
    const parameters = initialise(initialEncoder(shape), 3, 'encoder');
    const far = tf.tensor2d(new Float32Array(shape.inputs).fill(1e6), [1, shape.inputs]) as Tensor2D;
    const { logVariance } = encode(shape, parameters, far);
    expect((await tf.exp(logVariance).data()).every((variance) => variance > 0 && Number.isFinite(variance))).toBe(
      true,
    );
  });
});
