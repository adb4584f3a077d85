/**
 * Structural similarity of images in [0,1].
 *
 * SSIM: Wang et al. 2004, "Image quality assessment", eq. 13, with their Gaussian window (σ = 1.5, 11×11), K₁ = 0.01,
 * K₂ = 0.03, wherever the window fits. MS-SSIM: Wang, Simoncelli & Bovik 2003, eq. 7, with their weights.
 * Deviations: channels are measured alone and averaged (they measure luma); images too small for five scales take as
 * many as fit, the weights scaled to sum to 1; a negative contrast–structure term, which has no real power, counts as 0.
 */
import { channelsOf, type ImageStack, planeOf } from './signal/imageStack.ts';

const WINDOW = 11;
const SIGMA = 1.5;
const [C1, C2] = [0.01 ** 2, 0.03 ** 2];
const SCALE_WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

interface Plane {
  width: number;
  height: number;
  values: Float64Array;
}

const taps = (() => {
  const raw = Float64Array.from({ length: WINDOW }, (_, i) =>
    Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * SIGMA ** 2)),
  );
  const total = raw.reduce((sum, tap) => sum + tap, 0);
  return raw.map((tap) => tap / total);
})();

/** Scales of MS-SSIM that the window fits into; 0 where not even SSIM can be computed. */
export function similarityScales(width: number, height: number): number {
  let [scales, side] = [0, Math.min(width, height)];
  for (; side >= WINDOW && scales < SCALE_WEIGHTS.length; side >>= 1) scales++;
  return scales;
}

/** SSIM of an image of one stack and one of another of the same size, mean over channels. */
export function ssim(a: ImageStack, imageA: number, b: ImageStack, imageB: number): number {
  return meanOverChannels(a, imageA, b, imageB, (x, y) => compare(x, y).similarity);
}

/** MS-SSIM, likewise, at as many scales as fit. */
export function multiScaleSsim(a: ImageStack, imageA: number, b: ImageStack, imageB: number): number {
  const scales = similarityScales(a.width, a.height);
  const weights = SCALE_WEIGHTS.slice(0, scales);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return meanOverChannels(a, imageA, b, imageB, (x, y) => {
    let product = 1;
    let [p, q] = [x, y];
    weights.forEach((weight, scale) => {
      const { similarity, contrastStructure } = compare(p, q);
      const term = scale === scales - 1 ? similarity : contrastStructure;
      product *= Math.max(0, term) ** (weight / total);
      if (scale < scales - 1) [p, q] = [halve(p), halve(q)];
    });
    return product;
  });
}

function meanOverChannels(
  a: ImageStack,
  imageA: number,
  b: ImageStack,
  imageB: number,
  measure: (x: Plane, y: Plane) => number,
): number {
  const { width, height } = a;
  if (width !== b.width || height !== b.height || channelsOf(a) !== channelsOf(b)) {
    throw new RangeError(`can't compare images of ${width}x${height} with ${b.width}x${b.height}`);
  }
  if (similarityScales(width, height) === 0) {
    throw new RangeError(`SSIM's window of ${WINDOW} pixels does not fit into ${width}x${height}`);
  }
  let sum = 0;
  for (let channel = 0; channel < channelsOf(a); channel++) {
    const [x, y] = [planeOf(a, imageA, channel), planeOf(b, imageB, channel)];
    sum += measure({ width, height, values: x }, { width, height, values: y });
  }
  return sum / channelsOf(a);
}

/** Means over all places of the window of SSIM and of its contrast–structure part. */
function compare(x: Plane, y: Plane): { similarity: number; contrastStructure: number } {
  const product = (p: Plane, q: Plane) => filter({ ...p, values: p.values.map((value, i) => value * q.values[i]) });
  const [mx, my, xx, yy, xy] = [filter(x), filter(y), product(x, x), product(y, y), product(x, y)];
  let [similarity, contrastStructure] = [0, 0];
  for (let i = 0; i < mx.length; i++) {
    const [mxx, myy, mxy] = [mx[i] * mx[i], my[i] * my[i], mx[i] * my[i]];
    const structure = (2 * (xy[i] - mxy) + C2) / (xx[i] - mxx + yy[i] - myy + C2);
    contrastStructure += structure;
    similarity += (structure * (2 * mxy + C1)) / (mxx + myy + C1);
  }
  return { similarity: similarity / mx.length, contrastStructure: contrastStructure / mx.length };
}

/** Gaussian-weighted means, where the window fits: [H−10, W−10]. */
function filter({ width, height, values }: Plane): Float64Array {
  const [w, h] = [width - WINDOW + 1, height - WINDOW + 1];
  const rows = new Float64Array(w * height);
  for (let y = 0; y < height; y++) {
    for (let t = 0; t < WINDOW; t++) {
      const tap = taps[t];
      for (let x = 0, from = y * width + t, to = y * w; x < w; x++) rows[to + x] += tap * values[from + x];
    }
  }
  const means = new Float64Array(w * h);
  for (let t = 0; t < WINDOW; t++) {
    const tap = taps[t];
    for (let i = 0, from = t * w; i < means.length; i++) means[i] += tap * rows[from + i];
  }
  return means;
}

/** Means of 2×2 blocks; an odd last row or column is left out. */
function halve({ width, height, values }: Plane): Plane {
  const [w, h] = [width >> 1, height >> 1];
  const half = new Float64Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const at = 2 * y * width + 2 * x;
      half[y * w + x] = (values[at] + values[at + 1] + values[at + width] + values[at + width + 1]) / 4;
    }
  }
  return { width: w, height: h, values: half };
}
