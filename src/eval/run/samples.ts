/** A generator's random samples as a set of images, to be held against its training images. */

import type { ImageStack } from '../../metrics/signal/imageStack.ts';
import { withFields } from '../../render/drawableField.ts';
import { latentFields, latentsOf, type Model, sampleLatents } from '../../render/model.ts';
import { renderImages } from '../../render/render.ts';

const AT_ONCE = 32;

/** Draws 8-bit samples at the training size, some at a time. */
export async function drawSamples(
  model: Model,
  { seed, count }: { seed: number; count: number },
  onProgress: (done: number) => void = () => {},
): Promise<ImageStack> {
  const { width, height } = model.training;
  const { size } = latentsOf(model);
  const latents = await sampleLatents(model, { seed, count });
  const pixels = new Uint8Array(count * width * height * 3);
  for (let first = 0; first < count; first += AT_ONCE) {
    const last = Math.min(count, first + AT_ONCE);
    const fields = latentFields(model, latents.slice(first * size, last * size));
    const images = await withFields(fields, (field) => renderImages(field, model.training));
    images.forEach((image, i) => {
      pixels.set(image, (first + i) * image.length);
    });
    onProgress(last);
  }
  return { count, width, height, pixels };
}
