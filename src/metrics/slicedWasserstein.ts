/**
 * SWD, the sliced Wasserstein distance of local patches per level of the Laplacian pyramid (Karras et al. 2018,
 * "Progressive growing of GANs", §5; Rabin et al. 2011). Own implementation, from the paper.
 *
 * 7×7 patches, at most 128 an image and level; each set standardised per level and channel, by itself; projected on
 * random directions, sorted, and compared: 10³ times the mean absolute difference. Standardising each set by itself makes
 * it blind to a wrong gain of a whole band: spectra see that, SWD sees shapes.
 */

import type { Random } from '../random.ts';
import { meanOf } from './signal/bootstrap.ts';
import { balancedSplits, MOST_PAIRS } from './signal/halfSamples.ts';
import { channelsOf, type ImageStack, planeOf } from './signal/imageStack.ts';
import { type Estimate, studentQuantile } from './signal/jackknife.ts';
import { laplacianPyramid, type PyramidLevel } from './signal/laplacianPyramid.ts';

const PATCH = 7;
const PATCHES_PER_IMAGE = 128;
/** Patches per set and level. The paper has 2²⁰; the floor shows what fewer cost. */
export const PATCHES = 8192;
/** The paper has 512. */
const DIRECTIONS = 256;
/** Variance over mean² + 1 that is what rounding leaves of a flat channel of values in [0,1]. */
const ROUNDING_VARIANCE = 1e-20;
const SMALLEST_LEVEL = 16;

/** Patches of one level, in random order of images. */
export interface LevelPatches {
  width: number;
  height: number;
  channels: number;
  images: number;
  /** [images, patches an image, channels, 49]. */
  patches: Float64Array;
}

/** Whether the smallest level can hold a patch. */
export function hasPatches(width: number, height: number): boolean {
  return Math.min(width, height) >= PATCH;
}

/**
 * Draws the patches of each pyramid level of a stack, finest level first. Given the same draws, another stack has its
 * patches cut at the same places; where there are as many images, from the same ones.
 *
 * @param draws stream 0 is of images, stream 1 + i of the places in the i-th of them.
 */
export function pyramidPatches(stack: ImageStack, draws: (stream: number) => Random, total = PATCHES): LevelPatches[] {
  const { count, width, height } = stack;
  const channels = channelsOf(stack);
  const perImage = Math.max(1, Math.min(PATCHES_PER_IMAGE, Math.floor(total / count)));
  const images = draws(0).sample(count, Math.min(count, Math.ceil(total / perImage)));
  const size = channels * PATCH * PATCH;
  const levels: LevelPatches[] = [];
  images.forEach((image, position) => {
    const pyramids = Array.from({ length: channels }, (_, channel) =>
      laplacianPyramid({ width, height, values: planeOf(stack, image, channel) }, SMALLEST_LEVEL),
    );
    const places = draws(1 + position);
    // Patch by patch, so that places are shared however many there are in an image.
    for (let patch = 0; patch < perImage; patch++) {
      pyramids[0].forEach(({ width: w, height: h }, l) => {
        const patches = levels[l]?.patches ?? new Float64Array(images.length * perImage * size);
        levels[l] ??= { width: w, height: h, channels, images: images.length, patches };
        const [left, top] = [places.integer(w - PATCH + 1), places.integer(h - PATCH + 1)];
        const to = (position * perImage + patch) * size;
        pyramids.forEach((pyramid, channel) => {
          copyPatch(pyramid[l], left, top, patches, to + channel * PATCH * PATCH);
        });
      });
    }
  });
  return levels;
}

function copyPatch({ width, values }: PyramidLevel, left: number, top: number, to: Float64Array, at: number): void {
  for (let y = 0; y < PATCH; y++) {
    const from = (top + y) * width + left;
    to.set(values.subarray(from, from + PATCH), at + y * PATCH);
  }
}

