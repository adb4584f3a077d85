/** Compares a run on clean images with the same run on noisy ones. */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { noiseOfImage } from '../../data/imageNoise.ts';
import { UsageError } from '../../errors.ts';
import { disposeFields } from '../../render/drawableField.ts';
import { imageFields, type Model } from '../../render/model.ts';
import { spread } from '../../render/reconstructions.ts';
import { renderImagesFloat } from '../../render/render.ts';
import type { OpenedModel } from '../../run/openModel.ts';
import { DatasetNoise, type DatasetNoiseBands } from './bands.ts';

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
  checkComparable(clean, noisy);
  const { width, height } = clean.training;
  const collected = new DatasetNoise(width, height);
  const chosen = spread(clean.imageNames.length, most);
  for (let first = 0; first < chosen.length; first += BATCH) {
    await eventLoopTurn(); // lets Ctrl-C in
    const batch = chosen.slice(first, first + BATCH);
    const [before, after] = [await drawn(clean, batch), await drawn(noisy, batch)];
    for (const [i, image] of batch.entries()) {
      const noise = noiseOfImage(noisy.experiment.seed, image, sigma, width * height * 3);
      collected.add(before[i], after[i], noise);
    }
  }
  return { measured: collected.result(), images: chosen.length, sigma };
}

async function drawn(model: Model, images: readonly number[]): Promise<Float32Array[]> {
  const field = imageFields(model, images);
  try {
    return await renderImagesFloat(field, model.training);
  } finally {
    disposeFields(field);
  }
}

function checkComparable(clean: OpenedModel, noisy: OpenedModel): void {
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
