/** Evaluations in TensorBoard. */

import type { EvaluationResult } from '../../metrics/result.ts';
import type { RgbImage } from '../../render/contactSheet.ts';
import { pngOf } from '../../render/png.ts';
import { EventWriter } from '../../run/tensorboard/eventWriter.ts';

/**
 * Writes all finite metrics as `evaluation/NAME` at a checkpoint's step, into a new event file in `folder`: `eval`, or
 * `eval/EVALUATION` of what is measured apart.
 *
 * TensorBoard shows each folder as a run of its own, such as `NAME/eval`. It is one of its own because a new event file
 * hides what earlier files of the same folder hold of this step and later ones. Among evaluations that is wanted: as in
 * the JSON files, only the last one of a step is left.
 */
export async function logEvaluation(
  folder: string,
  step: number,
  results: readonly EvaluationResult[],
  images: Readonly<Record<string, RgbImage>> = {},
): Promise<void> {
  const pngs = await Promise.all(
    Object.entries(images).map(async ([name, image]) => ({ ...image, name, png: await pngOf(image) })),
  );
  const events = await EventWriter.open(folder, { startStep: step - 1 });
  const finite = results.flatMap(({ metrics }) =>
    Object.entries(metrics).filter(([, value]) => Number.isFinite(value)),
  );
  events.scalars(Object.fromEntries(finite.map(([name, value]) => [`evaluation/${name}`, value])), step);
  for (const { name, png, width, height } of pngs) events.image(`evaluation/${name}`, png, width, height, step);
  events.close();
}
