/** A noise study as the options of `evaluate noise` say it: checked, and with what they leave open. */
import { loadExperiment } from '../../config/load.ts';
import type { Experiment } from '../../config/schema.ts';
import { trainingSize } from '../../data/schema.ts';
import { UsageError } from '../../errors.ts';
import type { EncodingConfig } from '../../models/encodings/registry.ts';
import { NOISE_STUDY_OVERRIDES, studyEncodings } from './defaults.ts';
import type { Optimizer } from './fits.ts';
import type { StudyImage } from './studyImage.ts';
import { imageOfData, imageOfFile, imageOfSpectrum } from './studyImage.ts';

export interface NoiseOptions {
  /** An image file, or else the exponent of a random field's spectrum, or else an image of the config's data. */
  image?: string;
  spectrum?: number;
  config?: string;
  which: string;
  /** Changes of the config's keys. */
  set: string[];
  /** Kinds and levels, separated by commas. */
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
}

/** What of a study the options decide, besides those that are numbers already. */
export interface NoiseStudyPlan {
  image: StudyImage;
  experiment: Experiment;
  encodings: EncodingConfig[];
  sigmas: number[];
}

/** @throws UsageError for options that make no study. */
export async function planNoiseStudy(options: NoiseOptions, say: (line: string) => void): Promise<NoiseStudyPlan> {
  for (const [name, value, least] of [
    ['draws', options.draws, 2],
    ['impulses', options.impulses, 0],
  ] as const) {
    if (!Number.isInteger(value) || value < least)
      throw new UsageError(`--${name}: expected a whole number, ${least} or more`);
  }
  if (!(Math.abs(options.impulseAmplitude) > 0))
    throw new UsageError('--impulse-amplitude: expected a number other than 0');
  if (options.spectrum !== undefined && !Number.isFinite(options.spectrum))
    throw new UsageError('--spectrum: expected a number');
  const sigmas = sigmasOf(options.sigma);
  const experiment = await experimentOf(options);
  const encodings = encodingsOf(options, experiment);
  return { image: await imageOf(options, experiment, say), experiment, encodings, sigmas };
}

async function imageOf(
  { image, spectrum, which }: NoiseOptions,
  experiment: Experiment,
  say: (line: string) => void,
): Promise<StudyImage> {
  if (image !== undefined) return imageOfFile(image, experiment);
  return spectrum === undefined ? imageOfData(experiment, which, say) : imageOfSpectrum(experiment, spectrum);
}

async function experimentOf(options: NoiseOptions): Promise<Experiment> {
  const given = {
    'data.size': options.size,
    'train.steps': options.steps,
    'train.points': options.points,
    'train.learningRate': options.learningRate,
    seed: options.seed,
  };
  const overrides = Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  const experiment = await loadExperiment(options.config, [
    ...(options.config === undefined ? NOISE_STUDY_OVERRIDES : []),
    ...overrides,
    ...options.set,
  ]);
  if (experiment.objective !== 'fit') {
    throw new UsageError(`${options.config}: noise is studied on fits; use a config with objective: fit`);
  }
  return experiment;
}

/** Encodings by kind, as the config has them, or else scaled to the image: up to its Nyquist frequency. */
function encodingsOf({ encodings: names, config, set }: NoiseOptions, { model, data }: Experiment): EncodingConfig[] {
  const presets: Record<string, EncodingConfig> = studyEncodings(trainingSize(data));
  // An encoding that a config or --set names takes the place of its preset; that of the defaults is nobody's choice.
  const own = config !== undefined || set.some((override) => override.startsWith('model.encoding'));
  const known = own ? { ...presets, [model.encoding.kind]: model.encoding } : presets;
  const kinds = names.split(',').map((name) => name.trim());
  return kinds.map((kind, i) => {
    if (!Object.hasOwn(known, kind) || kinds.indexOf(kind) !== i) {
      throw new UsageError(`--encodings ${names}: expected some of ${Object.keys(known).join(',')}, each once`);
    }
    return known[kind];
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
