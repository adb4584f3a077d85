import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatExperiment, loadExperiment } from '../../src/config/load.ts';
import type { Experiment } from '../../src/config/schema.ts';
import { batchIndices } from '../../src/data/batches.ts';
import type { ImageSet } from '../../src/data/imageSet.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { makeGenerator } from '../../src/models/generator.ts';
import { makeObjective } from '../../src/objectives/registry.ts';
import { Random } from '../../src/random.ts';
import { CheckpointStore } from '../../src/run/checkpoints.ts';
import { readMetrics } from '../../src/run/metricsLog.ts';
import { openModel } from '../../src/run/openModel.ts';
import { RunFolder } from '../../src/run/runFolder.ts';
import { tf } from '../../src/tf.ts';
import { lossAndGradients } from '../../src/train/gradients.ts';
import { stepsBetweenSamples } from '../../src/train/schedule.ts';
import { initialState } from '../../src/train/state.ts';
import { train } from '../../src/train/trainRun.ts';
import { applyGradients, updateNumbers } from '../../src/train/update.ts';
import { availableEngines } from '../support/engines.ts';

const small = [
  'data.size=8',
  'model.encoding={kind: gaussian, frequencies: 8, sigma: 2}',
  'model.field={width: 8, depth: 1}',
  'model.conditioner={kind: hypernetwork, latent: 4, mapping: [8]}',
  'train.steps=12',
  'train.batch=4',
  'train.points=24',
  'train.logEverySteps=1',
  'train.checkpointEverySteps=5',
  'train.sampleEverySteps=6',
  'train.latentNoise=0.01',
];

/** Smooth blobs of different colours. */
function blobs(count: number, size = 8): ImageSet {
  const pixels = new Uint8Array(count * size * size * 3);
  for (let n = 0; n < count; n++) {
    const [cx, cy, ...colour] = new Random(1, 'synthetic', n).uniforms(5, 0, 1);
    for (let i = 0; i < size * size; i++) {
      const [x, y] = [((i % size) + 0.5) / size - cx, (Math.floor(i / size) + 0.5) / size - cy];
      const weight = Math.exp(-8 * (x * x + y * y));
      for (let c = 0; c < 3; c++) pixels[(n * size * size + i) * 3 + c] = 255 * (1 - weight * (1 - colour[c]));
    }
  }
  const names = Array.from({ length: count }, (_, n) => `blob-${n}`);
  return { count, width: size, height: size, pixels, names, skipped: [], nativeScale: 1, digest: 'blobs' };
}

let folder: string;
let runs = 0;
let said: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-loop-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function start(
  experiment: Experiment,
  images: ImageSet,
  options: { resume?: string; signal?: AbortSignal } = {},
) {
  said = [];
  const path = options.resume ?? join(folder, `run-${runs++}`);
  const run = await RunFolder.create(path, { resume: options.resume !== undefined });
  await run.writeConfig(formatExperiment(experiment));
  try {
    return {
      path,
      run,
      summary: await train({
        experiment,
        images,
        run,
        resume: options.resume !== undefined,
        engine: 'test',
        signal: options.signal,
        say: (line) => said.push(line),
      }),
    };
  } finally {
    await run.close();
  }
}

const losses = async (path: string) =>
  (await readMetrics(join(path, 'metrics.jsonl'))).flatMap((entry) =>
    'train/loss' in entry ? [[entry.step, entry['train/loss'], entry['norm/gradient']]] : [],
  );

