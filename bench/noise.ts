/**
 * `npx tsx bench/noise.ts [--engine native]`: how long the noise study of one image takes: 128², 4 encodings, 3 noise levels, 8
 * draws each (29 fits an encoding with the clean one and the disturbed pixels), 1,000 steps of 1,024 pixels.
 *
 * The parts are timed apart; they must take 120 seconds together on 2 cores with the native engine.
 */
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { loadExperiment } from '../src/config/load.ts';
import { startEngine } from '../src/engine/engine.ts';
import { NOISE_STUDY, NOISE_STUDY_OVERRIDES, studyEncodings } from '../src/eval/noise/defaults.ts';
import { noisePrefix, noiseResult } from '../src/eval/noise/result.ts';
import { runNoiseStudy } from '../src/eval/noise/study.ts';
import { imageOfData } from '../src/eval/noise/studyImage.ts';

const MUST_SECONDS = 120;
/** Prints the seconds of each encoding; returns their sum. */
export async function benchNoise(engineName = 'native'): Promise<number> {
  const engine = await startEngine(engineName);
  const experiment = await loadExperiment(undefined, NOISE_STUDY_OVERRIDES);
  const image = await imageOfData(experiment, '0', console.error);
  let total = 0;
  for (const encoding of Object.values(studyEncodings(image))) {
    const start = performance.now();
    const data = await runNoiseStudy({ image, experiment, encodings: [encoding], ...NOISE_STUDY });
    const psnr = noiseResult(data).metrics[`${noisePrefix(data, encoding.kind, 0.1)}_m8_clean_psnr_final_db`];
    const seconds = (performance.now() - start) / 1000;
    total += seconds;
    console.log(`${encoding.kind.padEnd(12)}${seconds.toFixed(1).padStart(7)} s   ${psnr.toFixed(2)} dB at σ = 0.1`);
  }
  console.log(
    `noise study  ${total.toFixed(1)} s (must: ${MUST_SECONDS} s), engine ${engine.name}, ${cpus().length} cores, load ${loadavg()[0].toFixed(1)}`,
  );
  return total;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.indexOf('--engine');
  await benchNoise(asked > 0 ? process.argv[asked + 1] : undefined);
}
