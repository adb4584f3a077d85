/**
 * FWD, the Fréchet wavelet distance: of the sets as they are, of halves of the reference (its floor), and with its bias
 * taken off. The distance itself: Haar packets in `waveletPackets.ts`, Fréchet's distance in `frechet.ts`.
 */
import {
  type Draws,
  FEWEST_SPLIT,
  type Found,
  type ImageSets,
  leaveOut,
  type Measured,
  type Metric,
} from './metric.ts';
import { floorNote } from './signal/halfSamples.ts';
import { channelsOf, type ImageStack, selectImages } from './signal/imageStack.ts';
import {
  debiasedWaveletDistance,
  frechetWaveletDistance,
  mergePackets,
  packetFolds,
  packetLevel,
  waveletFloor,
} from './waveletPackets.ts';

/** Most packets times the cube of their dimension: beyond it, eigenvalues take minutes. */
const WAVELET_BUDGET = 5e9;
/** Most numbers in the moments of all folds: two thirds of a gigabyte. */
const FOLD_BUDGET = 8e7;
/** Folds that an interval needs; with as many, a floor is the mean of 8 splits. */
const LEAST_FOLDS = 8;
/** Folds at most: each takes as long as the distance itself, and with 12 Student's t is down to 2.2. */
const MOST_FOLDS = 12;

export const fwd: Metric = {
  name: 'fwd',
  about: {
    label: 'FWD',
    source: 'Veeramacheneni et al. 2025; bias: Quenouille 1956',
    protocol:
      'FWD: Haar packets, channels joined, covariance /(N−1), floor of halves of the reference, mean over 8 balanced ' +
      'splits; debiased: jackknife over folds of images, and its interval',
  },
  numbers: {
    fwd_debiased: {
      label: 'FWD',
      better: 'low',
      reads: 'Fréchet distance of Haar packets, its bias taken off; 0 is equal',
    },
    fwd: {
      label: 'Raw FWD',
      better: 'low',
      reads: 'of the sets as they are, as papers report it: never 0',
      role: 'supporting',
      against: { key: 'fwd_floor', label: 'halves' },
    },
    fwd_floor: { label: 'FWD of halves of the reference', role: 'detail' },
  },
  measure: measureWavelets,
};

function measureWavelets({ generated, reference }: ImageSets, random: Draws): Measured {
  const { width, height } = generated;
  if (Math.min(width, height) < 2) return leaveOut('fwd', 'images need at least 2 pixels along both axes');
  const level = packetLevel(width, height);
  const packets = 4 ** level;
  const channels = channelsOf(generated);
  const dimension = Math.floor(width / 2 ** level) * Math.floor(height / 2 ** level) * channels;
  if (packets * dimension ** 3 > WAVELET_BUDGET) {
    return leaveOut('fwd', `images of ${width}x${height} have too many wavelet packets; compare at a smaller --size`);
  }
  const protocolOf = (images: number) => `haar${level}_c${channels}_n${images}`;
  const affordable = Math.max(2, Math.floor(FOLD_BUDGET / (packets * dimension * (dimension + 1))));
  const evenFolds = (images: number) => 2 * Math.floor(Math.min(MOST_FOLDS, affordable, images) / 2);
  const needed = Math.max(LEAST_FOLDS, 2 * dimension);
  const images = Math.min(generated.count, reference.count);
  const hasInterval = images >= needed && evenFolds(images) >= LEAST_FOLDS;
  const hasFloor = reference.count >= FEWEST_SPLIT;
  // Folds are of random images: those of a folder often come in order. Merged, they are the sets.
  const foldsOf = (stack: ImageStack, part: number, folds: number) =>
    packetFolds(selectImages(stack, random(part).sample(stack.count, stack.count)), level, folds);
  const own = foldsOf(generated, 0, hasInterval ? evenFolds(images) : 1);
  const other = foldsOf(reference, 1, hasFloor ? evenFolds(hasInterval ? images : reference.count) : 1);
  const floor = hasFloor ? waveletFloor(other) : undefined;
  const found: Found[] = [
    {
      key: 'fwd',
      protocol: protocolOf(generated.count),
      value: frechetWaveletDistance(mergeFolds(own), mergeFolds(other)),
    },
  ];
  if (hasInterval) {
    const debiased = debiasedWaveletDistance(own, other);
    found.unshift({ key: 'fwd_debiased', protocol: protocolOf(generated.count), ...debiased });
  }
  if (floor) found.push({ key: 'fwd_floor', protocol: protocolOf(reference.count >> 1), value: floor.value });
  const notes = floorNote('fwd', floor);
  if (images < needed) {
    notes.unshift(
      `fwd is not debiased and has no interval: its ${dimension} numbers a packet need ${needed} images a side`,
    );
  } else if (!hasInterval) {
    notes.unshift(
      `fwd is not debiased and has no interval: images of ${width}x${height} would take too much memory; see --size`,
    );
  }
  return { found, notes };
}

const mergeFolds = (folds: ReturnType<typeof packetFolds>) => folds.reduce(mergePackets);
