/**
 * The noise study: one image, some encodings, some noise levels, M noise draws each. Per encoding, all fits are one batch
 * of fields: the clean image, every draw at every level, and the clean image with single pixels disturbed.
 */

import type { Experiment } from '../../config/schema.ts';
import { NoiseDraws, noiseByBand, totalDegreesOfFreedom } from '../../metrics/noiseResponse.ts';
import { meanSquaredError, psnrOfMse } from '../../metrics/psnr.ts';
import { octavePartition, ringPartition } from '../../metrics/signal/bands.ts';
import { meanOf } from '../../metrics/signal/bootstrap.ts';
import { NO_INTERVAL } from '../../metrics/signal/jackknife.ts';
import type { EncodingConfig } from '../../models/encodings/registry.ts';
import { makeGenerator } from '../../models/generator.ts';
import { Random } from '../../random.ts';
import { scheduleFactor } from '../../train/schedule.ts';
import { kernelBaseline, wienerBaseline } from './baselines.ts';
import { impulseResponse } from './curves.ts';
import { type Optimizer, trainNoiseFits } from './fits.ts';
import type { EncodingStudy, NoiseStudyData } from './studyData.ts';
import type { StudyImage } from './studyImage.ts';

export interface NoiseStudyOptions {
  image: StudyImage;
  /** Field and training settings; its encoding is replaced. */
  experiment: Experiment;
  encodings: readonly EncodingConfig[];
  /** Standard deviations of the noise, of values in [0,1]. */
  sigmas: readonly number[];
  draws: number;
  optimizer: Optimizer;
  /** Single pixels disturbed, one fit each. */
  impulses: number;
  /** What is added to each channel of a disturbed pixel. */
  impulseAmplitude: number;
  onProgress?(done: number, total: number): void;
}

/** The noise of draw m at level 1, the same for all levels and encodings: white, Gaussian, [H,W,3]. */
export function noiseOfDraw(seed: number, draw: number, length: number): Float32Array {
  return new Random(seed, 'noiseDraws', draw).normals(length);
}

/**
 * Steps after which fits are drawn: 0, the last, and fewer than `count` between them, evenly on a logarithmic scale.
 */
export function stepsToDraw(steps: number, count = 14): number[] {
  const ladder = Array.from({ length: count - 1 }, (_, i) =>
    Math.round(Math.exp((Math.log(steps) * (i + 1)) / (count - 1))),
  );
  // The first steps hardly differ from the untrained field: they are skipped where there are many.
  return [...new Set([0, ...ladder.filter((step) => step >= Math.min(4, steps)), steps])];
}

/** Trains and measures the encodings one after the other. */
export async function runNoiseStudy(options: NoiseStudyOptions): Promise<NoiseStudyData> {
  const studies: EncodingStudy[] = [];
  const { image, experiment, encodings, sigmas, draws, optimizer, impulseAmplitude, onProgress } = options;
  for (const [i, encoding] of encodings.entries()) {
    const done = (step: number) =>
      onProgress?.(i * experiment.train.steps + step, encodings.length * experiment.train.steps);
    studies.push(await studyEncoding(options, encoding, done));
  }
  return {
    image,
    studies,
    wiener: sigmas.map((sigma) => wienerBaseline(image, sigma)),
    draws,
    optimizer,
    steps: experiment.train.steps,
    points: Math.min(experiment.train.points, image.width * image.height),
    settings: settingsOf(experiment, encodings),
    impulseAmplitude,
  };
}

/** What else the fits depend on, in words, for the protocol. */
function settingsOf({ model: { field }, train, seed }: Experiment, encodings: readonly EncodingConfig[]): string {
  const numbers = ({ kind, ...rest }: EncodingConfig) =>
    [kind, ...Object.entries(rest).map(([key, value]) => `${key} ${value}`)].join(' ');
  return (
    `fields of ${field.depth} × ${field.width} ${field.activation} units, ${field.output} output, encodings ` +
    `${encodings.map(numbers).join(', ')}; learning rate ${train.learningRate}, ${train.schedule.kind}; seed ${seed}`
  );
}

