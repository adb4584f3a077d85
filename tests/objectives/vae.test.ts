import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadExperiment } from '../../src/config/load.ts';
import type { ImageSet } from '../../src/data/imageSet.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { makeGenerator } from '../../src/models/generator.ts';
import { makeObjective } from '../../src/objectives/registry.ts';
import { Random } from '../../src/random.ts';
import { sampleLatents } from '../../src/render/model.ts';
import { CheckpointStore } from '../../src/run/checkpoints.ts';
import { readMetrics } from '../../src/run/metricsLog.ts';
import { disposeModel, openModel } from '../../src/run/openModel.ts';
import { RunFolder } from '../../src/run/runFolder.ts';
import { type Tensor, tf } from '../../src/tf.ts';
import { lossAndGradients } from '../../src/train/gradients.ts';
import { disposeState, initialState } from '../../src/train/state.ts';
import { train } from '../../src/train/trainRun.ts';
import { availableEngines } from '../support/engines.ts';

const small = [
  'objective=vae',
  'data.size=12',
  'model.encoding={kind: gaussian, frequencies: 8, sigma: 2}',
  'model.field={width: 8, depth: 1, activation: sine, omega: 3}',
  'model.conditioner={kind: lowRank, latent: 4, mapping: [8], rank: 2}',
  'train.steps=12',
  'train.batch=4',
  'train.points=24',
  'train.encoderSize=6',
  'train.encoderWidths=[10]',
  'train.logEverySteps=1',
  'train.checkpointEverySteps=5',
  'train.sampleEverySteps=6',
];

