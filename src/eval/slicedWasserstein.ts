/**
 * SWD, the sliced Wasserstein distance of local patches per level of the Laplacian pyramid (Karras et al. 2018,
 * "Progressive growing of GANs", §5; Rabin et al. 2011). Own implementation, from the paper.
 *
 * 7×7 patches, at most 128 an image and level; each set standardised per level and channel, by itself; projected on
 * random directions, sorted, and compared: 10³ times the mean absolute difference. Standardising each set by itself makes
 * it blind to a wrong gain of a whole band: spectra see that, SWD sees shapes.
 */
import type { Random } from '../random.ts';
import { channelsOf, type ImageStack, planeOf } from './imageStack.ts';
import { laplacianPyramid, type PyramidLevel } from './laplacianPyramid.ts';

const PATCH = 7;
const PATCHES_PER_IMAGE = 128;
/** Patches per set and level. The paper has 2²⁰; the floor shows what fewer cost. */
const PATCHES = 8192;
const DIRECTIONS = 512;
const SMALLEST_LEVEL = 16;

/** Patches of one level, [count, channels·49], standardised. */
export interface LevelPatches {
  width: number;
  height: number;
  patches: Float64Array;
}

/** Whether the smallest level can hold a patch. */
export function hasPatches(width: number, height: number): boolean {
  return Math.min(width, height) >= PATCH;
}

/** Draws the patches of each pyramid level of a stack, finest level first. */
export function pyramidPatches(stack: ImageStack, random: Random, total = PATCHES): LevelPatches[] {
  const { count, width, height } = stack;
  const channels = channelsOf(stack);
  const perImage = Math.max(1, Math.min(PATCHES_PER_IMAGE, Math.floor(total / count)));
  const images = random.sample(count, Math.min(count, Math.ceil(total / perImage)));
  const size = channels * PATCH * PATCH;
  const levels: LevelPatches[] = [];
  images.forEach((image, position) => {
    const pyramids = Array.from({ length: channels }, (_, channel) =>
      laplacianPyramid({ width, height, values: planeOf(stack, image, channel) }, SMALLEST_LEVEL),
    );
    pyramids[0].forEach(({ width: w, height: h }, l) => {
      levels[l] ??= { width: w, height: h, patches: new Float64Array(images.length * perImage * size) };
      for (let patch = 0; patch < perImage; patch++) {
        const [left, top] = [random.integer(w - PATCH + 1), random.integer(h - PATCH + 1)];
        const to = (position * perImage + patch) * size;
        pyramids.forEach((pyramid, channel) => {
          copyPatch(pyramid[l], left, top, levels[l].patches, to + channel * PATCH * PATCH);
        });
      }
    });
  });
  for (const { patches } of levels) standardise(patches, channels);
  return levels;
}

function copyPatch({ width, values }: PyramidLevel, left: number, top: number, to: Float64Array, at: number): void {
  for (let y = 0; y < PATCH; y++) {
    const from = (top + y) * width + left;
    to.set(values.subarray(from, from + PATCH), at + y * PATCH);
  }
}

/** To zero mean and unit variance per channel; a flat channel becomes 0. */
function standardise(patches: Float64Array, channels: number): void {
  const block = PATCH * PATCH;
  for (let channel = 0; channel < channels; channel++) {
    let [sum, squares, n] = [0, 0, 0];
    const each = (visit: (at: number) => void) => {
      for (let first = channel * block; first < patches.length; first += channels * block) {
        for (let at = first; at < first + block; at++) visit(at);
      }
    };
    each((at) => {
      sum += patches[at];
      n++;
    });
    const mean = sum / n;
    each((at) => {
      squares += (patches[at] - mean) ** 2;
    });
    const scale = squares > 0 ? 1 / Math.sqrt(squares / n) : 0;
    each((at) => {
      patches[at] = (patches[at] - mean) * scale;
    });
  }
}

/** 10³ times the mean, over random directions, of the 1-Wasserstein distance of the projections, for one level. */
export function slicedWasserstein(a: LevelPatches, b: LevelPatches, random: Random, channels: number): number {
  const size = channels * PATCH * PATCH;
  let total = 0;
  for (let direction = 0; direction < DIRECTIONS; direction++) {
    const unit = Float64Array.from({ length: size }, () => random.normal());
    const length = Math.sqrt(unit.reduce((sum, value) => sum + value * value, 0));
    const [p, q] = [a, b].map(({ patches }) => projections(patches, unit, length).sort());
    total += sortedDistance(p, q);
  }
  return (1000 * total) / DIRECTIONS;
}

function projections(patches: Float64Array, direction: Float64Array, length: number): Float64Array {
  const size = direction.length;
  const values = new Float64Array(patches.length / size);
  for (let i = 0; i < values.length; i++) {
    let [even, odd] = [0, 0];
    const at = i * size;
    for (let k = 0; k + 1 < size; k += 2) {
      even += patches[at + k] * direction[k];
      odd += patches[at + k + 1] * direction[k + 1];
    }
    if (size % 2 === 1) even += patches[at + size - 1] * direction[size - 1];
    values[i] = (even + odd) / length;
  }
  return values;
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
