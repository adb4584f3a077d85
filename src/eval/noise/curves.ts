/** Noise sensitivity in the image: quality over training, and the answer to a single noisy pixel. */

export interface PsnrCurve {
  /** The highest value: what an oracle, who knows the clean image, would have stopped at. */
  peakDb: number;
  peakStep: number;
  finalDb: number;
  /** Peak minus final: how much is lost by training on. */
  dropDb: number;
}

/** Peak, final value and drop of a PSNR over training. */
export function summarizePsnrCurve(steps: ArrayLike<number>, psnrs: ArrayLike<number>): PsnrCurve {
  if (psnrs.length === 0 || psnrs.length !== steps.length) {
    throw new RangeError(`${steps.length} steps for ${psnrs.length} values`);
  }
  let peak = 0;
  for (let i = 1; i < psnrs.length; i++) if (psnrs[i] > psnrs[peak]) peak = i;
  const finalDb = psnrs[psnrs.length - 1];
  return { peakDb: psnrs[peak], peakStep: steps[peak], finalDb, dropDb: psnrs[peak] - finalDb };
}

export interface ImpulseResponse {
  /** Response at the disturbed pixel over the disturbance: 1 copies it, 0 ignores it. H_ii where the fit is linear. */
  peak: number;
  /** Σ(response/a)²: mean over pixels of G where the fit is linear and circulant. */
  energy: number;
  /** √(Σ r²·response² / Σ response²), in pixels: how far it spreads. NaN without a response. */
  rmsRadiusPixels: number;
}

/**
 * The answer to y = s + aδ_i: difference of two fits, with and without.
 *
 * @param difference [H,W,channels], every channel disturbed alike.
 * @param at the disturbed pixel.
 * @param amplitude a.
 */
export function impulseResponse(
  difference: ArrayLike<number>,
  { width, height, channels }: { width: number; height: number; channels: number },
  at: { x: number; y: number },
  amplitude: number,
): ImpulseResponse {
  let [peak, energy, moment] = [0, 0, 0];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < channels; channel++, i++) {
        const response = difference[i] / amplitude;
        if (x === at.x && y === at.y) peak += response / channels;
        energy += response ** 2 / channels;
        moment += (response ** 2 / channels) * ((x - at.x) ** 2 + (y - at.y) ** 2);
      }
    }
  }
  return { peak, energy, rmsRadiusPixels: Math.sqrt(moment / energy) };
}
