/**
 * FWD, the Fréchet wavelet distance (Veeramacheneni et al., ICLR 2025): the mean over the packets of a Haar wavelet
 * packet transform of the Fréchet distance between two sets' coefficients. Each packet is a frequency band, so nothing
 * learned is needed, and all frequencies count alike.
 *
 * Deviation: the paper always takes level 4, made for 256 pixels; here the level leaves packets of 4 to 7 coefficients
 * along the shorter side, which a thousand images suffice to estimate the covariance of.
 */

import { frechetDistance, gaussianOf, type Moments, mergeMoments, momentsOf, withoutMoments } from './frechet.ts';
import { meanOf } from './signal/bootstrap.ts';
import { balancedSplits } from './signal/halfSamples.ts';
import { channelsOf, type ImageStack, planeOf } from './signal/imageStack.ts';
import { type Estimate, jackknifeInterval } from './signal/jackknife.ts';

/** The level that leaves at least 4 coefficients along the shorter side; at least 1. */
export function packetLevel(width: number, height: number): number {
  return Math.max(1, Math.floor(Math.log2(Math.min(width, height) / 4)));
}

/** The part that is transformed: the centre, a whole number of packets along both axes. */
interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The centre of an image that packets of a level cover. @throws RangeError where not one fits. */
export function packetCrop(width: number, height: number, level: number): Crop {
  const whole = (length: number) => length - (length % 2 ** level);
  const [w, h] = [whole(width), whole(height)];
  if (w === 0 || h === 0) throw new RangeError(`no Haar packets of level ${level} in ${width}x${height}`);
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h };
}

/**
 * Orthonormal Haar packets of one plane, in place: after it, the coefficient of packet (a,b) at (i,j) stands at
 * row a·height/2^level + i, column b·width/2^level + j, packets in natural (Paley) order.
 */
export function haarPackets(plane: Float64Array, width: number, height: number, level: number): Float64Array {
  const half = new Float64Array(plane.length);
  for (let step = 0; step < level; step++) {
    const [w, h] = [width >> (step + 1), height >> (step + 1)];
    // Along rows, from the plane to the other buffer; along columns, row by row, and back.
    for (let first = 0; first < plane.length; first += 2 * w) {
      for (let i = 0, from = first; i < w; i++, from += 2) {
        const [a, b] = [plane[from], plane[from + 1]];
        half[first + i] = a + b;
        half[first + w + i] = a - b;
      }
    }
    for (let top = 0; top < height; top += 2 * h) {
      for (let i = 0; i < h; i++) {
        let [upper, lower] = [(top + 2 * i) * width, (top + 2 * i + 1) * width];
        let [sum, difference] = [(top + i) * width, (top + h + i) * width];
        for (const end = upper + width; upper < end; upper++, lower++, sum++, difference++) {
          plane[sum] = (half[upper] + half[lower]) / 2;
          plane[difference] = (half[upper] - half[lower]) / 2;
        }
      }
    }
  }
  return plane;
}

/** Coefficients of a stack by packet: 4^level arrays of [count, channels·coefficients]. */
export function packetCoefficients(stack: ImageStack, level: number): Float32Array[] {
  const { count, width, height } = stack;
  const channels = channelsOf(stack);
  const crop = packetCrop(width, height, level);
  const side = 2 ** level;
  const [w, h] = [crop.width / side, crop.height / side];
  const coefficients = Array.from({ length: side * side }, () => new Float32Array(count * channels * w * h));
  const plane = new Float64Array(width * height);
  const part = new Float64Array(crop.width * crop.height);
  for (let image = 0; image < count; image++) {
    for (let channel = 0; channel < channels; channel++) {
      planeOf(stack, image, channel, plane);
      for (let y = 0; y < crop.height; y++) {
        const from = (crop.top + y) * width + crop.left;
        part.set(plane.subarray(from, from + crop.width), y * crop.width);
      }
      haarPackets(part, crop.width, crop.height, level);
      for (let y = 0; y < crop.height; y++) {
        const row = Math.floor(y / h) * side;
        const to = ((image * channels + channel) * h + (y % h)) * w;
        for (let packet = 0, from = y * crop.width; packet < side; packet++) {
          const target = coefficients[row + packet];
          for (let i = 0; i < w; i++, from++) target[to + i] = part[from];
        }
      }
    }
  }
  return coefficients;
}

