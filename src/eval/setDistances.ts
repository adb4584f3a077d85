/** Distances of image sets that need two halves of the reference, a floor, and an interval: FWD and SWD. */
import type { Random } from '../random.ts';
import { type Interval, meanOf } from './bootstrap.ts';
import { channelsOf, type ImageStack, selectImages } from './imageStack.ts';
import { type Findings, leftOut, type Sets } from './setFindings.ts';
import {
  hasPatches,
  type LevelPatches,
  pyramidPatches,
  type SlicedDistance,
  slicedInterval,
  slicedWasserstein,
} from './slicedWasserstein.ts';
import {
  frechetWaveletDistance,
  mergePackets,
  packetFolds,
  packetLevel,
  packetMoments,
  waveletInterval,
} from './waveletPackets.ts';

/** Packets times the cube of their dimension: beyond it FWD's eigenvalues take minutes. */
const WAVELET_BUDGET = 5e9;
/** Numbers that the moments of all folds may be: half a gigabyte. */
const FOLD_BUDGET = 6e7;
const LEAST_FOLDS = 6;
/** Each takes as long as the distance itself; Student's t is then 2.2. */
const MOST_FOLDS = 12;

export function waveletFindings({ generated, reference, halves, random }: Sets): Findings {
  const { width, height } = generated;
  if (Math.min(width, height) < 2) return leftOut('fwd', 'images need at least 2 pixels along both axes');
  const level = packetLevel(width, height);
  const packets = 4 ** level;
  const dimension = Math.floor(width / 2 ** level) * Math.floor(height / 2 ** level) * channelsOf(generated);
  if (packets * dimension ** 3 > WAVELET_BUDGET) {
    return leftOut('fwd', `images of ${width}x${height} have too many wavelet packets; compare at a smaller --size`);
  }
  const name = `fwd_haar${level}_n${generated.count}`;
  const needed = 2 * dimension;
  const tooFew = [`fwd has no interval: its ${dimension} numbers a packet need ${needed} images a side`];
  if (!halves) {
    const [a, b] = [generated, reference].map((stack) => packetMoments(stack, level));
    return { metrics: { [name]: frechetWaveletDistance(a, b) }, notes: tooFew };
  }
  const floorName = `fwd_floor_haar${level}_n${halves[0].count}`;
  const images = Math.min(generated.count, 2 * halves[0].count);
  const affordable = Math.floor(FOLD_BUDGET / (packets * dimension * (dimension + 1)));
  // An even number: the halves are all of the reference, so that nothing is computed twice.
  const perHalf = Math.floor(Math.min(MOST_FOLDS, images, affordable) / 2);
  const isEnough = images >= needed && 2 * perHalf >= LEAST_FOLDS;
  const parts = halves.map((half) => packetFolds(half, level, isEnough ? perHalf : 1));
  const [first, second] = parts.map((folds) => folds.reduce(mergePackets));
  const own = isEnough
    ? packetFolds(shuffled(generated, random('fwd')), level, 2 * perHalf)
    : [packetMoments(generated, level)];
  return {
    metrics: {
      [name]: frechetWaveletDistance(own.reduce(mergePackets), mergePackets(first, second)),
      [floorName]: frechetWaveletDistance(first, second),
    },
    ...(isEnough
      ? { intervals: { [name]: waveletInterval(own, parts.flat()) } }
      : {
          notes:
            images < needed
              ? tooFew
              : [`fwd has no interval: images of ${width}x${height} would take too much memory; see --size`],
        }),
  };
}

function shuffled(stack: ImageStack, random: Random) {
  return selectImages(stack, random.sample(stack.count, stack.count));
}

/** Images that a group of patches comes from, at least. */
const GROUP_IMAGES = 5;
const LEAST_GROUPS = 4;
const MOST_GROUPS = 20;

export function slicedFindings({ generated, reference, halves, random }: Sets): Findings {
  if (!hasPatches(generated.width, generated.height)) return leftOut('swd', 'its 7×7 patches do not fit the images');
  // Both sets are cut at the same places, and so are the halves: one set twice is at distance 0, and what differs is
  // what the images show, not where they were looked at.
  const patchesOf = (stack: ImageStack) => pyramidPatches(stack, (stream) => random('swd', 1 + stream));
  const [own, other] = [generated, reference].map(patchesOf);
  const images = Math.min(own[0].images, other[0].images);
  const groups = Math.min(MOST_GROUPS, Math.floor(images / GROUP_IMAGES));
  const isEnough = groups >= LEAST_GROUPS;
  const distancesOf = (a: LevelPatches[], b: LevelPatches[], parts = 0) => {
    const directions = random('swd');
    return a.map((level, l) => slicedWasserstein(level, b[l], directions, parts));
  };
  const distances = distancesOf(own, other, isEnough ? groups : 0);
  const named: [string, SlicedDistance][] = distances.map((distance, l) => [
    `swd_${Math.min(own[l].width, own[l].height)}_n${generated.count}`,
    distance,
  ]);
  named.push([`swd_mean_n${generated.count}`, meanDistance(distances)]);
  const metrics = Object.fromEntries(named.map(([name, { value }]) => [name, value]));
  if (halves) {
    const [a, b] = halves.map(patchesOf);
    metrics[`swd_floor_mean_n${halves[0].count}`] = meanDistance(distancesOf(a, b)).value;
  }
  if (!isEnough) {
    return { metrics, notes: [`swd has no intervals: they need ${LEAST_GROUPS * GROUP_IMAGES} images a side`] };
  }
  const intervals = Object.fromEntries(
    named.map(([name, distance]): [string, Interval] => [name, slicedInterval(distance)]),
  );
  return { metrics, intervals };
}

function meanDistance(levels: readonly SlicedDistance[]): SlicedDistance {
  return {
    value: meanOf(levels.map(({ value }) => value)),
    groups: levels[0].groups.map((_, group) => meanOf(levels.map(({ groups }) => groups[group]))),
  };
}
