import { commandLine, ownCommandLine } from '../src/commandLine.ts';
import { UsageError } from '../src/errors.ts';
import { writeDatasetNoise } from '../src/eval/datasetNoise/compareRuns.ts';
import { NOISE_STUDY, studyEncodings } from '../src/eval/noise/defaults.ts';
import type { NoiseOptions } from '../src/eval/noise/options.ts';
import type { EncodingStudy } from '../src/eval/noise/studyData.ts';
import { writeNoiseStudy } from '../src/eval/noise/writeStudy.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { type Command, startEngineForRun } from './cli.ts';

interface Arguments extends NoiseOptions {
  engine?: string;
  out?: string;
  clean?: string;
  noisy?: string;
}

export const evaluateNoise: Command = {
  command: 'noise',
  describe: 'how fits of an image answer noise: signal transfer, noise gain and copy per frequency',
  builder: (yargs) =>
    yargs
      .option('image', { type: 'string', describe: 'image file (default: a photograph)', requiresArg: true })
      .option('spectrum', {
        type: 'number',
        describe: 'instead: a random field of power ρ^−SPECTRUM',
        requiresArg: true,
      })
      .option('config', { type: 'string', describe: 'a fit (YAML): its data, field and training', requiresArg: true })
      .option('which', { type: 'string', default: '0', describe: "image of the config's data, by name or number" })
      .option('set', { type: 'string', array: true, default: [], describe: 'change a key: model.field.width=128' })
      .option('encodings', {
        type: 'string',
        default: Object.keys(studyEncodings({ width: 128, height: 128 })).join(),
        describe: 'compared',
        requiresArg: true,
      })
      .option('sigma', {
        type: 'string',
        default: NOISE_STUDY.sigmas.join(),
        describe: 'noise levels',
        requiresArg: true,
      })
      .option('draws', {
        type: 'number',
        default: NOISE_STUDY.draws,
        describe: 'independent noise draws at each level',
      })
      .option('impulses', {
        type: 'number',
        default: NOISE_STUDY.impulses,
        describe: 'single pixels disturbed, one fit each',
      })
      .option('impulse-amplitude', { type: 'number', default: NOISE_STUDY.impulseAmplitude, describe: 'by how much' })
      .option('optimizer', {
        choices: ['adam', 'gd'] as const,
        default: NOISE_STUDY.optimizer,
        describe: 'gd: plain gradient descent, which the theory describes',
      })
      .option('steps', { type: 'number', describe: 'training steps (1000)' })
      .option('size', { type: 'string', describe: 'pixels: 128, or 128x96', requiresArg: true })
      .option('points', { type: 'number', describe: 'pixels seen in each step (1024)' })
      .option('learning-rate', { type: 'number', describe: 'learning rate (0.002)' })
      .option('seed', { type: 'number', describe: 'of weights, batches and noise (0)' })
      .option('engine', { type: 'string', describe: 'which engine computes (see doctor)', requiresArg: true })
      .option('out', { type: 'string', describe: 'folder for noise.json and noise.html', requiresArg: true })
      .option('clean', { type: 'string', describe: 'instead: a run on clean images, and with', requiresArg: true })
      .option('noisy', {
        type: 'string',
        describe: 'the same run with data.noise: what it draws of the noise',
        requiresArg: true,
      })
      .conflicts({ image: ['spectrum', 'config'], spectrum: 'config', clean: ['image', 'spectrum', 'config'] })
      .example(
        `${commandLine('evaluate')} noise --image photo.jpg --out runs/noise`,
        'four encodings, three noise levels, 8 draws',
      ),
  handler: async (args: Arguments) => {
    const { clean, noisy } = args;
    if (clean !== undefined && noisy !== undefined) return compareRuns({ ...args, clean, noisy });
    if (clean !== undefined || noisy !== undefined)
      throw new UsageError('--clean RUN and --noisy RUN go together: the same run without and with data.noise');
    const { out } = args;
    if (out === undefined) throw new UsageError('--out: say in which folder to put noise.json and noise.html');
    const files = { folder: out, command: ownCommandLine('evaluate') };
    const { studies, numbers, page } = await writeNoiseStudy(args, files, console.error);
    printStudy(studies);
    console.log(`written to ${numbers} and ${page}`);
  },
};

function printStudy(studies: readonly EncodingStudy[]): void {
  console.log('σ       encoding      clean dB  noisy dB   T, G of each octave (cycles per image)');
  for (const [i] of studies[0].levels.entries()) {
    for (const { encoding, levels } of studies) {
      const { sigma, trajectory } = levels[i];
      const { psnrCleanDb, psnrNoisyDb, bands } = trajectory[trajectory.length - 1];
      const octaves = bands
        .filter(({ kind }) => kind === 'octave')
        .map(({ name, transfer, noiseGain }) => {
          const through = Number.isNaN(transfer) ? '–' : transfer.toFixed(2);
          return `${name}: ${through}, ${noiseGain.toFixed(2)}`;
        });
      console.log(
        `${String(sigma).padEnd(8)}${encoding.kind.padEnd(12)}${psnrCleanDb.toFixed(2).padStart(10)}${psnrNoisyDb.toFixed(2).padStart(10)}   ${octaves.join('   ')}`,
      );
    }
  }
}

/** How much of its training images' noise a generator draws. */
async function compareRuns({ clean, noisy, engine, out }: Arguments & { clean: string; noisy: string }): Promise<void> {
  const [cleanRun, noisyRun] = [await RunFolder.open(clean), await RunFolder.open(noisy)];
  await startEngineForRun(noisyRun, engine);
  const { measured, images, sigma, folder } = await writeDatasetNoise(cleanRun, noisyRun, out, console.error);
  console.log(`${images} images, σ = ${sigma}`);
  console.log('cycles/image    gain G  copy C  power excess');
  for (const { name, noiseGain, noiseCopy, powerExcess } of measured.bands) {
    const cell = (value: number, width: number) => value.toFixed(3).padStart(width);
    console.log(`${name.padEnd(14)}${cell(noiseGain, 8)}${cell(noiseCopy, 8)}${cell(powerExcess, 14)}`);
  }
  console.log(`written to ${folder}/dataset_noise.json`);
}
