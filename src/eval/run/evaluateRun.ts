/** Evaluates a run: reconstructions where there is ground truth, samples, agreement between sizes, disturbances. */

import type { ImageSet } from '../../data/imageSet.ts';
import { SOURCES } from '../../data/sources/registry.ts';
import { UsageError } from '../../errors.ts';
import { Progress } from '../../files/progress.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import { contactSheet, magnify, type RgbImage } from '../../render/contactSheet.ts';
import type { Model } from '../../render/model.ts';
import { reconstructions, referenceOf, spreadIndices } from '../../render/reconstructions.ts';
import { writeEvaluation } from '../../run/evaluations.ts';
import type { OpenedModel } from '../../run/openModel.ts';
import type { RunFolder } from '../../run/runFolder.ts';
import { loadWithProgress } from '../../train/session.ts';
import { evaluatePerturbations } from '../perturb/writeStudy.ts';
import { evaluateSamples, writeScaleConsistency } from './evaluateSamples.ts';
import { logEvaluation } from './logEvaluation.ts';
import { evaluateReconstruction } from './reconstruction.ts';

export interface RunEvaluation {
  reconstructions: ScaleEvaluation[];
  /** Samples against training images, of models that have latents. */
  samples?: EvaluationResult;
  scaleConsistency: EvaluationResult;
  perturbations?: EvaluationResult;
}

export interface ScaleEvaluation {
  /** Multiple of the training size. */
  scale: number;
  name: string;
  result: EvaluationResult;
}

/**
 * Writes `eval/reconstruction.json` (all training images, at their size) and `eval/reconstruction_xK.json` (some of
 * them, at K times the size, against what the source says they look like there), `eval/samples.json`,
 * `eval/scale_consistency.json`, `eval/perturb.json` and `eval/summary.json`; and, for TensorBoard at the checkpoint's
 * step, all numbers and a sheet of originals, reconstructions and differences.
 *
 * @param options.disturbed instead of the config's `evaluate.disturbed`.
 */
export async function evaluateRun(
  run: RunFolder,
  model: OpenedModel,
  say: (line: string) => void,
  { disturbed = model.experiment.evaluate.disturbed }: { disturbed?: number } = {},
): Promise<RunEvaluation> {
  const { experiment } = model;
  const images = await loadWithProgress(experiment, say);
  if (images.names.join('\n') !== model.imageNames.join('\n')) {
    throw new UsageError(`the images of data.path are not those that ${model.checkpoint} was trained on; restore them`);
  }
  const evaluations: ScaleEvaluation[] = [];
  for (const scale of experiment.evaluate.scales) {
    if (scale > 1 && scale > images.nativeScale) {
      say(`no ground truth at ${scale}x: the smallest image has ${images.nativeScale.toFixed(1)}x the training size`);
      continue;
    }
    const indices = spreadIndices(images.count, scale === 1 ? images.count : experiment.evaluate.images);
    const truth = scale === 1 ? images : await loadWithProgress(experiment, () => {}, { scale, images: indices });
    const reference = referenceOf(
      truth,
      indices.map((_, position) => position),
    );
    const progress = new Progress({ label: `evaluate ${scale}x`, total: indices.length, unit: 'images' });
    const name = scale === 1 ? 'reconstruction' : `reconstruction_x${scale}`;
    const result = await evaluateReconstruction(model, { ...reference, images: indices }, name, (done) =>
      progress.update(done),
    );
    progress.finish();
    await writeEvaluation(run.evaluation, name, result);
    evaluations.push({ scale, name, result });
  }
  const heldOut = experiment.data.heldOut ? await loadWithProgress(experiment, say, { part: 'heldOut' }) : undefined;
  const unseen = heldOut ? await evaluateUnseen(run, model, { heldOut, training: evaluations[0]?.result }, say) : [];
  evaluations.push(...unseen);
  const samples = await evaluateSamples(run, model, { images, heldOut }, say);
  const scaleConsistency = await writeScaleConsistency(run, model);
  const perturbations = disturbed > 0 ? await evaluatePerturbations(run, model, disturbed, say) : undefined;
  const results = [...evaluations.map(({ result }) => result), samples, scaleConsistency, perturbations];
  const measured = results.filter((result) => result !== undefined);
  const sheet = { 'original, drawn, difference': await comparisonSheet(model, images) };
  await logEvaluation(run.evaluation, model.step, measured, sheet);
  return { reconstructions: evaluations, samples, scaleConsistency, perturbations };
}

/**
 * Writes `eval/reconstruction_heldout.json`, and `eval/reconstruction_combinations.json` of sources that hold whole
 * combinations of attributes out: images that were never trained on, by the latents that the encoder gives them.
 *
 * @param training of the training images at their size, if these were measured.
 * @returns nothing of models without an encoder.
 */
async function evaluateUnseen(
  run: RunFolder,
  model: OpenedModel,
  { heldOut, training }: { heldOut: ImageSet; training?: EvaluationResult },
  say: (line: string) => void,
): Promise<ScaleEvaluation[]> {
  const { experiment, encode } = model;
  if (!encode) return [];
  const sets: [string, ImageSet][] = [['reconstruction_heldout', heldOut]];
  if (SOURCES.get(experiment.data.source).hasCombinations) {
    sets.push(['reconstruction_combinations', await loadWithProgress(experiment, say, { part: 'combinations' })]);
  }
  const evaluations: ScaleEvaluation[] = [];
  for (const [name, set] of sets) {
    const reference = { ...referenceOf(set, [...set.names.keys()]), latents: await encode(set) };
    const progress = new Progress({ label: `evaluate ${name.replace('_', ' ')}`, total: set.count, unit: 'images' });
    const result = await evaluateReconstruction(model, reference, name, (done) => progress.update(done));
    progress.finish();
    const own = training?.metrics.reconstruction_psnr_db;
    if (own !== undefined && name === 'reconstruction_heldout') {
      result.metrics.reconstruction_train_minus_heldout_db = own - result.metrics.reconstruction_heldout_psnr_db;
    }
    await writeEvaluation(run.evaluation, name, result);
    evaluations.push({ scale: 1, name, result });
  }
  return evaluations;
}

/** Images on the sheet of comparisons. */
const COLUMNS = 12;
/** Differences are small: they are shown this many times as large, around middle grey. */
export const DIFFERENCE_GAIN = 4;

/** Some training images on a sheet of three rows: originals, reconstructions, and 128 + 4·(reconstruction − original). */
export async function comparisonSheet(model: Model, images: ImageSet): Promise<RgbImage> {
  const shown = referenceOf(images, spreadIndices(images.count, COLUMNS));
  const originals = shown.images.map((_, position) => shown.pixels(position));
  const drawn: Uint8Array[] = [];
  for await (const image of reconstructions(model, shown)) drawn.push(image);
  const differences = drawn.map((image, i) => {
    const shade = (value: number, at: number) => 128 + DIFFERENCE_GAIN * (value - originals[i][at]);
    return Uint8Array.from(Uint8ClampedArray.from(image, shade));
  });
  const rows = [...originals, ...drawn, ...differences];
  const sheet = contactSheet(rows, images.width, images.height, { columns: originals.length });
  return magnify(sheet.pixels, sheet.width, sheet.height, Math.max(1, Math.floor(768 / sheet.width)));
}
