import { join } from 'node:path';
import { datasetNoiseResult } from '../src/eval/datasetNoise/datasetNoise.ts';
import { compareNoisyRuns } from '../src/eval/datasetNoise/noisyRuns.ts';
import { logEvaluation } from '../src/eval/run/evaluationEvents.ts';
import { writeEvaluation } from '../src/run/evaluations.ts';
import { disposeModel, openModel } from '../src/run/openModel.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { engineForRun } from './cli.ts';

/** Most images drawn by both runs. */
const IMAGES = 256;

/** `evaluate noise --clean RUN --noisy RUN`: how much of its training images' noise a generator draws. */
export async function evaluateNoisyRuns(
  cleanPath: string,
  noisyPath: string,
  engine?: string,
  out?: string,
): Promise<void> {
  const [cleanRun, noisyRun] = [await RunFolder.open(cleanPath), await RunFolder.open(noisyPath)];
  await engineForRun(noisyRun, engine);
  const [clean, noisy] = [await openModel(cleanRun), await openModel(noisyRun)];
  for (const { warning } of [clean, noisy]) if (warning) console.error(warning);
  const { measured, images, sigma } = await compareNoisyRuns(clean, noisy, IMAGES);
  disposeModel(clean);
  disposeModel(noisy);
  const folder = out ?? noisyRun.evaluation;
  const { training, step, experiment } = noisy;
  const result = datasetNoiseResult(measured, { images, sigma, step, seed: experiment.seed, ...training });
  await writeEvaluation(folder, 'dataset_noise', result);
  // A folder elsewhere is no run's: TensorBoard has nothing to show it with.
  if (out === undefined) await logEvaluation(join(folder, 'dataset_noise'), step, [result]);
  console.log(`${images} images, σ = ${sigma}`);
  console.log('cycles/image    gain G  copy C  power excess');
  for (const { name, noiseGain, noiseCopy, powerExcess } of measured.bands) {
    const cell = (value: number, width: number) => value.toFixed(3).padStart(width);
    console.log(`${name.padEnd(14)}${cell(noiseGain, 8)}${cell(noiseCopy, 8)}${cell(powerExcess, 14)}`);
  }
  console.log(`written to ${folder}/dataset_noise.json`);
}
