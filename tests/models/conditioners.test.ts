import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { type ConditionerConfig, makeConditioner } from '../../src/models/conditioners/registry.ts';
import type { FieldConfig } from '../../src/models/field.ts';
import { makeFieldSpec } from '../../src/models/field.ts';
import { initialise, type Parameters, parameterCount } from '../../src/models/parameters.ts';
import { fieldLoss } from '../../src/ops/field.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';
import { centralDifferences, slowField, slowWeights, type Values } from '../support/slowModel.ts';

const field: FieldConfig = { width: 6, depth: 2, activation: 'relu', omega: 30, output: 'sigmoid' };
const [fields, points, latentSize] = [3, 5, 4];

const conditioners: ConditionerConfig[] = [
  { kind: 'hypernetwork', latent: latentSize, mapping: [7, 5] },
  { kind: 'hypernetwork', latent: latentSize, mapping: [] },
  { kind: 'lowRank', latent: latentSize, mapping: [6], rank: 2 },
  { kind: 'direct' },
];

async function valuesOf(parameters: Parameters): Promise<Values> {
  const entries = Object.entries(parameters).map(async ([name, tensor]) => {
    return [name, Float64Array.from(await tensor.data())] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

describe.each(availableEngines)('conditioners on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  for (const [activation, skip] of [['relu'], ['sine'], ['relu', 1]] as const) {
    const spec = makeFieldSpec({ ...field, activation, skip }, 4);
    const random = new Random(5, 'evaluation');
    const features = random.normals(points * 4);
    const targets = random.uniforms(fields * points * 3, 0, 1);

    it.each(conditioners)(
      `$kind ($mapping) gives the gradients of finite differences with ${activation}${skip ? ` and a skip after ${skip}` : ''}`,
      async (config) => {
        const initial = initialise(makeConditioner(config).initial(spec, fields), 2, 'parameters');
        const inputs: Parameters = { ...initial };
        if (config.kind !== 'direct')
          inputs.latents = tf.tensor2d(new Random(3, 'latents').normals(fields * latentSize), [fields, latentSize]);
        // Biases start at zero, where a rectifier of nothing has no derivative: move them.
        for (const name of Object.keys(inputs)) {
          const shift = new Random(name.length, 'synthetic').normals(inputs[name].size, 0.05);
          inputs[name] = tf.add(inputs[name], tf.tensor(shift, inputs[name].shape));
        }
        const names = Object.keys(inputs);
        const x = tf.tensor2d(features, [points, 4]);
        const y = tf.tensor3d(targets, [fields, points, 3]);
        const loss = (...tensors: Tensor[]) => {
          const p: Parameters = Object.fromEntries(names.map((name, i) => [name, tensors[i]]));
          return fieldLoss(spec, makeConditioner(config).weights(spec, p, p.latents as Tensor2D), x, y as Tensor3D);
        };
        const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => inputs[name]));

        const values = await valuesOf(inputs);
        const slowLoss = () => {
          let sum = 0;
          for (let b = 0; b < fields; b++) {
            const latent = values.latents?.subarray(b * latentSize, (b + 1) * latentSize) ?? [];
            const weights = slowWeights(config, spec, values, latent, b);
            for (let p = 0; p < points; p++) {
              const rgb = slowField(spec, weights, features.subarray(p * 4, p * 4 + 4));
              rgb.forEach((v, c) => {
                sum += (v - targets[(b * points + p) * 3 + c]) ** 2;
              });
            }
          }
          return sum / (fields * points * 3);
        };
        expect((await value.data())[0]).toBeCloseTo(slowLoss(), 5);
        for (let i = 0; i < names.length; i++) {
          const gradient = await grads[i].data();
          const entries = [...new Random(i, 'evaluation').sample(gradient.length, Math.min(8, gradient.length))];
          const expected = centralDifferences(slowLoss, values[names[i]], entries, 1e-6);
          entries.forEach((entry, k) => {
            const error = Math.abs(gradient[entry] - expected[k]);
            expect(error, `${names[i]}[${entry}]`).toBeLessThan(1e-5 + 1e-3 * Math.abs(expected[k]));
          });
        }
      },
    );
  }

  it('start every image as the same field, changed a little by its latent', async () => {
    const spec = makeFieldSpec(field, 32);
    for (const config of [conditioners[0], conditioners[2]]) {
      const parameters = initialise(makeConditioner(config).initial(spec, 1), 1, 'parameters');
      const latents = tf.tensor2d(new Random(1, 'latents').normals(2 * latentSize), [2, latentSize]);
      const [kernel] = makeConditioner(config).weights(spec, parameters, latents).kernels;
      const relative = tf.div(tf.norm(tf.sub(kernel, parameters['field.0.kernel'])), tf.norm(kernel));
      const [change] = await relative.data();
      expect(change).toBeGreaterThan(0.005);
      expect(change).toBeLessThan(0.5);
    }
  });
});

