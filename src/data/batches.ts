/** Which images and pixels a training step sees: pure functions of (seed, step), so that a resumed run sees the same. */
import { Random } from '../random.ts';
import type { ImageSet } from './imageSet.ts';

/** A random permutation of 0…count−1 for one pass over the images. */
export function epochOrder(seed: number, epoch: number, count: number): Int32Array {
  return new Random(seed, 'imageOrder', epoch).sample(count, count);
}

/** The order used last: consecutive steps share it, and a permutation costs time in proportion to the whole set. */
let lastOrder: { key: string; order: Int32Array } = { key: '', order: new Int32Array(0) };

function orderOfEpoch(seed: number, epoch: number, count: number): Int32Array {
  const key = `${seed}/${epoch}/${count}`;
  if (lastOrder.key !== key) lastOrder = { key, order: epochOrder(seed, epoch, count) };
  return lastOrder.order;
}

/**
 * The images of step 0, 1, …: each epoch's permutation cut into whole batches. A remainder shorter than a batch is
 * left out of that epoch (other images each time), so no batch holds an image twice. With fewer images than
 * `batch`, repeats can't be avoided: whole permutations follow each other, and counts differ by at most one
 * within a batch that starts an epoch.
 */
export function batchIndices(seed: number, step: number, batch: number, count: number): Int32Array {
  if (batch > count) {
    return Int32Array.from({ length: batch }, (_, i) => {
      const position = step * batch + i;
      return orderOfEpoch(seed, Math.floor(position / count), count)[position % count];
    });
  }
  const batchesPerEpoch = Math.floor(count / batch);
  const start = (step % batchesPerEpoch) * batch;
  return orderOfEpoch(seed, Math.floor(step / batchesPerEpoch), count).slice(start, start + batch);
}

/** 0…total−1 whenever no call is in progress. */
let pool = new Int32Array(0);

/**
 * `points` distinct pixels of `total` (row by row: y·width + x) for a step, in random order; all of them, in order,
 * when there are no more. Equals Random.sample(total, points), in time and memory proportional to `points`:
 * the shuffle of the shared pool is undone instead of making a pool for each step.
 */
export function pointIndices(seed: number, step: number, points: number, total: number): Int32Array {
  if (points >= total) return Int32Array.from({ length: total }, (_, i) => i);
  if (pool.length < total) pool = Int32Array.from({ length: total }, (_, i) => i);
  const random = new Random(seed, 'points', step);
  const swaps = new Int32Array(points);
  for (let i = 0; i < points; i++) {
    const j = i + random.integer(total - i);
    swaps[i] = j;
    [pool[i], pool[j]] = [pool[j], pool[i]];
  }
  const chosen = pool.slice(0, points);
  for (let i = points - 1; i >= 0; i--) {
    const j = swaps[i];
    [pool[i], pool[j]] = [pool[j], pool[i]];
  }
  return chosen;
}

const TO_UNIT = Float32Array.from({ length: 256 }, (_, value) => value / 255);

function checkIndices(indices: Int32Array, count: number, what: string): void {
  const bad = indices.find((index) => index < 0 || index >= count);
  if (bad !== undefined) throw new RangeError(`no ${what} ${bad}: there are ${count}`);
}

/** Colours of the given pixels of the given images, sRGB-encoded in [0,1]. // [B,P,3] */
export function gatherTargets(
  set: Pick<ImageSet, 'count' | 'width' | 'height' | 'pixels'>,
  images: Int32Array,
  points: Int32Array,
): Float32Array {
  const pixelCount = set.width * set.height;
  checkIndices(images, set.count, 'image');
  checkIndices(points, pixelCount, 'pixel');
  const targets = new Float32Array(images.length * points.length * 3); // [B,P,3]
  const isWhole = points.length === pixelCount && points.every((point, i) => point === i);
  let at = 0;
  for (const image of images) {
    const start = image * pixelCount * 3;
    if (isWhole) {
      for (let i = start; i < start + pixelCount * 3; i++) targets[at++] = TO_UNIT[set.pixels[i]];
      continue;
    }
    for (const point of points) {
      const from = start + point * 3;
      targets[at++] = TO_UNIT[set.pixels[from]];
      targets[at++] = TO_UNIT[set.pixels[from + 1]];
      targets[at++] = TO_UNIT[set.pixels[from + 2]];
    }
  }
  return targets;
}