describe.each(availableEngines)('training on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it('lowers the loss, and writes every artefact of a run', async () => {
    const experiment = await loadExperiment(undefined, [...small, 'train.steps=150', 'train.logEverySteps=25']);
    const { path, summary } = await start(experiment, blobs(10));
    expect(summary).toMatchObject({ step: 150, interrupted: false });
    const trace = await losses(path);
    expect(Number(trace.at(-1)![1])).toBeLessThan(0.5 * Number(trace[0][1]));
    const found = await readdir(path);
    for (const name of ['config.yaml', 'metrics.jsonl', 'checkpoints', 'samples']) expect(found).toContain(name);
    expect(found.some((name) => name.startsWith('events.out.tfevents.'))).toBe(true);
    expect(await readdir(join(path, 'samples'))).toContain('reconstructions-000150.png');
  });

  it('gives the same bits for the same seed and others for another', async () => {
    const experiment = await loadExperiment(undefined, small);
    const [a, b] = [await start(experiment, blobs(10)), await start(experiment, blobs(10))];
    const c = await start({ ...experiment, seed: 1 }, blobs(10));
    expect(await losses(a.path)).toEqual(await losses(b.path));
    expect(await losses(a.path)).not.toEqual(await losses(c.path));
  });

  it('goes on after an interruption as if there had been none, bit for bit', async () => {
    const experiment = await loadExperiment(undefined, small);
    const whole = await start(experiment, blobs(10));
    const images = blobs(10);
    // The loop asks before each step: the ninth is not made.
    let asked = 0;
    const signal = {
      get aborted() {
        return ++asked > 8;
      },
    } as AbortSignal;
    const part = await start(experiment, images, { signal });
    expect(part.summary).toMatchObject({ interrupted: true, step: 8 });
    const rest = await start(experiment, images, { resume: part.path });
    expect(rest.summary.step).toBe(12);
    expect(await losses(part.path)).toEqual(await losses(whole.path));
    const store = (path: string) => new CheckpointStore(join(path, 'checkpoints')).load(12);
    const [one, two] = [await store(whole.path), await store(part.path)];
    expect(Object.keys(one.tensors)).toEqual(Object.keys(two.tensors));
    for (const [name, { data }] of Object.entries(one.tensors)) expect(two.tensors[name].data, name).toEqual(data);
  });

  it('leaks no tensor and moves every parameter', async () => {
    const experiment = await loadExperiment(undefined, small);
    const generator = makeGenerator(experiment.model, 0);
    const objective = makeObjective(experiment, generator, { count: 6, width: 8, height: 8 });
    const state = initialState(objective, 0, true);
    const batch = {
      images: tf.tensor1d([4, 1], 'int32'),
      features: tf.tensor2d(new Random(1, 'points').normals(5 * 16), [5, 16]),
      targets: tf.tensor3d(new Random(2, 'points').uniforms(2 * 5 * 3, 0, 1), [2, 5, 3]),
    };
    const updates = Object.entries(objective.groups).map(([name, group]) => {
      const rows = group.rows ? { indices: Int32Array.of(4, 1), updates: state.rowUpdates[name] } : undefined;
      const numbers = updateNumbers(group, experiment.train, 0, 1, rows);
      const corrections = numbers.rows && tf.tensor2d(numbers.rows.corrections, [2, 2]);
      const ofRows = corrections && { indices: batch.images, corrections };
      return { group, numbers, values: tf.tensor1d(numbers.values), rows: ofRows };
    });
    const before = Object.fromEntries(
      await Promise.all(
        Object.entries(state.parameters).map(async ([name, parameter]) => [
          name,
          Float32Array.from(await parameter.data()),
        ]),
      ),
    );
    const step = () => {
      const result = lossAndGradients(objective, objective.phases[0], state, batch);
      for (const { group, numbers, values, rows } of updates) {
        applyGradients(state, group, result.gradients, numbers, { values, rows, guard: result.loss });
      }
      tf.dispose(result as never);
    };
    step();
    const tensors = tf.memory().numTensors;
    for (let i = 0; i < 4; i++) step();
    expect(tf.memory().numTensors).toBe(tensors);
    for (const [name, parameter] of Object.entries(state.parameters)) {
      const now = await parameter.data();
      if (name !== 'latents') {
        expect(
          now.some((value, i) => value !== before[name][i]),
          name,
        ).toBe(true);
        continue;
      }
      // Only the rows of the batch may have moved.
      for (let row = 0; row < 6; row++) {
        const moved = [0, 1, 2, 3].some((i) => now[row * 4 + i] !== before[name][row * 4 + i]);
        expect(moved, `row ${row}`).toBe(row === 4 || row === 1);
      }
    }
  });

  it('fits several images at once with direct weights', async () => {
    const overrides = small.filter((override) => !override.startsWith('model.conditioner'));
    const experiment = await loadExperiment(undefined, [
      ...overrides,
      'objective=fit',
      'model.field.width=32',
      'train.steps=400',
      'train.learningRate=0.01',
      'train.logEverySteps=400',
      'train.sampleEverySteps=400',
      'train.emaDecay=0',
    ]);
    const { path } = await start(experiment, blobs(3));
    const entries = await readMetrics(join(path, 'metrics.jsonl'));
    expect(Number(entries.at(-1)!['reconstruction/psnr_db'])).toBeGreaterThan(28);
  });
});

