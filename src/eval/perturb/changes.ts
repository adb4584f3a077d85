/**
 * How much a generator's images change when something about it is disturbed, per band: E‖Π_bΔf‖² / ‖Π_bf‖², over images,
 * channels and random disturbances. Images are floats, neither clamped nor quantised.
 */

import { type Band, type BandPartition, octavePartition, ringPartition } from '../../metrics/signal/bands.ts';
import type { Complex } from '../../metrics/signal/fft.ts';
import { type Estimate, jackknifeRatio, NO_INTERVAL } from '../../metrics/signal/jackknife.ts';
import { leastEnergies } from '../../metrics/signal/leastEnergy.ts';

/** Sums over channels of one disturbance of one image, per band, of unnormalised coefficients. */
interface Energies {
  /** Σ|F|² */
  signal: Float64Array;
  /** Σ|F̃−F|² */
  change: Float64Array;
  /** Re ΣF*F̃ */
  cross: Float64Array;
}

export interface BandChange extends Band {
  /** E‖Π_bΔf‖² / ‖Π_bf‖²: 0 unmoved, 2 as different as two unrelated images. NaN without more energy in the band than rounding. */
  relativeChange: number;
  relativeChangeLow: number;
  relativeChangeHigh: number;
  /** Re Σ F*F̃ / Σ|F|²: how much of the image is still there. */
  transfer: number;
  transferLow: number;
  transferHigh: number;
}

/** Collects images and their disturbed versions, by octave and by ring. */
export class BandChanges {
  readonly octaves: BandPartition;
  readonly rings: BandPartition;
  private readonly images = new Map<number, { octaves: Energies; rings: Energies }[]>();

  constructor(width: number, height: number) {
    this.octaves = octavePartition(width, height);
    this.rings = ringPartition(width, height);
  }

  /** @param before spectra of the image's channels (`planeSpectra`), `after` those of its disturbed version. */
  add(image: number, before: readonly Complex[], after: readonly Complex[]): void {
    const energies = (partition: BandPartition) => energiesOf(before, after, partition);
    const pairs = this.images.get(image) ?? [];
    this.images.set(image, pairs);
    pairs.push({ octaves: energies(this.octaves), rings: energies(this.rings) });
  }

  /**
   * With 95 % jackknife intervals over images, all disturbances of an image counting as one; of a single image, over its
   * disturbances.
   */
  result(): { bands: BandChange[]; rings: BandChange[] } {
    const images = [...this.images.values()];
    const units = images.length === 1 ? images[0].map((pair) => [pair]) : images;
    const of = (kind: 'octaves' | 'rings') => {
      const parts = units.map((pairs) => pairs.map((pair) => pair[kind]));
      return changesOf(parts, this[kind].bands);
    };
    return { bands: of('octaves'), rings: of('rings') };
  }
}

function energiesOf(
  before: readonly Complex[],
  after: readonly Complex[],
  { bands, membership }: BandPartition,
): Energies {
  const zeros = () => new Float64Array(bands.length);
  const sums: Energies = { signal: zeros(), change: zeros(), cross: zeros() };
  for (const [channel, f] of before.entries()) {
    const g = after[channel];
    for (let k = 0; k < membership.length; k++) {
      const band = membership[k];
      sums.signal[band] += f.re[k] ** 2 + f.im[k] ** 2;
      sums.change[band] += (g.re[k] - f.re[k]) ** 2 + (g.im[k] - f.im[k]) ** 2;
      sums.cross[band] += f.re[k] * g.re[k] + f.im[k] * g.im[k];
    }
  }
  return sums;
}

/** What is known of a band that holds nothing. */
const UNKNOWN: Estimate = { value: Number.NaN, interval: NO_INTERVAL };

function changesOf(units: readonly (readonly Energies[])[], bands: readonly Band[]): BandChange[] {
  const all = units.flat();
  const energies = bands.map((_, b) => all.reduce((sum, { signal }) => sum + signal[b], 0));
  const modes = bands.map((band) => band.modes);
  const least = leastEnergies(energies, modes, 'drawn');
  return bands.map((band, b) => {
    const sums = (key: keyof Energies) => units.map((parts) => parts.reduce((sum, part) => sum + part[key][b], 0));
    const over = (key: keyof Energies, scale: 'linear' | 'log') =>
      energies[b] > least[b] ? jackknifeRatio(sums(key), sums('signal'), scale) : UNKNOWN;
    const [change, transfer] = [over('change', 'log'), over('cross', 'linear')];
    return {
      ...band,
      relativeChange: change.value,
      relativeChangeLow: change.interval[0],
      relativeChangeHigh: change.interval[1],
      transfer: transfer.value,
      transferLow: transfer.interval[0],
      transferHigh: transfer.interval[1],
    };
  });
}