/** Images whose coefficients are held at once. */
const CHUNK = 256;

/** Moments of each packet of a stack. */
export function packetMoments(stack: ImageStack, level: number): Moments[] {
  return splitStack(stack, Math.ceil(stack.count / CHUNK))
    .map((part) => packetCoefficients(part, level).map((rows) => momentsOf(rows, rows.length / part.count)))
    .reduce(mergePackets);
}

/** Moments of consecutive parts of a stack, the first ones an image larger where need be: [folds][packets]. */
export function packetFolds(stack: ImageStack, level: number, folds: number): Moments[][] {
  return splitStack(stack, folds).map((part) => packetMoments(part, level));
}

function splitStack(stack: ImageStack, number: number): ImageStack[] {
  const values = stack.width * stack.height * channelsOf(stack);
  return Array.from({ length: number }, (_, part) => {
    const [first, last] = [part, part + 1].map(
      (i) => i * Math.floor(stack.count / number) + Math.min(i, stack.count % number),
    );
    return { ...stack, count: last - first, pixels: stack.pixels.subarray(first * values, last * values) };
  });
}

/** Moments of two sets together, packet by packet. */
export function mergePackets(a: readonly Moments[], b: readonly Moments[]): Moments[] {
  return a.map((moments, packet) => mergeMoments(moments, b[packet]));
}

/** Mean of the packets' Fréchet distances. */
export function frechetWaveletDistance(a: readonly Moments[], b: readonly Moments[]): number {
  const distance = (packet: number) => frechetDistance(gaussianOf(a[packet]), gaussianOf(b[packet]));
  return a.reduce((sum, _, packet) => sum + distance(packet), 0) / a.length;
}

/**
 * What halves of one set are apart on average: over splits of pairs of folds, which halve the set to within one image.
 *
 * @param folds from `packetFolds`, an even number, at most 14.
 */
export function waveletFloor(folds: readonly Moments[][]): { value: number; splits: number } {
  const splits = balancedSplits(folds.length / 2);
  const distances = splits.map((changed) => {
    const half = (side: 0 | 1) =>
      changed.map((change, pair) => folds[2 * pair + (change ? 1 - side : side)]).reduce(mergePackets);
    return frechetWaveletDistance(half(0), half(1));
  });
  return { value: meanOf(distances), splits: splits.length };
}

/**
 * The distance between what two sets were drawn from, with its 95 % interval, by the jackknife over folds of random images:
 * each fold is left out of both sets at once. A Fréchet distance of N images lies too high by about c/N; leaving images out
 * shows c, which is taken off (Quenouille 1956; Efron & Tibshirani 1993, §10.5 and ch. 11; resampling would add the bias
 * once more instead). Neither is below 0; both may lie below the distance of the sets themselves.
 *
 * @param a, b from `packetFolds`, as many folds of each.
 */
export function debiasedWaveletDistance(a: readonly Moments[][], b: readonly Moments[][]): Estimate {
  const folds = a.length;
  const [allOfA, allOfB] = [a, b].map((set) => set.reduce(mergePackets));
  const value = frechetWaveletDistance(allOfA, allOfB);
  const without = (all: Moments[], fold: Moments[]) => all.map((whole, packet) => withoutMoments(whole, fold[packet]));
  const leftOut = a.map((fold, f) => frechetWaveletDistance(without(allOfA, fold), without(allOfB, b[f])));
  const bias = (folds - 1) * (meanOf(leftOut) - value);
  const debias = (number: number) => Math.max(0, number - bias);
  const [low, high] = jackknifeInterval(value, leftOut);
  return { value: debias(value), interval: [debias(low), debias(high)] };
}
