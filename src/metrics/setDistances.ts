/** Distances of image sets that come with a floor, what halves of the reference are apart, and an interval: FWD and SWD. */
import type { Random } from '../random.ts';
import { FEWEST_SPLIT, type Findings, leftOut, type Sets } from './setFindings.ts';
import { type Interval, meanOf } from './signal/bootstrap.ts';
import { MOST_SPLITS } from './signal/halfSamples.ts';
import { channelsOf, type ImageStack, selectImages } from './signal/imageStack.ts';
import {
  hasPatches,
  PATCHES,
  pyramidPatches,
  type SlicedDistance,
  slicedFloor,
  slicedInterval,
  slicedWasserstein,
} from './slicedWasserstein.ts';
import {
  frechetWaveletDistance,
  mergePackets,
  packetFolds,
  packetLevel,
  waveletFloor,
  waveletInterval,
} from './waveletPackets.ts';

/** Packets times the cube of their dimension: beyond it FWD's eigenvalues take minutes. */
const WAVELET_BUDGET = 5e9;
/** Numbers that the moments of all folds may be: two thirds of a gigabyte. */
const FOLD_BUDGET = 8e7;
/** For an interval; as many have a floor of 8 splits. */
const LEAST_FOLDS = 8;
/** Each takes as long as the distance itself; Student's t is then 2.2. */
const MOST_FOLDS = 12;

export function waveletFindings({ generated, reference, random }: Sets): Findings {
  const { width, height } = generated;
  if (Math.min(width, height) < 2) return leftOut('fwd', 'images need at least 2 pixels along both axes');
  const level = packetLevel(width, height);
  const packets = 4 ** level;
  const channels = channelsOf(generated);
  const dimension = Math.floor(width / 2 ** level) * Math.floor(height / 2 ** level) * channels;
  if (packets * dimension ** 3 > WAVELET_BUDGET) {
    return leftOut('fwd', `images of ${width}x${height} have too many wavelet packets; compare at a smaller --size`);
  }
  const protocol = `haar${level}_c${channels}`;
  const name = `fwd_${protocol}_n${generated.count}`;
  const affordable = Math.max(2, Math.floor(FOLD_BUDGET / (packets * dimension * (dimension + 1))));
  const evenFolds = (images: number) => 2 * Math.floor(Math.min(MOST_FOLDS, affordable, images) / 2);
  const needed = Math.max(LEAST_FOLDS, 2 * dimension);
  const images = Math.min(generated.count, reference.count);
  const hasInterval = images >= needed && evenFolds(images) >= LEAST_FOLDS;
  const hasFloor = reference.count >= FEWEST_SPLIT;
  // Folds are of random images: those of a folder often come in order. Merged, they are the sets.
  const foldsOf = (stack: ImageStack, part: number, folds: number) =>
    packetFolds(selectImages(stack, random('fwd', part).sample(stack.count, stack.count)), level, folds);
  const own = foldsOf(generated, 0, hasInterval ? evenFolds(images) : 1);
  const other = foldsOf(reference, 1, hasFloor ? evenFolds(hasInterval ? images : reference.count) : 1);
  const floor = hasFloor ? waveletFloor(other) : undefined;
  return {
    metrics: {
      [name]: frechetWaveletDistance(own.reduce(mergePackets), other.reduce(mergePackets)),
      ...(floor && { [`fwd_floor_${protocol}_n${reference.count >> 1}`]: floor.value }),
    },
    intervals: hasInterval ? { [name]: waveletInterval(own, other) } : {},
    notes: [
      ...(images < needed
        ? [`fwd has no interval: its ${dimension} numbers a packet need ${needed} images a side`]
        : hasInterval
          ? []
          : [`fwd has no interval: images of ${width}x${height} would take too much memory; see --size`]),
      ...splitsNote('fwd', floor),
    ],
  };
}

/** A floor is of fewer splits where there are few images, or few folds because they are large. */
function splitsNote(metric: string, floor?: { splits: number }): string[] {
  if (!floor || floor.splits === MOST_SPLITS) return [];
  return [`${metric}'s floor is of ${floor.splits} split${floor.splits === 1 ? '' : 's'}, not of ${MOST_SPLITS}`];
}

/** Images that a group of patches comes from, at least. */
const GROUP_IMAGES = 5;
const LEAST_GROUPS = 4;
const MOST_GROUPS = 20;

export function slicedFindings({ generated, reference, random }: Sets): Findings {
  if (!hasPatches(generated.width, generated.height)) return leftOut('swd', 'its 7×7 patches do not fit the images');
  const directions = () => random('swd');
  // Both sets are cut at the same places: one set twice is at distance 0, and what differs is what the images show, not
  // where they were looked at.
  const [own, other] = [generated, reference].map((stack) =>
    pyramidPatches(stack, (stream) => random('swd', 1 + stream)),
  );
  const images = Math.min(own[0].images, other[0].images);
  const groups = Math.min(MOST_GROUPS, Math.floor(images / GROUP_IMAGES));
  const isEnough = groups >= LEAST_GROUPS;
  const distances = own.map((level, l) => slicedWasserstein(level, other[l], directions(), isEnough ? groups : 0));
  const levels = [...own.map(({ width, height }) => Math.min(width, height)), 'mean'];
  const named = (prefix: string, count: number, values: readonly number[]) =>
    levels.map((level, l): [string, number] => [
      `${prefix}_${level}_c${channelsOf(generated)}_n${count}`,
      values[l] ?? meanOf(values),
    ]);
  const values = named(
    'swd',
    generated.count,
    distances.map(({ value }) => value),
  );
  const floor = reference.count >= FEWEST_SPLIT ? referenceFloor(reference, random) : undefined;
  return {
    metrics: Object.fromEntries([...values, ...(floor ? named('swd_floor', reference.count >> 1, floor.values) : [])]),
    intervals: isEnough
      ? Object.fromEntries(
          [...distances, meanDistance(distances)].map((distance, i): [string, Interval] => [
            values[i][0],
            slicedInterval(distance),
          ]),
        )
      : {},
    notes: [
      ...(isEnough ? [] : [`swd has no intervals: they need ${LEAST_GROUPS * GROUP_IMAGES} images a side`]),
      ...splitsNote('swd', floor),
    ],
  };
}

/** Twice the patches, so that halves have as many as the sets; cut at the same places in images of a pair. */
function referenceFloor(reference: ImageStack, random: Sets['random']) {
  const draws = (stream: number): Random => random('swd', 1 + ((stream + 1) >> 1));
  return slicedFloor(pyramidPatches(reference, draws, 2 * PATCHES), () => random('swd'));
}

function meanDistance(levels: readonly SlicedDistance[]): SlicedDistance {
  return {
    value: meanOf(levels.map(({ value }) => value)),
    groups: levels[0].groups.map((_, group) => meanOf(levels.map(({ groups }) => groups[group]))),
  };
}
