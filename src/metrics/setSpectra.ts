/** The power spectra of two sets of images, side by side: rings, octaves, distance, floor, slopes, all with intervals. */
import type { Random } from '../random.ts';
import { type Band, octavePartition, ringPartition } from './signal/bands.ts';
import { bootstrapInterval, FEWEST_RESAMPLED, resampledMeans } from './signal/bootstrap.ts';
import { type ImageStack, roundingPower } from './signal/imageStack.ts';
import { type Interval, NO_INTERVAL } from './signal/jackknife.ts';
import {
  columnMeans,
  comparableBands,
  logSpectralDistance,
  powerRatiosDb,
  type SpectralFloor,
  type SpectralIntervals,
  spectralIntervals,
  splitHalfFloor,
} from './signal/spectralDistance.ts';
import { meanLogFrequencies, spectralSlope } from './signal/spectralSlope.ts';
import { type BandPowers, bandPowers } from './signal/windowedSpectrum.ts';

/** Powers are per mode: white noise of variance σ² has σ². */
export interface SpectralBand extends Band {
  referencePower: number;
  generatedPower: number;
  /** Δ_b = 10 log₁₀(generated/reference). NaN where there is next to nothing on both sides. */
  deltaDb: number;
  /** 95 % bootstrap interval over images. NaN below 16 images a side. */
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
  /** LSD of the sets as they are: sampling makes it too high. */
  lsdDb: number;
  /** Estimate of the LSD between what the sets were drawn from; see `spectralIntervals`. NaN below 16 images a side. */
  lsdDebiasedDb: number;
  /** 95 % interval of `lsdDebiasedDb`. */
  lsdIntervalDb: Interval;
  floor?: SpectralFloor;
  /** NaN where fewer than two rings have more than rounding; intervals also below 16 images. */
  slopes: Record<'generated' | 'reference', { value: number; interval: Interval }>;
}

/** Compares two stacks of one size. @throws RunError where a value is not finite. */
export function compareSpectra(generated: ImageStack, reference: ImageStack, random: Random): SetSpectra {
  const { width, height } = reference;
  const partitions = [ringPartition(width, height), octavePartition(width, height)];
  const rounding = Math.max(roundingPower(generated), roundingPower(reference));
  const [own, other] = [generated, reference].map((stack) => spectrumOf(bandPowers(stack, partitions), random));
  const { bands } = other;
  const means = { generated: own.means, reference: other.means };
  const comparable = comparableBands(means, rounding);
  const ratios = powerRatiosDb(means, rounding, comparable);
  const intervals: SpectralIntervals =
    own.resampled && other.resampled
      ? spectralIntervals(bands, means, { generated: own.resampled, reference: other.resampled }, rounding, comparable)
      : { ratiosDb: bands.map(() => NO_INTERVAL), lsdDb: { value: Number.NaN, interval: NO_INTERVAL } };
  const floor = splitHalfFloor(bands, other.powers, rounding, comparable, random);
  // The variance of a difference of logs goes with the sum of the sets' 1/n.
  const scale = floor ? Math.sqrt((1 / generated.count + 1 / reference.count) / (2 / floor.images)) : Number.NaN;
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
  // DC, which the window takes away, comes first in the partition.
  const frequencies = meanLogFrequencies(partitions[0]).slice(1);
  return {
    rings: entries.slice(0, own.rings),
    octaves: entries.slice(own.rings),
    comparedRings: entries.filter(({ kind, deltaDb }) => kind === 'ring' && !Number.isNaN(deltaDb)).length,
    lsdDb: logSpectralDistance(bands, ratios),
    lsdDebiasedDb: intervals.lsdDb.value,
    lsdIntervalDb: intervals.lsdDb.interval,
    floor,
    slopes: {
      generated: slopeOf(own, frequencies, roundingPower(generated)),
      reference: slopeOf(other, frequencies, roundingPower(reference)),
    },
  };
}

/** A set's powers in rings, then in octaves, side by side: resampled together, that is once. */
interface Spectrum extends BandPowers {
  /** How many of the bands, the first ones, are rings. */
  rings: number;
  means: Float64Array;
  /** [replicates, bands]; undefined for too few images. */
  resampled?: Float64Array;
}

function spectrumOf([rings, octaves]: BandPowers[], random: Random): Spectrum {
  const bands = [...rings.bands, ...octaves.bands];
  const [r, o] = [rings.bands.length, octaves.bands.length];
  const count = rings.powers.length / r;
  const powers = new Float64Array(count * bands.length);
  for (let i = 0; i < count; i++) {
    powers.set(rings.powers.subarray(i * r, (i + 1) * r), i * (r + o));
    powers.set(octaves.powers.subarray(i * o, (i + 1) * o), i * (r + o) + r);
  }
  return {
    bands,
    powers,
    rings: r,
    means: columnMeans(powers, bands.length),
    resampled: count < FEWEST_RESAMPLED ? undefined : resampledMeans(powers, bands.length, random),
  };
}

function slopeOf({ bands, rings, means, resampled }: Spectrum, frequencies: Float64Array, rounding: number) {
  const slope = (powers: Float64Array) => spectralSlope(bands.slice(0, rings), powers, frequencies, rounding);
  const replicates = resampled
    ? Array.from({ length: resampled.length / bands.length }, (_, r) =>
        slope(resampled.subarray(r * bands.length, r * bands.length + rings)),
      )
    : [];
  const value = slope(means);
  return { value, interval: bootstrapInterval(value, replicates) };
}
