/**
 * Whether a model's drawings of one image at two sizes agree: the drawing at K times the training size, averaged over
 * K×K pixels, against the drawing at the training size. A field that wiggles between the training pixels, where nobody
 * taught it anything, scores low; no ground truth is needed, and none can be wrong.
 */

import { declare, describeFound } from '../../metrics/findings.ts';
import type { Numbers } from '../../metrics/metric.ts';
import { meanSquaredError, psnrOfMse } from '../../metrics/psnr.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import { meanInterval, meanOf } from '../../metrics/signal/bootstrap.ts';
import { Random } from '../../random.ts';
import { withFields } from '../../render/drawableField.ts';
import { imageFields, type Model } from '../../render/model.ts';
import { renderImagesFloat } from '../../render/render.ts';

/** What is measured of drawings at two sizes, by key. */
export const SCALE_NUMBERS: Numbers = {
  scale_consistency: {
    label: 'Scale consistency',
    unit: 'dB',
    better: 'high',
    reads: 'PSNR of the 4× drawing, reduced, against the 1× drawing',
  },
};

const SCALE = 4;

/** Means over K×K blocks of an image [K·height, K·width, 3]. */
export function boxReduce(image: Float32Array, width: number, height: number, factor: number): Float32Array {
  const reduced = new Float32Array(width * height * 3);
  for (let at = 0; at < image.length; at++) {
    const [channel, pixel] = [at % 3, Math.floor(at / 3)];
    const x = Math.floor((pixel % (width * factor)) / factor);
    const y = Math.floor(pixel / (width * factor * factor));
    reduced[(y * width + x) * 3 + channel] += image[at] / factor ** 2;
  }
  return reduced;
}

/** PSNR between the two, floats that are not quantised, of some of the model's training images. */
export async function evaluateScaleConsistency(
  model: Model,
  images: readonly number[],
  seed = 0,
): Promise<EvaluationResult> {
  const { width, height } = model.training;
  const psnrs: number[] = [];
  for (const image of images) {
    await withFields(imageFields(model, [image]), async (field) => {
      const [[small], [large]] = [
        await renderImagesFloat(field, model.training),
        await renderImagesFloat(field, { ...model.training, width: SCALE * width, height: SCALE * height }),
      ];
      psnrs.push(psnrOfMse(meanSquaredError(boxReduce(large, width, height, SCALE), small)));
    });
  }
  const found = {
    key: 'scale_consistency',
    protocol: `x${SCALE}_n${psnrs.length}_psnr_db`,
    value: meanOf(psnrs),
    interval: meanInterval(psnrs, new Random(seed, 'scaleConsistency')),
  };
  const [finding] = describeFound([found], declare('scale_consistency', SCALE_NUMBERS), '');
  const { name, value, interval } = finding;
  return {
    protocol:
      `${psnrs.length} training images drawn at ${SCALE * width}x${SCALE * height}, averaged over ${SCALE}x${SCALE} ` +
      `pixels, against drawn at ${width}x${height}; floats, encoded values, PSNR per image, mean over images`,
    metrics: { [name]: value },
    intervals: interval ? { [name]: interval } : {},
    findings: [finding],
  };
}
