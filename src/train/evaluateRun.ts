/** Evaluates a run's reconstructions at every scale where there is ground truth. */

import { UsageError } from '../errors.ts';
import { evaluateReconstruction } from '../eval/reconstruction.ts';
import { type EvaluationResult, writeEvaluation } from '../eval/result.ts';
import type { OpenedModel } from './model.ts';
import { Progress } from './progress.ts';
import type { RunFolder } from './runFolder.ts';
import { referenceOf, spread } from './runLog.ts';
import { loadWithProgress } from './session.ts';

export interface ScaleEvaluation {
  /** Multiple of the training size. */
  scale: number;
  name: string;
  result: EvaluationResult;
}

/**
 * Writes `eval/reconstruction.json` (all training images, at their size) and `eval/reconstruction_xK.json` (some of
 * them, at K times the size, against what the source says they look like there), and `eval/summary.json`.
 */
export async function evaluateRun(
  run: RunFolder,
  model: OpenedModel,
  say: (line: string) => void,
): Promise<ScaleEvaluation[]> {
  const { experiment } = model;
  const images = await loadWithProgress(experiment, say);
  if (images.names.join('\n') !== model.imageNames.join('\n')) {
    throw new UsageError(`the images of data.path are not those that ${model.checkpoint} was trained on; restore them`);
  }
  const evaluations: ScaleEvaluation[] = [];
  for (const scale of experiment.evaluate.scales) {
    if (scale > images.nativeScale) {
      say(`no ground truth at ${scale}x the training size: the images have ${images.nativeScale.toFixed(1)}x`);
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
  return evaluations;
}
