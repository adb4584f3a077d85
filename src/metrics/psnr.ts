/**
 * Mean squared error and peak signal-to-noise ratio, of sRGB-encoded values in [0,1] (peak 1). Values are taken as
 * they are: to measure 8-bit images, give 8-bit values divided by 255 on both sides.
 */

/** Mean of the squared differences over all values. NaN where a value is. */
export function meanSquaredError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || a.length === 0)
    throw new RangeError(`can't compare ${a.length} values with ${b.length}`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum / a.length;
}

/** −10·log₁₀ MSE, in dB, for a peak of 1. Infinity for identical images. */
export function psnrOfMse(mse: number): number {
  return -10 * Math.log10(mse);
}

export interface PsnrSummary {
  /** Mean over images of each image's PSNR: what papers report. Infinity as soon as one image is identical. */
  meanPsnrDb: number;
  /** PSNR of the mean MSE: never above the former, and finite unless all images are identical. */
  psnrOfMeanMseDb: number;
  meanMse: number;
}

/** Summarises the MSEs of images. */
export function summarizePsnr(mses: readonly number[]): PsnrSummary {
  if (mses.length === 0) throw new RangeError('no images to summarise');
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanMse = mean(mses);
  return { meanPsnrDb: mean(mses.map(psnrOfMse)), psnrOfMeanMseDb: psnrOfMse(meanMse), meanMse };
}
