/** Two runs, one on clean images and one on noisy ones, from their folders to `dataset_noise.json`. */
import { join } from 'node:path';
import { writeEvaluation } from '../../run/evaluations.ts';
import { disposeModel, type OpenedModel, openModel } from '../../run/openModel.ts';
import type { RunFolder } from '../../run/runFolder.ts';
import { logEvaluation } from '../run/logEvaluation.ts';
import { datasetNoiseResult } from './bands.ts';
import { compareNoisyRuns } from './compareRuns.ts';

/** Most images drawn by both runs. */
const IMAGES = 256;

/**
 * An engine must have been started.
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