export interface SlicedDistance {
  /** 10³ times the mean, over random directions, of the 1-Wasserstein distance of the projections. */
  value: number;
  /**
   * The distance between each group of images of one set and the group of the other in the same place; groups make up
   * the sets.
   */
  groups: Float64Array;
}

/**
 * The distance of two sets at one pyramid level.
 *
 * @param random where directions come from.
 * @param groups at most as many as there are images; 0 for none.
 */
export function slicedWasserstein(
  a: LevelPatches,
  b: LevelPatches,
  random: Random,
  groups = 0,
  directions = DIRECTIONS,
): SlicedDistance {
  const { channels } = a;
  const parts = [a, b].map((set) => [wholeOf(set), ...groupsOf(set, groups)]);
  const totals = new Float64Array(1 + groups);
  for (let direction = 0; direction < directions; direction++) {
    const unit = Float64Array.from({ length: channels * PATCH * PATCH }, () => random.normal());
    const length = Math.sqrt(unit.reduce((sum, value) => sum + value * value, 0));
    const [p, q] = [a, b].map(({ patches }) => project(patches, unit, channels));
    totals.forEach((_, part) => {
      const [sortedP, sortedQ] = [standardise(p, parts[0][part], unit), standardise(q, parts[1][part], unit)];
      totals[part] += (1000 * sortedDistance(sortedP.sort(), sortedQ.sort())) / (length * directions);
    });
  }
  return { value: totals[0], groups: totals.subarray(1) };
}

/**
 * What halves of a set are apart on average, per level: over balanced splits of pairs of images that were cut at the same
 * places. Each split has its share of the directions, so that all take as long as one.
 *
 * @param levels from `pyramidPatches`, of 4 images or more.
 * @param directions a new generator for each level.
 */
export function slicedFloor(
  levels: readonly LevelPatches[],
  directions: () => Random,
): { values: number[]; splits: number } {
  const pairs = levels[0].images >> 1;
  const splits = balancedSplits(Math.min(MOST_PAIRS, pairs));
  const values = levels.map((level) => {
    const random = directions();
    const distances = splits.map((changed) => {
      const half = (side: 0 | 1) =>
        patchesOfImages(
          level,
          Array.from({ length: pairs }, (_, pair) => 2 * pair + (changed[pair % changed.length] ? 1 - side : side)),
        );
      return slicedWasserstein(half(0), half(1), random, 0, DIRECTIONS / splits.length).value;
    });
    return meanOf(distances);
  });
  return { values, splits: splits.length };
}

function patchesOfImages(level: LevelPatches, images: readonly number[]): LevelPatches {
  const size = level.patches.length / level.images;
  const patches = new Float64Array(images.length * size);
  images.forEach((image, i) => {
    patches.set(level.patches.subarray(image * size, (image + 1) * size), i * size);
  });
  return { ...level, images: images.length, patches };
}

/**
 * The distance between what the sets were drawn from, with its 95 % interval, by random groups (Wolter 2007, "Introduction
 * to Variance Estimation", ch. 2): the spread of the groups' distances over √G is the standard error of the whole's.
 *
 * Distances d_N of finite sets lie too high: by c/√N between equal distributions, by c/N between others. Either way
 * d_N² ≈ d² + b/N, of which groups of N/G images show b: d² = d_N² − (d̄_G² − d_N²)/(G−1). The interval's lower end
 * takes off what equal distributions would have, so that it is lower than it need be for others. Never percentiles of
 * resamples: these would lie higher still.
 */
export function debiasedSlicedDistance({ value, groups }: SlicedDistance): Estimate {
  const root = Math.sqrt(groups.length);
  const mean = meanOf(groups);
  const variance = groups.reduce((sum, group) => sum + (group - mean) ** 2, 0) / (groups.length - 1);
  const margin = (studentQuantile(groups.length - 1) * Math.sqrt(variance)) / root;
  const excess = Math.max(0, (mean - value) / (root - 1));
  // The excess is a difference of two estimates, each with this error.
  const lowerMargin = (margin * Math.sqrt(groups.length + 1)) / (root - 1);
  const added = Math.max(0, (mean ** 2 - value ** 2) / (groups.length - 1));
  return {
    // Between value − excess and value, so within the interval.
    value: Math.sqrt(Math.max(0, value ** 2 - added)),
    interval: [Math.max(0, value - excess - lowerMargin), value + margin],
  };
}

