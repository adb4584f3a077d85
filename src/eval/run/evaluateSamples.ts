/** Evaluates a run's random samples against its training images, and its drawings against themselves at other sizes. */
import type { ImageSet } from '../../data/imageSet.ts';
import { Progress } from '../../files/progress.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import type { ImageStack } from '../../metrics/signal/imageStack.ts';
import { withFields } from '../../render/drawableField.ts';
import {
  choosePrior,
  latentFields,
  latentSpaceOf,
  type Model,
  type SampleOptions,
  sampleLatents,
} from '../../render/model.ts';
import { spreadIndices } from '../../render/reconstructions.ts';
import { renderImages } from '../../render/render.ts';
import { writeEvaluation } from '../../run/evaluations.ts';
import type { OpenedModel } from '../../run/openModel.ts';
import type { RunFolder } from '../../run/runFolder.ts';
import { compareSets } from '../images/compare.ts';
import { evaluateScaleConsistency } from './scaleConsistency.ts';

/**
 * Writes `eval/samples.json`: as many samples as training images, at most `evaluate.samples`, against all images that are
 * held out, or else against those of training.
 *
 * @returns undefined where there is nothing to sample: no latents, or fewer than two images or samples.
 */
export async function evaluateSamples(
  run: RunFolder,
  model: OpenedModel,
  { images, heldOut }: { images: ImageSet; heldOut?: ImageSet },
  say: (line: string) => void,
): Promise<EvaluationResult | undefined> {
  const { seed, evaluate } = model.experiment;
  const count = Math.min(evaluate.samples, images.count);
  if (!model.latents || evaluate.samples === 0) return undefined;
  if (count < 2) {
    say(
      `samples are not measured: a set needs at least 2, evaluate.samples is ${evaluate.samples}, of ${images.count} training images`,
    );
    return undefined;
  }
  const drawing = new Progress({ label: 'draw samples', total: count, unit: 'images' });
  const prior = await choosePrior(model);
  const samples = await drawSamples(model, { seed, count, prior }, (done) => drawing.update(done));
  drawing.finish();
  const compared = compareSets(samples, heldOut ?? images, { label: 'measure samples', seed, prefix: 'samples_' });
  const result = {
    ...compared,
    protocol: `${compared.protocol}; ${prior.about}`,
    ...(heldOut && { reference: 'held-out images' }),
  };
  for (const note of result.notes ?? []) say(note);
  await writeEvaluation(run.evaluation, 'samples', result);
  return result;
}

/** Writes `eval/scale_consistency.json`, of `evaluate.images` training images. */
export async function writeScaleConsistency(run: RunFolder, model: OpenedModel): Promise<EvaluationResult> {
  const { seed, evaluate } = model.experiment;
  const result = await evaluateScaleConsistency(model, spreadIndices(model.imageNames.length, evaluate.images), seed);
  await writeEvaluation(run.evaluation, 'scale_consistency', result);
  return result;
}

/** Samples drawn at once; bounds memory. */
const BATCH = 32;

/** Draws 8-bit samples at the training size, some at a time. */
export async function drawSamples(
  model: Model,
  options: SampleOptions,
  onProgress: (done: number) => void = () => {},
): Promise<ImageStack> {
  const { width, height } = model.training;
  const { count } = options;
  const { size } = latentSpaceOf(model);
  const latents = await sampleLatents(model, options);
  const pixels = new Uint8Array(count * width * height * 3);
  for (let first = 0; first < count; first += BATCH) {
    const last = Math.min(count, first + BATCH);
    const fields = latentFields(model, latents.slice(first * size, last * size));
    const images = await withFields(fields, (field) => renderImages(field, model.training));
    images.forEach((image, i) => {
      pixels.set(image, (first + i) * image.length);
    });
    onProgress(last);
  }
  return { count, width, height, pixels };
}
