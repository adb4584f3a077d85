/** How well a model draws its training images, at the training size and beyond it, per frequency. */

import { fullView } from '../../grid.ts';
import { PairedImages } from '../../metrics/pairedImages.ts';
import { type BandFidelity, PairedSpectrum } from '../../metrics/pairedSpectrum.ts';
import { meanSquaredError, psnrOfMse, summarizePsnr } from '../../metrics/psnr.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import { octavePartition } from '../../metrics/signal/bands.ts';
import { withFields } from '../../render/drawableField.ts';
import { imageFields, type Model } from '../../render/model.ts';
import type { Reference } from '../../render/references.ts';
import { renderImages } from '../../render/render.ts';

/** Images drawn in one go; bounds memory at large sizes. */
const PIXELS_AT_ONCE = 2 ** 20;

/** Draws the reference's images, one after the other. */
export async function* reconstructions(model: Model, reference: Reference): AsyncGenerator<Uint8Array> {
  const { width, height, images } = reference;
  const batch = Math.max(1, Math.min(32, Math.floor(PIXELS_AT_ONCE / (width * height))));
  for (let first = 0; first < images.length; first += batch) {
    const fields = imageFields(model, images.slice(first, first + batch));
    yield* await withFields(fields, (field) => renderImages(field, fullView(width, height)));
  }
}

/** PSNR of each image's 8-bit reconstruction, in dB. */
export async function reconstructionPsnrs(model: Model, reference: Reference): Promise<number[]> {
  const psnrs: number[] = [];
  for await (const drawn of reconstructions(model, reference)) {
    psnrs.push(psnrOfMse(meanSquaredError(unit(reference.pixels(psnrs.length)), unit(drawn))));
  }
  return psnrs;
}

/** Mean PSNR of the 8-bit reconstructions, in dB, and their fidelity per octave: cheap enough to follow training by. */
export async function monitorReconstruction(
  model: Model,
  reference: Reference,
): Promise<{ psnr: number; bands: BandFidelity[] }> {
  const { width, height } = reference;
  const spectrum = new PairedSpectrum(width, height);
  let position = 0;
  for await (const drawn of reconstructions(model, reference)) {
    spectrum.add(unit(reference.pixels(position++)), unit(drawn));
  }
  const psnr = summarizePsnr(spectrum.mses).meanPsnrDb;
  return { psnr, bands: spectrum.fidelity(octavePartition(width, height)) };
}

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
    pairs.add(unit(reference.pixels(position)), unit(drawn));
    onProgress(++position, reference.images.length);
  }
  return pairs.evaluation(prefix, 'both sides 8-bit');
}

/** uint8 to [0,1]. */
export function unit(pixels: Uint8Array): Float32Array {
  return Float32Array.from(pixels, (value) => value / 255);
}