/** A range of patches, with what brings each channel to zero mean and unit variance; a flat channel becomes 0. */
interface Group {
  first: number;
  last: number;
  means: Float64Array;
  scales: Float64Array;
}

function wholeOf(level: LevelPatches): Group {
  return groupsOf(level, 1)[0];
}

function groupsOf({ patches, channels, images }: LevelPatches, groups: number): Group[] {
  const block = PATCH * PATCH;
  const size = channels * block;
  const perImage = patches.length / size / images;
  return Array.from({ length: groups }, (_, group) => {
    const [first, last] = [group, group + 1].map((i) => Math.floor((i * images) / groups) * perImage);
    const [means, scales] = [new Float64Array(channels), new Float64Array(channels)];
    for (let channel = 0; channel < channels; channel++) {
      const sumOf = (value: (x: number) => number) => {
        let sum = 0;
        for (let patch = first; patch < last; patch++) {
          const from = patch * size + channel * block;
          for (let at = from; at < from + block; at++) sum += value(patches[at]);
        }
        return sum / ((last - first) * block);
      };
      const mean = sumOf((x) => x);
      const variance = sumOf((x) => (x - mean) ** 2);
      means[channel] = mean;
      scales[channel] = variance > ROUNDING_VARIANCE * (mean ** 2 + 1) ? 1 / Math.sqrt(variance) : 0;
    }
    return { first, last, means, scales };
  });
}

/** Each channel of each patch on its part of a direction, [patches, channels]. */
function project(patches: Float64Array, direction: Float64Array, channels: number): Float64Array {
  const block = PATCH * PATCH;
  const values = new Float64Array(patches.length / block);
  for (let i = 0; i < values.length; i++) {
    let [even, odd] = [0, 0];
    const [at, from] = [i * block, (i % channels) * block];
    for (let k = 0; k + 1 < block; k += 2) {
      even += patches[at + k] * direction[from + k];
      odd += patches[at + k + 1] * direction[from + k + 1];
    }
    values[i] = even + odd + patches[at + block - 1] * direction[from + block - 1];
  }
  return values;
}

/** Projections of a group's patches as if these had been standardised first, which is an affine map of each channel. */
function standardise(values: Float64Array, { first, last, means, scales }: Group, direction: Float64Array) {
  const channels = means.length;
  const offset = direction.reduce((sum, value, k) => {
    const channel = Math.floor(k / (PATCH * PATCH));
    return sum + value * means[channel] * scales[channel];
  }, 0);
  const result = new Float64Array(last - first).fill(-offset);
  for (let i = 0, at = first * channels; i < result.length; i++) {
    for (let channel = 0; channel < channels; channel++, at++) result[i] += values[at] * scales[channel];
  }
  return result;
}

/** ∫|F_p⁻¹ − F_q⁻¹|: the mean absolute difference of the sorted values, where there are as many. */
function sortedDistance(p: Float64Array, q: Float64Array): number {
  let [sum, i, j, from] = [0, 0, 0, 0];
  while (i < p.length && j < q.length) {
    const to = Math.min((i + 1) / p.length, (j + 1) / q.length);
    sum += (to - from) * Math.abs(p[i] - q[j]);
    from = to;
    // Compared in integers, so that both advance together where their steps coincide.
    const [nextP, nextQ] = [(i + 1) * q.length, (j + 1) * p.length];
    if (nextP <= nextQ) i++;
    if (nextQ <= nextP) j++;
  }
  return sum;
}
