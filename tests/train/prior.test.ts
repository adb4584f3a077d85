/** Fitting a flow prior by the training loop. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { Interrupted } from '../../src/errors.ts';
import { flow } from '../../src/models/priors/flow.ts';
import type { LatentSet } from '../../src/models/priors/prior.ts';
import { flowObjective } from '../../src/objectives/flow.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, tf } from '../../src/tf.ts';
import { lossAndGradients } from '../../src/train/gradients.ts';
import { trainFlow } from '../../src/train/prior.ts';
import { disposeState, initialState } from '../../src/train/state.ts';
import { availableEngines } from '../support/engines.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-prior-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Around two far places of the plane, known to within a deviation, as an encoder knows them. */
function twoPlaces(count: number): LatentSet {
  const random = new Random(1, 'latents');
  const means = new Float32Array(2 * count);
  for (let n = 0; n < count; n++) {
    means.set([(n % 2 ? 5 : -5) + 0.4 * random.normal(), 1 + 0.1 * random.normal()], 2 * n);
  }
  return { means, deviations: new Float32Array(2 * count).fill(0.3), dimensions: 2 };
}

const SHAPE = { width: 32, blocks: 2, batch: 64 };
const toTensors = (inputs: Record<string, { values: Float32Array | Int32Array; shape: number[] }>) =>
  Object.fromEntries(Object.entries(inputs).map(([name, { values, shape }]) => [name, tf.tensor(values, shape)]));

describe.each(availableEngines)('a flow prior on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it('follows the gradients of finite differences', async () => {
    const shape = { latent: 2, width: 6, blocks: 1 };
    const objective = flowObjective({ latents: twoPlaces(80), shape, learningRate: 1e-3, batch: 16, seed: 0 });
    const state = initialState(objective, 0, false);
    // The last layer starts at zero, where the others have no gradient.
    tf.dispose(state.parameters['last.kernel']);
    state.parameters['last.kernel'] = tf.tensor2d(new Random(5, 'parameters').normals(12, 0.5), [6, 2]);
    const batch = toTensors(objective.batches.inputsAt(3));
    const at = async (parameters: Record<string, Tensor>) => {
      const { loss, gradients } = lossAndGradients(objective, objective.phases[0], { parameters }, batch);
      return { loss: (await loss.data())[0], gradients };
    };
    const { gradients } = await at(state.parameters);
    for (const name of Object.keys(state.parameters)) {
      const gradient = (await gradients[name].data()) as Float32Array;
      const h = 2e-3;
      const moved = async (sign: number) => {
        const change = Float32Array.from(gradient, (value) => sign * h * Math.sign(value));
        const { shape: extents } = state.parameters[name];
        return (await at({ ...state.parameters, [name]: tf.add(state.parameters[name], tf.tensor(change, extents)) }))
          .loss;
      };
      const expected = gradient.reduce((sum, value) => sum + Math.abs(value), 0);
      expect(((await moved(1)) - (await moved(-1))) / (2 * h) / expected, name).toBeCloseTo(1, 1);
    }
    disposeState(state);
  });

  it('starts from the loss of a Gaussian: π/2, whatever the latents', async () => {
    const shape = { latent: 2, width: 6, blocks: 1 };
    const objective = flowObjective({ latents: twoPlaces(400), shape, learningRate: 1e-3, batch: 16, seed: 0 });
    const state = initialState(objective, 0, false);
    expect(await objective.heldOutLoss(state.parameters)).toBeCloseTo(Math.PI / 2, 0.9);
    disposeState(state);
  });

  it('gives the same bits again, and after an interruption, and leaks nothing', async () => {
    const latents = twoPlaces(200);
    const before = tf.memory().numTensors;
    const options = { latents, seed: 2, steps: 30, shape: SHAPE, say: () => {} };
    const whole = await trainFlow({ ...options, folder: join(folder, `whole-${engine}`) });
    const again = await trainFlow({ ...options, folder: join(folder, `again-${engine}`) });
    expect(again).toEqual(whole);
    const path = join(folder, `part-${engine}`);
    let asked = 0;
    const signal = {
      get aborted() {
        return ++asked > 13;
      },
    };
    const said: string[] = [];
    const cut = trainFlow({ ...options, folder: path, signal });
    await expect(cut).rejects.toThrow(Interrupted);
    const resumed = await trainFlow({ ...options, folder: path, say: (line) => said.push(line) });
    expect(said).toEqual(['going on from step 13']);
    expect(resumed).toEqual(whole);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('a trained flow', () => {
  it('draws what was trained on and nothing between, where a Gaussian would', async () => {
    await startEngine('auto');
    const path = join(folder, 'two');
    const found = await trainFlow({
      latents: twoPlaces(400),
      seed: 0,
      steps: 1000,
      folder: path,
      shape: { width: 64, blocks: 2, batch: 128 },
      say: () => {},
    });
    const fitted = { ...found.fitted, heunSteps: Float64Array.of(32) };
    const samples = await flow.sample(fitted, 2, { seed: 0, count: 500, temperature: 1 });
    const first = Array.from({ length: 500 }, (_, n) => samples[2 * n]);
    const second = Array.from({ length: 500 }, (_, n) => samples[2 * n + 1]);
    // Each place has a spread of √(0.4² + 0.3²) = 0.5: within 2 of them, four deviations.
    const near = first.filter((x) => Math.abs(Math.abs(x) - 5) < 2).length / 500;
    expect(near).toBeGreaterThan(0.95);
    expect(first.filter((x) => x > 0).length / 500).toBeGreaterThan(0.4);
    expect(first.filter((x) => x > 0).length / 500).toBeLessThan(0.6);
    const mean = second.reduce((sum, y) => sum + y / 500, 0);
    expect(mean).toBeCloseTo(1, 1);
    const deviation = Math.sqrt(second.reduce((sum, y) => sum + (y - mean) ** 2 / 500, 0));
    expect(deviation).toBeGreaterThan(0.25); // √(0.1² + 0.3²) = 0.32: the encoder's deviations are in it
    expect(deviation).toBeLessThan(0.4);
    // Of a Gaussian the best velocity leaves ∫ 1/(t² + (1−t)²) dt = π/2 a dimension, and the second one is Gaussian.
    expect(found.heldOut).toBeLessThan(Math.PI / 2 - 0.2);
    expect(existsSync(path)).toBe(true);
  });
});
