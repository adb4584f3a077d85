/** How well a model draws its training images, at the training size and beyond it, per frequency. */
import { PairedImages } from '../../metrics/pairedImages.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import type { Model } from '../../render/model.ts';
import { type Reference, reconstructions, toUnitRange } from '../../render/reconstructions.ts';

/**
 * Paired per-frequency fidelity of the reconstructions, PSNR and SSIM, with intervals over images. Both sides are 8-bit images, as people save and see them.
 *
 * @param prefix of the metrics' names: `reconstruction` gives `reconstruction_psnr_db` and the like.
 */
export async function evaluateReconstruction(
  model: Model,
  reference: Reference,
  prefix: string,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<EvaluationResult> {
  const pairs = new PairedImages(reference.width, reference.height);
  let position = 0;
  for await (const drawn of reconstructions(model, reference)) {
    pairs.add(toUnitRange(reference.pixels(position)), toUnitRange(drawn));
    onProgress(++position, reference.images.length);
  }
  return pairs.evaluation(prefix, 'both sides 8-bit');
}
