/**
 * Power spectra of images that are not periodic: Hann-windowed, in float64.
 *
 * With w the periodic Hann window, separable, and m_w = Σwx/Σw the windowed mean,
 *   X = DFT(w·(x − m_w)),   P = |X|²/Σw²,
 * the "density" correction under which white noise of variance σ² has P = σ² in every mode but those beside DC, from which
 * removing m_w takes a part: (1,0) keeps 7/12 of it, (1,1) keeps 121/144. Without the window, the jump from one edge
 * of an image to the other makes a spectrum of ρ^−2 that hides any steeper one.
 */
import type { Band, BandPartition } from './bands.ts';
import { halfFft2 } from './fft.ts';
import { channelsOf, type ImageStack, planeOf } from './imageStack.ts';

/** Power per mode and band of each image, averaged over the band's modes and over channels. */
export interface BandPowers {
  /** Without DC, which m_w takes away. */
  bands: Band[];
  /** [count, bands]. */
  powers: Float64Array;
}

/** ½ − ½cos(2πi/n), i = 0…n−1: periodic, so that its DFT has three coefficients only. */
export function hannWindow(length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / length));
}

/**
 * Makes a function that gives |X|²/Σw² of an image [H,W], laid out like `halfFft2`. Without a window, w = 1.
 *
 * @throws RangeError for images of one pixel along an axis, where Hann's window is 0.
 */
export function makePeriodogram(width: number, height: number, window: 'hann' | 'none' = 'hann') {
  if (window === 'hann' && Math.min(width, height) < 2) throw new RangeError(`no Hann window of ${width}x${height}`);
  const axis = (length: number) => (window === 'hann' ? hannWindow(length) : new Float64Array(length).fill(1));
  const [horizontal, vertical] = [axis(width), axis(height)];
  const weights = Float64Array.from(
    { length: width * height },
    (_, i) => horizontal[i % width] * vertical[Math.floor(i / width)],
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const energy = weights.reduce((sum, weight) => sum + weight ** 2, 0);
  const windowed = new Float64Array(width * height);
  return (image: ArrayLike<number>): Float64Array => {
    let mean = 0;
    for (let i = 0; i < windowed.length; i++) mean += weights[i] * image[i];
    mean /= total;
    for (let i = 0; i < windowed.length; i++) windowed[i] = weights[i] * (image[i] - mean);
    const { re, im } = halfFft2(windowed, width, height);
    const scale = 1 / energy;
    for (let k = 0; k < re.length; k++) re[k] = (re[k] * re[k] + im[k] * im[k]) * scale;
    return re;
  };
}

/**
 * Powers of each image of a stack in the bands of some partitions of its size.
 *
 * @throws RunError where a value is not finite.
 */
export function bandPowers(
  stack: ImageStack,
  partitions: readonly BandPartition[],
  { window, onProgress }: { window?: 'hann' | 'none'; onProgress?: (done: number, total: number) => void } = {},
): BandPowers[] {
  const { count, width, height } = stack;
  const periodogram = makePeriodogram(width, height, window);
  const channels = channelsOf(stack);
  const sums = partitions.map(({ bands }) => new Float64Array(count * bands.length));
  const plane = new Float64Array(width * height);
  for (let image = 0; image < count; image++) {
    for (let channel = 0; channel < channels; channel++) {
      const power = periodogram(planeOf(stack, image, channel, plane));
      partitions.forEach(({ bands, membership }, p) => {
        const at = image * bands.length;
        const own = sums[p];
        for (let row = 0; row < power.length; row += width) {
          // Columns between 0 and width/2 stand for their mirrors too.
          own[at + membership[row]] += power[row];
          for (let k = row + 1, end = row + width / 2; k < end; k++) own[at + membership[k]] += 2 * power[k];
          if (width % 2 === 0) own[at + membership[row + width / 2]] += power[row + width / 2];
        }
      });
    }
    onProgress?.(image + 1, count);
  }
  return partitions.map(({ bands }, p) => withoutDc(bands, sums[p], channels));
}

function withoutDc(bands: readonly Band[], sums: Float64Array, channels: number): BandPowers {
  const kept = [...bands.keys()].filter((b) => bands[b].kind !== 'dc');
  const powers = new Float64Array((sums.length / bands.length) * kept.length);
  for (let i = 0; i < powers.length; i++) {
    const b = kept[i % kept.length];
    powers[i] = sums[Math.floor(i / kept.length) * bands.length + b] / (bands[b].modes * channels);
  }
  return { bands: kept.map((b) => bands[b]), powers };
}
