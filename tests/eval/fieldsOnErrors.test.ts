/** Whatever draws gives its fields back when the renderer fails: on a full GPU, say, or for weights that are not finite. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { experimentSchema } from '../../src/config/schema.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { compareNoisyRuns } from '../../src/eval/datasetNoise/compareRuns.ts';
import { pathLength } from '../../src/eval/perturb/pathLength.ts';
import { DEFAULT_PERTURBATIONS, perturbRun } from '../../src/eval/perturb/study.ts';
import { drawShowpieces, typicalImage } from '../../src/eval/report/showpieces.ts';
import { comparisonSheet } from '../../src/eval/run/evaluateRun.ts';
import { drawSamples } from '../../src/eval/run/evaluateSamples.ts';
import { evaluateScaleConsistency } from '../../src/eval/run/scaleConsistency.ts';
import { fullView } from '../../src/grid.ts';
import { initGenerator, makeGenerator } from '../../src/models/generator.ts';
import { drawFiles, drawSheet } from '../../src/render/drawSubjects.ts';
import { subjectsOf } from '../../src/render/subjects.ts';
import type { OpenedModel } from '../../src/run/openModel.ts';
import { type Tensor1D, tf } from '../../src/tf.ts';

/** Of the drawings of one test, the one that fails. */
const failure = vi.hoisted(() => ({ in: 1 }));

vi.mock('../../src/render/render.ts', async (original) => {
  const real = await original<typeof import('../../src/render/render.ts')>();
  const failing =
    <A extends unknown[], R>(draw: (...args: A) => R) =>
    (...args: A): R => {
      if (--failure.in === 0) throw new Error('the renderer fails');
      return draw(...args);
    };
  const { renderImage, renderImages, renderImagesFloat, renderScanlines } = real;
  return {
    ...real,
    renderImage: failing(renderImage),
    renderImages: failing(renderImages),
    renderImagesFloat: failing(renderImagesFloat),
    renderScanlines: failing(renderScanlines),
  };
});

const SIZE = 8;
const NAMES = ['a', 'b', 'c'];
let folder: string;
let model: OpenedModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-fields-'));
  await startEngine('wasm');
  const experiment = experimentSchema().parse({
    data: { size: SIZE },
    model: {
      encoding: { kind: 'gaussian', frequencies: 4, sigma: 2 },
      field: { width: 4, depth: 1 },
      conditioner: { kind: 'lowRank', latent: 3, mapping: [4], rank: 2 },
    },
  });
  const generator = makeGenerator(experiment.model, 0);
  const table = tf.tensor2d([0, 1, 2, 3, 4, 5, 6, 7, 8], [NAMES.length, 3]);
  const parameters = initGenerator(generator, 0, NAMES.length);
  const latents = { size: 3, of: (images: Tensor1D) => tf.gather(table, images) };
  const opened = { experiment, generator, parameters, latents, training: fullView(SIZE, SIZE), imageNames: NAMES };
  model = { ...opened, step: 1, checkpoint: 'none' };
});
afterAll(() => rm(folder, { recursive: true }));

const images = {
  ...{ count: NAMES.length, width: SIZE, height: SIZE, names: NAMES, skipped: [], nativeScale: 1, digest: '' },
  pixels: new Uint8Array(NAMES.length * SIZE * SIZE * 3),
};
const noisy = () => {
  const { experiment } = model;
  return { ...model, experiment: { ...experiment, data: { ...experiment.data, noise: 0.1 } } };
};
const subjects = () => subjectsOf(model, { seed: 0, count: 2 });
const options = { ...DEFAULT_PERTURBATIONS, images: 2, repeats: 1, seed: 0 };

it.each<[string, number, () => Promise<unknown>]>([
  ['samples', 1, () => drawSamples(model, { seed: 0, count: 4 })],
  ['a sheet of reconstructions', 1, () => comparisonSheet(model, images)],
  ['the typical image', 1, () => typicalImage(model, images)],
  ['scale consistency', 2, () => evaluateScaleConsistency(model, [0, 1])],
  ['the path length', 2, () => pathLength(model, { pairs: 2, epsilon: 0.01, seed: 0 })],
  ['an image that is to be disturbed', 1, () => perturbRun(model, options)],
  ['a disturbed image', 3, () => perturbRun(model, options)],
  ['two runs', 2, () => compareNoisyRuns(model, noisy(), 2)],
  ['showpieces: the sheet', 1, () => drawShowpieces(model, { images, seed: 0, folder })],
  ['showpieces: the large image', 3, () => drawShowpieces(model, { images, seed: 0, folder })],
  ['a sheet', 2, async () => drawSheet(join(folder, 'a.png'), await subjects(), { view: model.training })],
  ['files', 2, async () => drawFiles(join(folder, 'a.png'), await subjects(), { view: model.training })],
])('%s: a renderer that fails leaves no tensor behind', async (_, nth, draw) => {
  const before = tf.memory().numTensors;
  failure.in = nth;
  await expect(draw()).rejects.toThrow('the renderer fails');
  expect(tf.memory().numTensors).toBe(before);
});
