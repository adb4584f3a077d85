import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadExperiment } from '../../../src/config/load.ts';
import { loadImages, type Part } from '../../../src/data/loadImages.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { evaluateRun } from '../../../src/eval/run/evaluateRun.ts';
import { fullView, pixelCentres } from '../../../src/grid.ts';
import { generate } from '../../../src/models/generator.ts';
import { readEvaluation, readSummary } from '../../../src/run/evaluations.ts';
import { disposeModel, openModel } from '../../../src/run/openModel.ts';
import { RunFolder } from '../../../src/run/runFolder.ts';
import { type Tensor2D, tf } from '../../../src/tf.ts';
import { trainSession } from '../../../src/train/session.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-held-out-'));
  await startEngine('auto');
});
afterAll(() => rm(folder, { recursive: true }));

it('images that were never trained on are drawn from the latents of the encoder, and samples compared with them', async () => {
  const size = 16;
  const experiment = await loadExperiment(undefined, [
    'objective=vae',
    'data.source=faces',
    'data.count=60',
    'data.heldOut=20',
    `data.size=${size}`,
    `data.cache=${join(folder, 'cache')}`,
    'model.encoding={kind: gaussian, frequencies: 12, sigma: 2}',
    'model.field={width: 12, depth: 1}',
    'model.conditioner={kind: lowRank, latent: 6, mapping: [16], rank: 2}',
    'train.steps=60',
    'train.batch=16',
    'train.schedule={kind: cosine, warmupSteps: 20}',
    'train.encoderWidths=[24]',
    'train.emaDecay=0',
    'evaluate={scales: [1], samples: 40, disturbed: 0}',
  ]);
  const path = join(folder, 'run');
  await trainSession({ experiment, runPath: path, resume: false, say: () => {} });
  const run = await RunFolder.open(path);
  const model = await openModel(run);
  const tensors = tf.memory().numTensors;
  await evaluateRun(run, model, () => {});
  expect(tf.memory().numTensors).toBe(tensors);
  const summary = await readSummary(run.evaluation);
  const centres = pixelCentres(0, 1, size);
  const points = Float32Array.from({ length: 2 * size * size }, (_, i) => {
    const pixel = i >> 1;
    return centres[i % 2 ? Math.floor(pixel / size) : pixel % size];
  });
  expect(fullView(size, size)).toEqual(model.training);
  for (const [part, name] of [
    ['training', 'reconstruction'],
    ['heldOut', 'reconstruction_heldout'],
    ['combinations', 'reconstruction_combinations'],
  ] as const) {
    const set = await loadImages(experiment.data, { part: part as Part });
    const latents = tf.tensor2d((await model.encode?.(set)) as Float32Array, [set.count, 6]) as Tensor2D;
    const drawn = await generate(
      model.generator,
      model.parameters,
      latents,
      tf.tensor2d(points, [size * size, 2]),
    ).data();
    const values = 3 * size * size;
    let mean = 0;
    for (let image = 0; image < set.count; image++) {
      let mse = 0;
      for (let i = image * values; i < (image + 1) * values; i++) {
        mse += (Math.round(255 * drawn[i]) / 255 - set.pixels[i] / 255) ** 2 / values;
      }
      mean += (-10 * Math.log10(mse)) / set.count;
    }
    expect(summary[`${name}_psnr_db`], name).toBeCloseTo(mean, 2);
  }
  expect(summary.reconstruction_train_minus_heldout_db).toBeCloseTo(
    summary.reconstruction_psnr_db - summary.reconstruction_heldout_psnr_db,
    9,
  );
  const samples = await readEvaluation(join(run.evaluation, 'samples.json'));
  expect(samples).toMatchObject({ reference: 'held-out images', metrics: { samples_images_reference: 20 } });
  expect(samples?.protocol).toMatch(/; prior neighbours$/);
  disposeModel(model);
});
