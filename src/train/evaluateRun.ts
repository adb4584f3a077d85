/** Evaluates a run: reconstructions where there is ground truth, samples, agreement between sizes, disturbances. */
import type { ImageSet } from '../data/imageSet.ts';
import { UsageError } from '../errors.ts';
import { perturbationsResult } from '../eval/perturbStudyData.ts';
import { evaluateReconstruction } from '../eval/reconstruction.ts';
import { type EvaluationResult, writeEvaluation } from '../eval/result.ts';
import { pngOf } from '../render/png.ts';
import { comparisonSheet } from './comparison.ts';
import { evaluateSamples, evaluateScales } from './evaluateSamples.ts';
import type { OpenedModel } from './model.ts';
import { DISTURBANCES, perturbRun } from './perturbRun.ts';
import { Progress } from './progress.ts';
import { referenceOf, spread } from './references.ts';
import type { RunFolder } from './runFolder.ts';
import { loadWithProgress } from './session.ts';
import { EventWriter } from './tensorboard/eventWriter.ts';

export interface RunEvaluation {
  reconstructions: ScaleEvaluation[];
  /** Of models with latents. */
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
    const indices = spread(images.count, scale === 1 ? images.count : experiment.evaluate.images);
    const truth = scale === 1 ? images : await loadWithProgress(experiment, () => {}, { scale, images: indices });
    const everything = referenceOf(
      truth,
      indices.map((_, position) => position),
    );
    const progress = new Progress({ label: `evaluate ${scale}x`, total: indices.length, unit: 'images' });
    const name = scale === 1 ? 'reconstruction' : `reconstruction_x${scale}`;
    const result = await evaluateReconstruction(model, { ...everything, images: indices }, name, (done) =>
      progress.update(done),
    );
    progress.finish();
    await writeEvaluation(run.evaluation, name, result);
    evaluations.push({ scale, name, result });
  }
  const samples = await evaluateSamples(run, model, images, say);
  const scaleConsistency = await evaluateScales(run, model);
  const perturbations = disturbed > 0 ? await evaluatePerturbations(run, model, disturbed) : undefined;
  const results = [...evaluations.map(({ result }) => result), samples, scaleConsistency, perturbations];
  await logEvents(
    run,
    model,
    images,
    results.filter((result) => result !== undefined),
  );
  return { reconstructions: evaluations, samples, scaleConsistency, perturbations };
}

/** Writes `eval/perturb.json`: every disturbance once of so many images, or more often where there are fewer. */
async function evaluatePerturbations(run: RunFolder, model: OpenedModel, count: number): Promise<EvaluationResult> {
  const { seed } = model.experiment;
  const images = Math.min(count, model.imageNames.length);
  const progress = new Progress({ label: 'disturb', total: images, unit: 'images' });
  const repeats = Math.ceil(count / images);
  const onProgress = (done: number) => progress.update(done);
  const result = perturbationsResult(await perturbRun(model, { ...DISTURBANCES, images, repeats, seed, onProgress }));
  progress.finish();
  await writeEvaluation(run.evaluation, 'perturb', result);
  return result;
}

/**
 * Into a folder of its own, which TensorBoard shows as run `NAME/eval`: an event file beside the training's would hide
 * what those hold of later steps. Like the JSON files, it shows the last evaluation of a step, and none of later steps.
 */
async function logEvents(
  run: RunFolder,
  model: OpenedModel,
  images: ImageSet,
  results: readonly EvaluationResult[],
): Promise<void> {
  const { step } = model;
  const sheet = await comparisonSheet(model, images);
  const png = await pngOf(sheet);
  const events = await EventWriter.open(run.evaluation, { startStep: step - 1 });
  const finite = results.flatMap(({ metrics }) =>
    Object.entries(metrics).filter(([, value]) => Number.isFinite(value)),
  );
  events.scalars(Object.fromEntries(finite.map(([name, value]) => [`evaluation/${name}`, value])), step);
  events.image('evaluation/original, drawn, difference', png, sheet.width, sheet.height, step);
  events.close();
}