async function studyEncoding(
  options: NoiseStudyOptions,
  encoding: EncodingConfig,
  onStep: (step: number) => void,
): Promise<EncodingStudy> {
  const { image, experiment, sigmas, draws, optimizer, impulseAmplitude } = options;
  const { width, height, values } = image;
  const { seed, train } = experiment;
  const generator = makeGenerator({ ...experiment.model, encoding }, seed);
  const shape = { width, height, channels: 3 };
  const { noisesAt, noisyAt, disturbed } = studyTargets(options);
  const spectra = noisesAt.map((noises) => new NoiseDraws(shape, values, noises, image.rounding));
  const [octaves, rings] = [octavePartition(width, height), ringPartition(width, height)];
  const study: EncodingStudy = {
    encoding,
    levels: sigmas.map((sigma) => ({
      sigma,
      trajectory: [],
      rings: [],
      degreesOfFreedom: { value: Number.NaN, interval: NO_INTERVAL },
      lastFit: new Float32Array(),
    })),
    cleanPsnrDb: [],
    lastCleanFit: new Float32Array(),
    impulses: [],
    kernel: await kernelBaseline(generator, seed, image, descentOf(options)),
  };
  await trainNoiseFits({
    experiment,
    generator,
    optimizer,
    width,
    height,
    targets: [values, ...noisyAt.flat(), ...disturbed.map(({ target }) => target)],
    drawAt: stepsToDraw(train.steps),
    onStep,
    onDrawn(step, fits) {
      const clean = fits[0];
      study.cleanPsnrDb.push(psnr(clean, values));
      const isLast = step === train.steps;
      for (const [i, level] of study.levels.entries()) {
        const noisy = fits.slice(1 + i * draws, 1 + (i + 1) * draws);
        const grams = spectra[i].response(noisy, octaves);
        level.trajectory.push({
          step,
          ...psnrsOf(noisy, values, noisyAt[i]),
          bands: noiseByBand(grams, octaves.bands, shape),
        });
        if (!isLast) continue;
        level.rings = noiseByBand(spectra[i].response(noisy, rings), rings.bands, shape);
        level.degreesOfFreedom = totalDegreesOfFreedom(grams, octaves.bands, shape);
        level.lastFit = noisy[0];
      }
      if (!isLast) return;
      study.lastCleanFit = clean;
      study.impulses = disturbed.map(({ at }, i) => {
        const difference = fits[1 + sigmas.length * draws + i].map((value, k) => value - clean[k]);
        return impulseResponse(difference, shape, at, impulseAmplitude);
      });
    },
  });
  return study;
}

/** What is fitted besides the clean image: [levels][draws] noisy images and their noise, and images with one pixel changed. */
function studyTargets(options: NoiseStudyOptions) {
  const { image, experiment, sigmas, draws, impulseAmplitude } = options;
  const { width, values } = image;
  const unit = Array.from({ length: draws }, (_, draw) => noiseOfDraw(experiment.seed, draw, values.length));
  const noisesAt = sigmas.map((sigma) => unit.map((noise) => noise.map((value) => sigma * value)));
  const noisyAt = noisesAt.map((noises) => noises.map((noise) => noise.map((value, i) => value + values[i])));
  const disturbed = impulsePixels(options).map((at) => {
    const target = values.slice();
    for (let channel = 0; channel < 3; channel++) target[3 * (at.y * width + at.x) + channel] += impulseAmplitude;
    return { at, target };
  });
  return { noisesAt, noisyAt, disturbed };
}

function psnr(a: Float32Array, b: Float32Array): number {
  return psnrOfMse(meanSquaredError(a, b));
}

/** PSNRs of the fits of all draws against the clean image and against what each was fitted to. */
function psnrsOf(fits: readonly Float32Array[], clean: Float32Array, noisy: readonly Float32Array[]) {
  const psnrCleanDbOfDraws = fits.map((fit) => psnr(fit, clean));
  const psnrNoisyDbOfDraws = fits.map((fit, m) => psnr(fit, noisy[m]));
  return {
    psnrCleanDb: meanOf(psnrCleanDbOfDraws),
    psnrNoisyDb: meanOf(psnrNoisyDbOfDraws),
    psnrCleanDbOfDraws,
    psnrNoisyDbOfDraws,
  };
}

/** The learning rates to predict plain gradient descent on all pixels with; undefined for what no kernel describes. */
function descentOf({ image, experiment: { train }, optimizer }: NoiseStudyOptions) {
  if (optimizer !== 'gd' || train.points < image.width * image.height) return undefined;
  const learningRates = Array.from(
    { length: train.steps },
    (_, step) => train.learningRate * scheduleFactor(train.schedule, step, train.steps),
  );
  return { learningRates, steps: stepsToDraw(train.steps) };
}

/** Pixels away from the border, where the response would be cut off. */
function impulsePixels({
  image: { width, height },
  experiment,
  impulses,
}: NoiseStudyOptions): { x: number; y: number }[] {
  const random = new Random(experiment.seed, 'impulses');
  const inner = (size: number) => Math.floor(size / 4) + random.integer(Math.max(1, Math.floor(size / 2)));
  return Array.from({ length: impulses }, () => ({ x: inner(width), y: inner(height) }));
}
