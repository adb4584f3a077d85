import { join } from 'node:path';
import { commandLine, ownCommandLine } from '../src/commandLine.ts';
import { loadExperiment } from '../src/config/load.ts';
import { type EncodingConfig, type Experiment, trainingSize } from '../src/config/schema.ts';
import { startEngine } from '../src/engine/engine.ts';
import { UsageError } from '../src/errors.ts';
import { NOISE_STUDY, NOISE_STUDY_OVERRIDES, studyEncodings } from '../src/eval/noise/noiseDefaults.ts';
import type { Optimizer } from '../src/eval/noise/noiseFits.ts';
import { noisePage } from '../src/eval/noise/noisePage.ts';
import { differencePictures } from '../src/eval/noise/noisePictures.ts';
import { noiseResult } from '../src/eval/noise/noiseResult.ts';
import { runNoiseStudy } from '../src/eval/noise/noiseStudy.ts';
import { imageOfData, imageOfFile, imageOfSpectrum } from '../src/eval/noise/studyImage.ts';
import { writeFileAtomically } from '../src/files/atomicFile.ts';
import { fileError } from '../src/files/fileErrors.ts';
import { makeFolder } from '../src/files/makeFolder.ts';
import { Progress } from '../src/files/progress.ts';
import { readEvaluation, readSummary, writeEvaluation } from '../src/run/evaluations.ts';
import type { Command } from './cli.ts';
import { evaluateNoisyRuns } from './evaluateNoisyRuns.ts';

interface Arguments {
  image?: string;
  spectrum?: number;
  config?: string;
  which: string;
  set: string[];
  encodings: string;
  sigma: string;
  draws: number;
  impulses: number;
  impulseAmplitude: number;
  optimizer: Optimizer;
  steps?: number;
  size?: string;
  points?: number;
  learningRate?: number;
  seed?: number;
  engine?: string;
  out?: string;
  clean?: string;
  noisy?: string;
}

async function experimentOf(args: Arguments): Promise<Experiment> {
  const given = {
    'data.size': args.size,
    'train.steps': args.steps,
    'train.points': args.points,
    'train.learningRate': args.learningRate,
    seed: args.seed,
  };
  const overrides = Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  const experiment = await loadExperiment(args.config, [
    ...(args.config === undefined ? NOISE_STUDY_OVERRIDES : []),
    ...overrides,
    ...args.set,
  ]);
  if (experiment.objective !== 'fit') {
    throw new UsageError(`${args.config}: noise is studied on fits; use a config with objective: fit`);
  }
  return experiment;
}

/** Encodings by kind, as the config has them, or else scaled to the image: up to its Nyquist frequency. */
function encodingsOf({ encodings: names, config, set }: Arguments, { model, data }: Experiment): EncodingConfig[] {
  const presets = studyEncodings(trainingSize(data));
  // What a config or --set names is meant; the defaults' encoding is nobody's choice.
  const own = config !== undefined || set.some((override) => override.startsWith('model.encoding'));
  const kinds = names.split(',').map((name) => name.trim());
  return kinds.map((kind, i) => {
    if (!Object.hasOwn(presets, kind) || kinds.indexOf(kind) !== i) {
      throw new UsageError(`--encodings ${names}: expected some of ${Object.keys(presets).join(',')}, each once`);
    }
    return own && model.encoding.kind === kind ? model.encoding : presets[kind as keyof typeof presets];
  });
}

function sigmasOf(text: string): number[] {
  const sigmas = text.split(',').map(Number);
  if (sigmas.some((sigma) => !(sigma > 0 && sigma < 10)) || new Set(sigmas).size < sigmas.length) {
    throw new UsageError(
      `--sigma ${text}: expected different numbers above 0, such as 0.05,0.1 (colours are in [0,1])`,
    );
  }
  return sigmas;
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
    if (clean !== undefined && noisy !== undefined) return evaluateNoisyRuns(clean, noisy, args.engine, args.out);
    if (clean !== undefined || noisy !== undefined)
      throw new UsageError('--clean RUN and --noisy RUN go together: the same run without and with data.noise');
    const { out } = args;
    if (out === undefined) throw new UsageError('--out: say in which folder to put noise.json and noise.html');
    for (const [name, value, least] of [
      ['draws', args.draws, 2],
      ['impulses', args.impulses, 0],
    ] as const) {
      if (!Number.isInteger(value) || value < least)
        throw new UsageError(`--${name}: expected a whole number, ${least} or more`);
    }
    if (!(Math.abs(args.impulseAmplitude) > 0))
      throw new UsageError('--impulse-amplitude: expected a number other than 0');
    if (args.spectrum !== undefined && !Number.isFinite(args.spectrum))
      throw new UsageError('--spectrum: expected a number');
    const sigmas = sigmasOf(args.sigma);
    const experiment = await experimentOf(args);
    const encodings = encodingsOf(args, experiment);
    const image =
      args.image !== undefined
        ? await imageOfFile(args.image, experiment)
        : args.spectrum !== undefined
          ? imageOfSpectrum(experiment, args.spectrum)
          : await imageOfData(experiment, args.which, console.error);
    const engine = await startEngine(args.engine ?? experiment.engine);
    await makeFolder(out).catch((error: unknown) => {
      throw fileError('make the folder', out, error);
    });
    // Before minutes go into fits: whether what is there can be replaced.
    await readSummary(out);
    await readEvaluation(join(out, 'noise.json'));
    const { draws, impulses, impulseAmplitude, optimizer } = args;
    const fields = 1 + sigmas.length * draws + impulses;
    console.error(
      `${image.name}, ${image.width}x${image.height}; ${encodings.length} encodings, ${fields} fits each; engine ${engine.name}`,
    );
    const progress = new Progress({
      label: 'noise study',
      total: encodings.length * experiment.train.steps,
      unit: 'steps',
    });
    const data = await runNoiseStudy({
      image,
      experiment,
      encodings,
      sigmas,
      draws,
      optimizer,
      impulses,
      impulseAmplitude,
      onProgress: (done) => progress.update(done),
    });
    progress.finish();
    await writeEvaluation(out, 'noise', noiseResult(data));
    const page = join(out, 'noise.html');
    await writeFileAtomically(page, noisePage(data, await differencePictures(data), ownCommandLine('evaluate')));
    printStudy(data.studies);
    console.log(`written to ${join(out, 'noise.json')} and ${page}`);
  },
};

function printStudy(studies: Awaited<ReturnType<typeof runNoiseStudy>>['studies']): void {
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
