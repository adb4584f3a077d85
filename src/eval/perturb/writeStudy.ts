/** A study of disturbances as an evaluation of a run: `eval/perturb.json`. */
import { join } from 'node:path';
import { Progress } from '../../files/progress.ts';
import { readEvaluation, writeEvaluation } from '../../run/evaluations.ts';
import type { OpenedModel } from '../../run/openModel.ts';
import type { RunFolder } from '../../run/runFolder.ts';
import { DEFAULT_PERTURBATIONS, type PerturbOptions, perturbRun } from './study.ts';
import { isLarger, type PerturbResult, perturbationsResult } from './studyData.ts';

/** Disturbs as the options say, with a progress line, and writes `eval/perturb.json`. */
export async function writePerturbations(
  run: RunFolder,
  model: OpenedModel,
  options: PerturbOptions,
): Promise<PerturbResult> {
  const total = Math.min(options.images, model.imageNames.length);
  const progress = new Progress({ label: 'disturb', total, unit: 'images' });
  const study = await perturbRun(model, { ...options, onProgress: (done) => progress.update(done) });
  progress.finish();
  const result = perturbationsResult(study);
  await writeEvaluation(run.evaluation, 'perturb', result);
  return result;
}

/**
 * Every disturbance once of `count` images, or more often where there are fewer. A larger study of the same checkpoint,
 * which `evaluate perturb` has left, is kept instead.
 */
export async function evaluatePerturbations(
  run: RunFolder,
  model: OpenedModel,
  count: number,
  say: (line: string) => void,
): Promise<PerturbResult> {
  const { seed } = model.experiment;
  const images = Math.min(count, model.imageNames.length);
  const repeats = Math.ceil(count / images);
  const path = join(run.evaluation, 'perturb.json');
  const earlier = (await readEvaluation(path)) as PerturbResult | undefined;
  if (earlier && isLarger(earlier.study, model.step, images * repeats)) {
    say(`${path} is kept: it holds more disturbances of the same checkpoint`);
    return earlier;
  }
  return writePerturbations(run, model, { ...DEFAULT_PERTURBATIONS, images, repeats, seed });
}