describe('training', () => {
  beforeAll(async () => {
    await startEngine('wasm');
  });

  it('stops when the loss is no longer finite, says where, and keeps the last good checkpoint', async () => {
    const { path } = await start(await loadExperiment(undefined, small), blobs(10));
    const diverging = await loadExperiment(undefined, [...small, 'train.steps=40', 'train.learningRate=1e30']);
    const error = await start(diverging, blobs(10), { resume: path }).catch((e: Error) => e);
    expect(error).toMatchObject({ name: 'RunError' });
    expect((error as Error).message).toMatch(
      /^the loss became \S+ at step 1[34] \(gradient norm .*the checkpoint of step 12 is kept/,
    );
    const { step, tensors } = await new CheckpointStore(join(path, 'checkpoints')).load('latest');
    expect(step).toBe(12);
    expect(Object.keys(tensors).length).toBeGreaterThan(10);
    for (const { data } of Object.values(tensors))
      expect(Array.from(data as Float32Array).every(Number.isFinite)).toBe(true);
  });

  it('measures every so many images where asked, those of a whole batch in each step', async () => {
    const experiment = await loadExperiment(undefined, [...small, 'train.sampleEveryImages=19']);
    const { path } = await start(experiment, blobs(10));
    const sampled = (await readMetrics(join(path, 'metrics.jsonl'))).filter(
      (entry) => 'reconstruction/psnr_db' in entry,
    );
    // Batches of 4: 19 images are nearly 5 steps; the last step is always measured.
    expect(sampled.map(({ step }) => step)).toEqual([5, 10, 12]);
    expect(stepsBetweenSamples({ sampleEverySteps: 7, sampleEveryImages: 3 }, 10)).toBe(1);
    expect(stepsBetweenSamples({ sampleEverySteps: 7 }, 10)).toBe(7);
  });

  it('counts the updates of each latent, whatever the batch, and keeps them in the checkpoint', async () => {
    const experiment = await loadExperiment(undefined, small);
    const seen = new Int32Array(10);
    // Batches of 4 leave 2 of 10 images out of each epoch, batches of 3 leave 1.
    const visit = (from: number, to: number, batch: number) => {
      for (let step = from; step < to; step++) for (const image of batchIndices(0, step, batch, 10)) seen[image]++;
    };
    const countsOf = async (path: string) =>
      (await new CheckpointStore(join(path, 'checkpoints')).load('latest')).tensors['adam.n/latents'].data;
    const { path } = await start(experiment, blobs(10));
    visit(0, 12, 4);
    expect(await countsOf(path)).toEqual(seen);
    expect(new Set(seen).size).toBeGreaterThan(1);
    await start(await loadExperiment(undefined, [...small, 'train.batch=3', 'train.steps=20']), blobs(10), {
      resume: path,
    });
    visit(12, 20, 3);
    expect(await countsOf(path)).toEqual(seen);
  });

  it('goes on from checkpoints that counted no updates, as if each latent had had its share', async () => {
    const experiment = await loadExperiment(undefined, small);
    const { path } = await start(experiment, blobs(10));
    const store = new CheckpointStore(join(path, 'checkpoints'));
    const { tensors, metadata, step } = await store.load('latest');
    const { 'adam.n/latents': _, ...older } = tensors;
    await store.save(step, older, metadata);
    const longer = await loadExperiment(undefined, [...small, 'train.steps=13']);
    const { summary } = await start(longer, blobs(10), { resume: path });
    expect(summary.step).toBe(13);
    const counts = (await store.load('latest')).tensors['adam.n/latents'].data as Int32Array;
    const last = batchIndices(0, 12, 4, 10);
    expect([...counts]).toEqual(Array.from({ length: 10 }, (_, i) => 5 + Number(last.includes(i)))); // 12·4/10
  });

  it('begins averages where the parameters are, when they are turned on as a run goes on', async () => {
    const { path } = await start(await loadExperiment(undefined, [...small, 'train.emaDecay=0']), blobs(10));
    const store = new CheckpointStore(join(path, 'checkpoints'));
    expect(Object.keys((await store.load('latest')).tensors).filter((name) => name.startsWith('ema/'))).toEqual([]);
    const longer = await loadExperiment(undefined, [...small, 'train.emaDecay=0.5', 'train.steps=13']);
    expect((await start(longer, blobs(10), { resume: path })).summary.step).toBe(13);
    expect(Object.keys((await store.load('latest')).tensors)).toContain('ema/field.0.kernel');
  });

  it('refuses a checkpoint of another config or of other images', async () => {
    const experiment = await loadExperiment(undefined, small);
    const { path } = await start(experiment, blobs(10));
    const wider = await loadExperiment(undefined, [...small, 'model.field.width=9', 'train.steps=20']);
    await expect(start(wider, blobs(10), { resume: path })).rejects.toThrow('trained with model.field.width 8, now 9');
    const reseeded = await loadExperiment(undefined, [...small, 'seed=5', 'train.steps=20']);
    await expect(start(reseeded, blobs(10), { resume: path })).rejects.toThrow('trained with seed 0, now 5');
    const noisy = await loadExperiment(undefined, [...small, 'data.noise=0.1', 'train.steps=20']);
    await expect(start(noisy, blobs(10), { resume: path })).rejects.toThrow('trained with data.noise 0, now 0.1');
    const longer = await loadExperiment(undefined, [...small, 'train.steps=20']);
    const swapped = { ...blobs(10), pixels: blobs(10).pixels.map((value) => 255 - value) };
    await expect(start(longer, swapped, { resume: path })).rejects.toThrow('trained on other images');
  });

  it('falls back to the previous checkpoint when the latest was cut short, saying so', async () => {
    const experiment = await loadExperiment(undefined, small);
    const { path } = await start(experiment, blobs(10));
    const latest = join(path, 'checkpoints', 'step-000012.safetensors');
    const bytes = await readFile(latest);
    await writeFile(latest, bytes.subarray(0, bytes.length - 100));
    const { summary } = await start(experiment, blobs(10), { resume: path });
    expect(said.join()).toContain('step-000012');
    expect(summary.step).toBe(12);
  });

  it('opens a finished run as a model that draws with the averaged parameters', async () => {
    const experiment = await loadExperiment(undefined, small);
    const { path } = await start(experiment, blobs(10));
    const model = await openModel(await RunFolder.open(path));
    expect(model.step).toBe(12);
    expect(model.imageNames).toEqual(blobs(10).names);
    const { tensors } = await new CheckpointStore(join(path, 'checkpoints')).load('latest');
    expect(await model.parameters['head.0.kernel'].data()).toEqual(tensors['ema/head.0.kernel'].data);
  });
});