/** Blobs of one kind: what is learned of some serves others. */
function blobs(count: number, from = 0, size = 12): ImageSet {
  const pixels = new Uint8Array(count * size * size * 3);
  for (let n = 0; n < count; n++) {
    const [cx, cy, ...colour] = new Random(1, 'synthetic', from + n).uniforms(5, 0.2, 0.8);
    for (let i = 0; i < size * size; i++) {
      const [x, y] = [((i % size) + 0.5) / size - cx, (Math.floor(i / size) + 0.5) / size - cy];
      const weight = Math.exp(-20 * (x * x + y * y));
      for (let c = 0; c < 3; c++) pixels[(n * size * size + i) * 3 + c] = 255 * (1 - weight * (1 - colour[c]));
    }
  }
  const names = Array.from({ length: count }, (_, n) => `blob-${from + n}`);
  return { count, width: size, height: size, pixels, names, skipped: [], nativeScale: 1, digest: `blobs ${from}` };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-vae-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Trains in process; stops before the step after `stopAfter`. */
async function run(name: string, settings: string[] = [], { stopAfter = Infinity, resume = false } = {}) {
  const experiment = await loadExperiment(undefined, [...small, ...settings]);
  const path = join(folder, name);
  const runFolder = await RunFolder.create(path, { resume });
  let asked = 0;
  const signal = {
    get aborted() {
      return ++asked > stopAfter;
    },
  } as AbortSignal;
  try {
    await train({ experiment, images: blobs(40), run: runFolder, resume, engine: 'test', signal });
  } finally {
    await runFolder.close();
  }
  return path;
}

describe.each(availableEngines)('a variational auto-encoder on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it('minimises MSE + kl·(2·MSE/V)·KL with the factor held constant, by the gradients of finite differences', async () => {
    const {
      seed,
      train: settings,
      ...rest
    } = await loadExperiment(undefined, [...small, 'train.kl=7', 'train.klWarmup=0']);
    const generator = makeGenerator(rest.model, seed);
    const objective = makeObjective({ ...rest, seed, train: settings }, generator, blobs(40));
    const state = initialState(objective, seed, false);
    const batches = objective.batches(blobs(40));
    const inputs: [string, Tensor][] = Object.entries(batches.inputsAt(0)).map(([name, { values, shape }]) => [
      name,
      tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32'),
    ]);
    const batch = batches.assemble(Object.fromEntries(inputs));
    const [phase] = objective.phases;
    const at = async (parameters: Record<string, Tensor>) => {
      const { loss, report, gradients } = lossAndGradients(objective, phase, { parameters }, batch);
      const [total, mse, kl] = await Promise.all([loss, report.meanSquaredError, report.kl].map((one) => one.data()));
      return { total: total[0], mse: mse[0], kl: kl[0], gradients };
    };
    const { total, mse, kl, gradients } = await at(state.parameters);
    const weight = (7 * 2 * mse) / (12 * 12 * 3);
    expect(total).toBeCloseTo(mse + weight * kl, 6);
    for (const name of ['encoder.0.kernel', 'encoder.1.bias', 'mapping.0.kernel', 'head.0.left', 'field.1.kernel']) {
      const gradient = (await gradients[name].data()) as Float32Array;
      const h = 2e-3;
      const moved = async (sign: number) => {
        const change = Float32Array.from(gradient, (value) => sign * h * Math.sign(value));
        const parameter = tf.add(state.parameters[name], tf.tensor(change, state.parameters[name].shape));
        const found = await at({ ...state.parameters, [name]: parameter });
        return found.mse + weight * found.kl;
      };
      const expected = gradient.reduce((sum, value) => sum + Math.abs(value), 0);
      expect(((await moved(1)) - (await moved(-1))) / (2 * h) / expected, name).toBeCloseTo(1, 1);
    }
    batches.dispose();
    disposeState(state);
  });

  it('goes on after an interruption bit for bit, with its latents beside its parameters, and leaks nothing', async () => {
    const before = tf.memory().numTensors;
    const whole = await run(`whole-${engine}`);
    const part = await run(`part-${engine}`, [], { stopAfter: 7 });
    await run(`part-${engine}`, [], { resume: true });
    expect(tf.memory().numTensors).toBe(before);
    const load = (path: string) => new CheckpointStore(join(path, 'checkpoints')).load(12);
    const [a, b] = [await load(whole), await load(part)];
    for (const [name, { data }] of Object.entries(a.tensors)) expect(b.tensors[name].data, name).toEqual(data);
    expect(a.tensors['encoded/latents'].shape).toEqual([40, 4]);

    const model = await openModel(await RunFolder.open(whole));
    const objective = makeObjective(model.experiment, model.generator, blobs(40));
    const { means, deviations } = objective.encode!(model.parameters, blobs(40));
    const stored = a.tensors['encoded/latents'].data;
    (await means.data()).forEach((value, i) => {
      expect(value).toBeCloseTo(stored[i] as number, 5);
    });
    expect((await deviations.data()).every((value) => value > 0)).toBe(true);
    for (const prior of ['neighbours', 'gaussian']) {
      expect(await sampleLatents(model, { seed: 0, count: 3, prior })).toHaveLength(12);
    }
    tf.dispose([means, deviations]);
    disposeModel(model);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('a trained variational auto-encoder', () => {
  it('gives images that it never saw latents that draw them, nearly as well as its own', async () => {
    await startEngine('auto');
    const path = await run('trained', [
      'train.steps=1200',
      'train.batch=16',
      'train.points=144',
      'train.learningRate=0.004',
      'train.schedule={kind: cosine, warmupSteps: 50}',
      'train.encoderSize=12',
      'train.encoderWidths=[64]',
      'model.field={width: 16, depth: 2}',
      'model.conditioner={kind: hypernetwork, latent: 6, mapping: [32]}',
      'train.logEverySteps=100',
      'train.sampleEverySteps=1200',
      'train.checkpointEverySteps=1200',
    ]);
    const entries = (await readMetrics(join(path, 'metrics.jsonl'))).filter((entry) => 'train/kl_nats' in entry);
    expect(Number(entries.at(-1)?.['train/active_dimensions'])).toBeGreaterThanOrEqual(4);
    const model = await openModel(await RunFolder.open(path));
    const { encode } = makeObjective(model.experiment, model.generator, blobs(40));
    const { generate } = await import('../../src/models/generator.ts');
    const centres = Float32Array.from(
      { length: 144 * 2 },
      (_, i) => ((i % 2 ? Math.floor(i / 24) : (i >> 1) % 12) + 0.5) / 12,
    );
    const psnrOf = async (set: ImageSet) => {
      const drawn = generate(
        model.generator,
        model.parameters,
        encode!(model.parameters, set).means,
        tf.tensor2d(centres, [144, 2]),
      );
      const values = (await drawn.data()) as Float32Array;
      const mse = values.reduce((sum, value, i) => sum + (value - set.pixels[i] / 255) ** 2, 0) / values.length;
      return -10 * Math.log10(mse);
    };
    const [own, unseen] = [await psnrOf(blobs(40)), await psnrOf(blobs(40, 1000))];
    // 40 images are few: an image of one colour each is the measure of what was learned for others.
    const flat = blobs(40, 1000);
    const mse = Array.from({ length: 40 }, (_, n) => {
      const pixels = flat.pixels.subarray(n * 432, (n + 1) * 432);
      const mean = [0, 1, 2].map((c) => pixels.reduce((sum, value, i) => sum + (i % 3 === c ? value / 144 : 0), 0));
      return pixels.reduce((sum, value, i) => sum + ((value - mean[i % 3]) / 255) ** 2 / 432, 0);
    }).reduce((sum, one) => sum + one / 40, 0);
    expect(own).toBeGreaterThan(35);
    expect(unseen).toBeGreaterThan(-10 * Math.log10(mse) + 6);
    disposeModel(model);
  });
});
