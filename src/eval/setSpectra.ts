/** The power spectra of two sets of images, side by side: rings, octaves, distance, floor, slopes, all with intervals. */
import type { Random } from '../random.ts';
import { type Band, octavePartition, ringPartition } from './bands.ts';
import { type Interval, percentileInterval, resampledMeans } from './bootstrap.ts';
import { type ImageStack, roundingPower } from './imageStack.ts';
import {
  columnMeans,
  logSpectralDistance,
  powerRatiosDb,
  type SpectralFloor,
  spectralIntervals,
  splitHalfFloor,
} from './spectralDistance.ts';
import { meanLogFrequencies, spectralSlope } from './spectralSlope.ts';
import { type BandPowers, bandPowers } from './windowedSpectrum.ts';

/** Powers are per mode: white noise of variance σ² has σ². */
export interface SpectralBand extends Band {
  referencePower: number;
  generatedPower: number;
  /** Δ_b = 10 log₁₀(generated/reference). NaN where there is next to nothing on both sides. */
  deltaDb: number;
  /** 95 % bootstrap interval over images. */
  deltaDbLow: number;
  deltaDbHigh: number;
  /** Root mean square Δ that sampling alone gives sets of these sizes, from halves of the reference. NaN below 4 images. */
  samplingDb: number;
}

export interface SetSpectra {
  rings: SpectralBand[];
  octaves: SpectralBand[];
  /** Rings that the distance is taken over. */
  comparedRings: number;
  lsdDb: number;
  /** Of the distance between what the sets were drawn from; see `spectralIntervals`. */
  lsdIntervalDb: Interval;
  floor?: SpectralFloor;
  /** NaN where fewer than two rings have more than rounding. */
  slopes: Record<'generated' | 'reference', { value: number; interval: Interval }>;
}

/** Compares two stacks of one size. @throws RunError where a value is not finite. */
export function compareSpectra(generated: ImageStack, reference: ImageStack, random: Random): SetSpectra {
  const { width, height } = reference;
  const partitions = [ringPartition(width, height), octavePartition(width, height)];
  const rounding = Math.max(roundingPower(generated), roundingPower(reference));
  const [generatedRings, generatedOctaves] = bandPowers(generated, partitions);
  const [referenceRings, referenceOctaves] = bandPowers(reference, partitions);

  const rings = compareBands(generatedRings, referenceRings, rounding, random);
  const octaves = compareBands(generatedOctaves, referenceOctaves, rounding, random);
  const ratios = rings.entries.map(({ deltaDb }) => deltaDb);
  // DC, which the window takes away, comes first in the partition.
  const frequencies = meanLogFrequencies(partitions[0]).slice(1);
  return {
    rings: rings.entries,
    octaves: octaves.entries,
    comparedRings: rings.entries.filter(({ kind, deltaDb }) => kind === 'ring' && !Number.isNaN(deltaDb)).length,
    lsdDb: logSpectralDistance(rings.entries, ratios),
    lsdIntervalDb: rings.lsdDb,
    floor: rings.floor,
    slopes: {
      generated: slopeOf(generatedRings, frequencies, roundingPower(generated), random),
      reference: slopeOf(referenceRings, frequencies, roundingPower(reference), random),
    },
  };
}

function compareBands(generated: BandPowers, reference: BandPowers, rounding: number, random: Random) {
  const { bands } = reference;
  const columns = bands.length;
  const means = {
    generated: columnMeans(generated.powers, columns),
    reference: columnMeans(reference.powers, columns),
  };
  const ratios = powerRatiosDb(means, rounding);
  const sets = { generated: generated.powers, reference: reference.powers };
  const intervals = spectralIntervals(bands, sets, rounding, random);
  const floor = splitHalfFloor(bands, reference.powers, rounding, random);
  // The variance of a difference of logs goes with the sum of the sets' 1/n.
  const [n, m] = [generated.powers.length / columns, reference.powers.length / columns];
  const scale = floor ? Math.sqrt((1 / n + 1 / m) / (2 / floor.images)) : Number.NaN;
  const entries = bands.map(
    (band, b): SpectralBand => ({
      ...band,
      referencePower: means.reference[b],
      generatedPower: means.generated[b],
      deltaDb: ratios[b],
      deltaDbLow: intervals.ratiosDb[b][0],
      deltaDbHigh: intervals.ratiosDb[b][1],
      samplingDb: floor ? scale * floor.ratiosDb[b] : Number.NaN,
    }),
  );
  return { entries, floor, lsdDb: intervals.lsdDb };
}

function slopeOf({ bands, powers }: BandPowers, frequencies: Float64Array, rounding: number, random: Random) {
  const columns = bands.length;
  const means = resampledMeans(powers, columns, random);
  const resampled = Array.from({ length: means.length / columns }, (_, r) =>
    spectralSlope(bands, means.subarray(r * columns, (r + 1) * columns), frequencies, rounding),
  );
  return {
    value: spectralSlope(bands, columnMeans(powers, columns), frequencies, rounding),
    interval: percentileInterval(resampled),
  };
}
