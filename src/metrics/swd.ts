/** SWD, the sliced Wasserstein distance of patches per pyramid level: of sets as they are, with the floor, and debiased. */
import {
  type Draws,
  FEWEST_SPLIT,
  type Found,
  type ImageSets,
  leaveOut,
  type Measured,
  type Metric,
} from './metric.ts';
import { meanOf } from './signal/bootstrap.ts';
import { floorNote } from './signal/halfSamples.ts';
import { channelsOf } from './signal/imageStack.ts';
import {
  debiasedSlicedDistance,
  hasPatches,
  PATCHES,
  pyramidPatches,
  type SlicedDistance,
  slicedFloor,
  slicedWasserstein,
} from './slicedWasserstein.ts';

/** Images that a group of patches comes from, at least. */
const GROUP_IMAGES = 5;
const LEAST_GROUPS = 4;
const MOST_GROUPS = 20;

export const swd: Metric = {
  name: 'swd',
  about: {
    label: 'SWD',
    source: 'Karras et al. 2018, §5',
    protocol:
      'SWD: 7×7 patches, 8,192 a set and level, 256 directions, ×1000, floor of halves of the reference, mean over 8 ' +
      'balanced splits; debiased: by random groups of images, and its interval',
  },
  numbers: {
    swd_debiased_mean: {
      label: 'SWD (×10³)',
      better: 'low',
      reads: 'distance of local patches, octave by octave, sampling taken off; 0 is equal',
    },
    swd_debiased: { label: 'SWD of a pyramid level (×10³)', better: 'low', role: 'detail' },
    swd_mean: {
      label: 'Raw SWD (×10³)',
      better: 'low',
      reads: 'of the sets as they are, as papers report it: never 0',
      role: 'supporting',
      against: { key: 'swd_floor_mean', label: 'halves' },
    },
    swd: { label: 'Raw SWD of a pyramid level (×10³)', better: 'low', role: 'detail' },
    swd_floor_mean: { label: 'SWD of halves of the reference (×10³)', role: 'detail' },
    swd_floor: { label: 'SWD of halves of the reference, of a pyramid level (×10³)', role: 'detail' },
  },
  measure: measureSlices,
};

function measureSlices({ generated, reference }: ImageSets, random: Draws): Measured {
  if (!hasPatches(generated.width, generated.height)) return leaveOut('swd', 'its 7×7 patches do not fit the images');
  const directions = () => random();
  // Both sets are cut at the same places: one set twice is at distance 0, and what differs is what the images show, not
  // where they were looked at.
  const [own, other] = [generated, reference].map((stack) => pyramidPatches(stack, (stream) => random(1 + stream)));
  const images = Math.min(own[0].images, other[0].images);
  const groups = Math.min(MOST_GROUPS, Math.floor(images / GROUP_IMAGES));
  const isEnough = groups >= LEAST_GROUPS;
  const distances = own.map((level, l) => slicedWasserstein(level, other[l], directions(), isEnough ? groups : 0));
  const each = [...distances, meanDistance(distances)];
  const levels = own.map(({ width, height }) => String(Math.min(width, height)));
  const channels = channelsOf(generated);
  /** Names the numbers of each level, then their mean. */
  const nameLevels = (key: string, count: number, numbers: readonly Omit<Found, 'key' | 'protocol'>[]): Found[] =>
    numbers.map((number, l) =>
      l < levels.length
        ? { key, protocol: `${levels[l]}_c${channels}_n${count}`, ...number }
        : { key: `${key}_mean`, protocol: `c${channels}_n${count}`, ...number },
    );
  const floor = reference.count >= FEWEST_SPLIT ? referenceFloor(reference, random) : undefined;
  const floors = floor && [...floor.values, meanOf(floor.values)].map((value) => ({ value }));
  return {
    found: [
      ...(isEnough ? nameLevels('swd_debiased', generated.count, each.map(debiasedSlicedDistance)) : []),
      ...nameLevels(
        'swd',
        generated.count,
        each.map(({ value }) => ({ value })),
      ),
      ...(floors ? nameLevels('swd_floor', reference.count >> 1, floors) : []),
    ],
    notes: [
      ...(isEnough
        ? []
        : [`swd is not debiased and has no intervals: that needs ${LEAST_GROUPS * GROUP_IMAGES} images a side`]),
      ...floorNote('swd', floor),
    ],
  };
}

/** Twice the patches, so that halves have as many as the sets; cut at the same places in images of a pair. */
function referenceFloor(reference: ImageSets['reference'], random: Draws) {
  const draws = (stream: number) => random(1 + ((stream + 1) >> 1));
  return slicedFloor(pyramidPatches(reference, draws, 2 * PATCHES), () => random());
}

function meanDistance(levels: readonly SlicedDistance[]): SlicedDistance {
  return {
    value: meanOf(levels.map(({ value }) => value)),
    groups: levels[0].groups.map((_, group) => meanOf(levels.map(({ groups }) => groups[group]))),
  };
}