describe('parameters of conditioners', () => {
  it('count what the formulas say', async () => {
    await startEngine('javascript');
    const spec = makeFieldSpec(field, 8); // 8→6→6→3
    const fieldWeights = 8 * 6 + 6 + 6 * 6 + 6 + 6 * 3 + 3;
    const count = (config: ConditionerConfig, n = 1) => parameterCount(makeConditioner(config).initial(spec, n));
    expect(count({ kind: 'direct' }, 4)).toBe(4 * fieldWeights);
    const skipping = makeFieldSpec({ ...field, skip: 1 }, 8); // the features once more into 6→6
    expect(parameterCount(makeConditioner({ kind: 'direct' }).initial(skipping, 1))).toBe(fieldWeights + 8 * 6);
    const mapping = 4 * 7 + 7;
    expect(count({ kind: 'hypernetwork', latent: 4, mapping: [7] })).toBe(fieldWeights + mapping + 7 * fieldWeights);
    const lowRankHead = 7 * (2 * (8 + 6 + 6 + 6 + 6 + 3) + 6 + 6 + 3);
    expect(count({ kind: 'lowRank', latent: 4, mapping: [7], rank: 2 })).toBe(fieldWeights + mapping + lowRankHead);
  });

  it('are the same for every engine and differ with the seed', async () => {
    const spec = makeFieldSpec(field, 8);
    const draw = async (engine: string, seed: number) => {
      await startEngine(engine);
      return initialise(makeConditioner(conditioners[0]).initial(spec, 1), seed, 'parameters')['head.0.kernel'].data();
    };
    expect(await draw('wasm', 1)).toEqual(await draw('javascript', 1));
    expect(await draw('wasm', 1)).not.toEqual(await draw('wasm', 2));
  });

  it('of a SIREN follow the published bounds', async () => {
    await startEngine('javascript');
    const spec = makeFieldSpec({ width: 256, depth: 4, activation: 'sine', omega: 30, output: 'linear' }, 2);
    const parameters = initialise(makeConditioner({ kind: 'direct' }).initial(spec, 1), 0, 'parameters');
    const largest = async (name: string) => (await tf.max(tf.abs(parameters[name])).data())[0];
    const bound = Math.sqrt(6 / 256) / 30;
    expect(await largest('field.0.kernel')).toBeLessThanOrEqual(1 / 2);
    expect(await largest('field.0.kernel')).toBeGreaterThan(0.45);
    expect(await largest('field.2.kernel')).toBeLessThanOrEqual(bound);
    expect(await largest('field.2.kernel')).toBeGreaterThan(0.99 * bound);
    const skipping = makeFieldSpec(
      { width: 254, depth: 4, skip: 2, activation: 'sine', omega: 30, output: 'linear' },
      2,
    );
    expect(skipping.layers.map(({ inputs }) => inputs)).toEqual([2, 254, 256, 254, 254]);
    const kernel = initialise(makeConditioner({ kind: 'direct' }).initial(skipping, 1), 0, 'parameters')[
      'field.2.kernel'
    ];
    const [reached] = await tf.max(tf.abs(kernel)).data();
    expect(reached).toBeLessThanOrEqual(bound);
    expect(reached).toBeGreaterThan(0.99 * bound);
  });
});
