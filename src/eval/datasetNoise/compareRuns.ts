/** A run on clean images and the same run on noisy ones: compared, and written as `dataset_noise.json`. */

import { join } from 'node:path';
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { noiseOfImage } from '../../data/imageNoise.ts';
import { UsageError } from '../../errors.ts';
import { withFields } from '../../render/drawableField.ts';
import { imageFields, type Model } from '../../render/model.ts';
import { spreadIndices } from '../../render/reconstructions.ts';
import { renderImagesFloat } from '../../render/render.ts';
import { writeEvaluation } from '../../run/evaluations.ts';
import { disposeModel, type OpenedModel, openModel } from '../../run/openModel.ts';
import type { RunFolder } from '../../run/runFolder.ts';
import { logEvaluation } from '../run/logEvaluation.ts';
import { DatasetNoise, type DatasetNoiseBands, datasetNoiseResult } from './bands.ts';

/** Images drawn at once; bounds memory. */
const BATCH = 16;

/**
 * Per band, how much of the noise the second model draws.
 *
 * @throws UsageError where the runs differ in more than `data.noise`.
 */
export async function compareNoisyRuns(
  clean: OpenedModel,
  noisy: OpenedModel,
  most: number,
): Promise<{ measured: DatasetNoiseBands; images: number; sigma: number }> {
  const sigma = noisy.experiment.data.noise;
  requireComparable(clean, noisy);
  const { width, height } = clean.training;
  const collected = new DatasetNoise(width, height);
  const chosen = spreadIndices(clean.imageNames.length, most);
  for (let first = 0; first < chosen.length; first += BATCH) {
    await eventLoopTurn(); // lets Ctrl-C in
    const batch = chosen.slice(first, first + BATCH);
    const [before, after] = [await drawImages(clean, batch), await drawImages(noisy, batch)];
    for (const [i, image] of batch.entries()) {
      const noise = noiseOfImage(noisy.experiment.seed, image, sigma, width * height * 3);
      collected.add(before[i], after[i], noise);
    }
  }
  return { measured: collected.result(), images: chosen.length, sigma };
}

function drawImages(model: Model, images: readonly number[]): Promise<Float32Array[]> {
  return withFields(imageFields(model, images), (field) => renderImagesFloat(field, model.training));
}

function requireComparable(clean: OpenedModel, noisy: OpenedModel): void {
  if (clean.experiment.data.noise !== 0) throw new UsageError('--clean: that run was trained with data.noise');
  if (!(noisy.experiment.data.noise > 0)) throw new UsageError('--noisy: that run was trained without data.noise');
  const differs = (what: string) => new UsageError(`the runs differ in ${what}; they may differ in data.noise only`);
  if (clean.imageNames.join('\n') !== noisy.imageNames.join('\n')) throw differs('their images');
  for (const key of ['seed', 'objective', 'model', 'train'] as const) {
    if (JSON.stringify(clean.experiment[key]) !== JSON.stringify(noisy.experiment[key])) throw differs(key);
  }
  const { noise: _, cache: __, ...dataOfClean } = clean.experiment.data;
  for (const [key, value] of Object.entries(dataOfClean)) {
    const other = noisy.experiment.data[key as keyof typeof dataOfClean];
    if (JSON.stringify(value) !== JSON.stringify(other)) throw differs(`data.${key}`);
  }
  if (clean.step !== noisy.step) throw differs(`how long they were trained (${clean.step} and ${noisy.step} steps)`);
}

/** Most images drawn by both runs. */
const IMAGES = 256;

/**
 * Compares two runs, from their folders to `dataset_noise.json`. An engine must have been started.
 *
 * @param out a folder; the noisy run's own evaluation where left out, which TensorBoard shows, too.
 * @returns what was measured, and the folder that it was written into.
 */
export async function writeDatasetNoise(
  cleanRun: RunFolder,
  noisyRun: RunFolder,
  out: string | undefined,
  say: (line: string) => void,
): Promise<Awaited<ReturnType<typeof compareNoisyRuns>> & { folder: string }> {
  const models: OpenedModel[] = [];
  try {
    for (const run of [cleanRun, noisyRun]) models.push(await openModel(run));
    const [clean, noisy] = models;
    for (const { warning } of models) if (warning) say(warning);
    const found = await compareNoisyRuns(clean, noisy, IMAGES);
    const { measured, images, sigma } = found;
    const folder = out ?? noisyRun.evaluation;
    const { training, step, experiment } = noisy;
    const result = datasetNoiseResult(measured, { images, sigma, step, seed: experiment.seed, ...training });
    await writeEvaluation(folder, 'dataset_noise', result);
    if (out === undefined) await logEvaluation(join(folder, 'dataset_noise'), step, [result]);
    return { ...found, folder };
  } finally {
    models.forEach(disposeModel);
  }
}
