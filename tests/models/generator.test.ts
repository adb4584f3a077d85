import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { fourierFeatures } from '../../src/models/encodings/fourierFeatures.ts';
import { generate, initGenerator, initialGenerator, makeGenerator } from '../../src/models/generator.ts';
import { parameterCount } from '../../src/models/parameters.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, type Tensor2D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';
import { centralDifferences, slowField, slowWeights } from '../support/slowModel.ts';

const conditioner = { kind: 'hypernetwork', latent: 3, mapping: [5] } as const;
const config = {
  encoding: { kind: 'gaussian', frequencies: 4, sigma: 1.5 },
  field: { width: 6, depth: 2, activation: 'sine', omega: 3, output: 'sigmoid' },
} as const;
const [fields, points] = [2, 3];

describe.each(availableEngines)('generate on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it('maps latents and coordinates to colours as the formulas do, and is differentiable by both', async () => {
    const generator = makeGenerator({ ...config, conditioner: { ...conditioner, mapping: [5] } }, 4);
    const parameters = initGenerator(generator, 5);
    const values = Object.fromEntries(
      await Promise.all(
        Object.entries(parameters).map(
          async ([name, tensor]) => [name, Float64Array.from(await tensor.data())] as const,
        ),
      ),
    );
    const latents = Float64Array.from(new Random(1, 'latents').normals(fields * 3));
    const coordinates = Float64Array.from(new Random(2, 'points').uniforms(points * 2, 0, 1));
    const { frequencies } = fourierFeatures(Float64Array.from(new Random(4, 'encoding').normals(8, 1.5)));
    const slow = () => {
      const colours: number[] = [];
      for (let b = 0; b < fields; b++) {
        const ofField = slowWeights(
          { ...conditioner, mapping: [5] },
          generator.spec,
          values,
          latents.subarray(3 * b, 3 * b + 3),
        );
        for (let p = 0; p < points; p++) {
          const phases = Array.from(
            { length: 4 },
            (_, k) =>
              2 * Math.PI * (frequencies[2 * k] * coordinates[2 * p] + frequencies[2 * k + 1] * coordinates[2 * p + 1]),
          );
          colours.push(...slowField(generator.spec, ofField, [...phases.map(Math.sin), ...phases.map(Math.cos)]));
        }
      }
      return colours;
    };
    const z = tf.tensor2d(Float32Array.from(latents), [fields, 3]);
    const xy = tf.tensor2d(Float32Array.from(coordinates), [points, 2]);
    const drawn = generate(generator, parameters, z, xy);
    expect(drawn.shape).toEqual([fields, points, 3]);
    const expected = slow();
    const colours = await drawn.data();
    for (const [i, value] of expected.entries()) expect(Math.abs(colours[i] - value)).toBeLessThan(2e-5);

    const sum = () => slow().reduce((total, value, i) => total + value * Math.cos(i), 0);
    const weights = tf.tensor3d(
      Float32Array.from(expected, (_, i) => Math.cos(i)),
      [fields, points, 3],
    );
    const [dz, dxy] = tf.grads((...inputs: Tensor[]) =>
      tf.sum(tf.mul(generate(generator, parameters, inputs[0] as Tensor2D, inputs[1] as Tensor2D), weights)),
    )([z, xy]);
    for (const [gradient, x] of [
      [await dz.data(), latents],
      [await dxy.data(), coordinates],
    ] as const) {
      centralDifferences(sum, x, [...x.keys()]).forEach((slope, i) => {
        expect(Math.abs(gradient[i] - slope)).toBeLessThan(1e-3 * Math.max(1, Math.abs(slope)));
      });
    }
  });

  it('counts its parameters without making them', () => {
    const before = tf.memory().numTensors;
    const huge = makeGenerator(
      { ...config, field: { ...config.field, width: 4096 }, conditioner: { ...conditioner, mapping: [8] } },
      0,
    );
    // Field 8→4096→4096→3, mapping 3→8, a head of 8 for each weight of the field.
    const field = 9 * 4096 + 4097 * 4096 + 4097 * 3;
    expect(parameterCount(initialGenerator(huge))).toBe(field + 4 * 8 + 8 * field);
    expect(tf.memory().numTensors).toBe(before);
  });
});
