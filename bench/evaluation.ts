/**
 * `npm run bench:evaluation`: how long the comparison of image sets takes, in plain JavaScript on one core.
 *
 * The figure to hold: spectra with intervals and floor, and FWD with its floor, of 10,000 images of 64×64 against as
 * many, in at most 30 s. Prints a table and ends with exit code 1 where that is missed.
 */
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { powerLawField } from '../src/eval/noise/theory/syntheticField.ts';
import { evaluateImageSets } from '../src/metrics/imageSets.ts';
import { metricNames } from '../src/metrics/registry.ts';
import { Random } from '../src/random.ts';

const SIZE = 64;
const BOUND_SECONDS = 30;

/** RGB crops of one large field of natural slope: content costs nothing here, but flat images would be no test. */
export function images(count: number, seed: number) {
  const side = 512;
  const field = powerLawField(side, side, 2.5, new Random(seed, 'synthetic'), 40);
  const random = new Random(seed, 'synthetic', 1);
  const pixels = new Uint8Array(count * SIZE * SIZE * 3);
  for (let image = 0, at = 0; image < count; image++) {
    const [left, top] = [random.integer(side - SIZE - 2), random.integer(side - SIZE)];
    for (let i = 0; i < SIZE * SIZE; i++) {
      for (let channel = 0; channel < 3; channel++, at++) {
        const value = field[(top + Math.floor(i / SIZE)) * side + left + (i % SIZE) + channel];
        pixels[at] = Math.max(0, Math.min(255, Math.round(128 + value)));
      }
    }
  }
  return { count, width: SIZE, height: SIZE, pixels };
}

/** Wall-clock seconds, and those of the processor: on a busy machine the second says what an idle one would take. */
function secondsOf(metrics: readonly string[], count: number): { wall: number; text: string } {
  const [generated, reference] = [images(count, 1), images(count, 2)];
  const [start, before] = [performance.now(), process.cpuUsage()];
  evaluateImageSets(generated, reference, { metrics });
  const wall = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { wall, text: `${wall.toFixed(2).padStart(6)} s (${((user + system) / 1e6).toFixed(2)} s of processor)` };
}

/** Prints the table; returns the seconds of the figure to hold. */
export function benchEvaluation(): number {
  console.log(
    `${cpus()[0]?.model.trim()}, Node ${process.version}; ${SIZE}×${SIZE} RGB, as many generated as reference`,
  );
  secondsOf(metricNames(), 20); // compiles
  for (const metric of metricNames()) {
    console.log(`${metric.padEnd(10)} 1,000 images a side: ${secondsOf([metric], 1000).text}`);
  }
  const { wall, text } = secondsOf(['spectrum', 'fwd'], 10_000);
  console.log(`spectrum + fwd, 10,000 images a side: ${text}, at most ${BOUND_SECONDS} s`);
  return wall;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && benchEvaluation() > BOUND_SECONDS) process.exitCode = 1;
