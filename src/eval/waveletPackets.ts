/**
 * FWD, the Fréchet wavelet distance (Veeramacheneni et al., ICLR 2025): the mean over the packets of a Haar wavelet
 * packet transform of the Fréchet distance between two sets' coefficients. Each packet is a frequency band, so nothing
 * learned is needed, and all frequencies count alike.
 *
 * Deviation: the paper always takes level 4, made for 256 pixels; here the level leaves packets of 4 to 7 coefficients
 * along the shorter side, which a thousand images suffice to estimate the covariance of.
 */
import { frechetDistance, type Moments, mergeMoments, momentsOf } from './frechet.ts';
import { channelsOf, type ImageStack, planeOf } from './imageStack.ts';

/** The level that leaves at least 4 coefficients along the shorter side; at least 1. */
export function packetLevel(width: number, height: number): number {
  return Math.max(1, Math.floor(Math.log2(Math.min(width, height) / 4)));
}

/** The part that is transformed: the centre, a whole number of packets along both axes. */
interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
}

export function packetCrop(width: number, height: number, level: number): Crop {
  const whole = (length: number) => length - (length % 2 ** level);
  const [w, h] = [whole(width), whole(height)];
  if (w === 0 || h === 0) throw new RangeError(`no Haar packets of level ${level} in ${width}x${height}`);
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h };
}

/**
 * Orthonormal Haar packets of one plane, in place: after it, the coefficient of packet (a,b) at (i,j) stands at
 * row a·height/2^level + i, column b·width/2^level + j, packets in natural (Paley) order.
 */
export function haarPackets(plane: Float64Array, width: number, height: number, level: number): Float64Array {
  const half = new Float64Array(plane.length);
  for (let step = 0; step < level; step++) {
    const [w, h] = [width >> (step + 1), height >> (step + 1)];
    // Along rows, from the plane to the other buffer; along columns, row by row, and back.
    for (let first = 0; first < plane.length; first += 2 * w) {
      for (let i = 0, from = first; i < w; i++, from += 2) {
        const [a, b] = [plane[from], plane[from + 1]];
        half[first + i] = a + b;
        half[first + w + i] = a - b;
      }
    }
    for (let top = 0; top < height; top += 2 * h) {
      for (let i = 0; i < h; i++) {
        let [upper, lower] = [(top + 2 * i) * width, (top + 2 * i + 1) * width];
        let [sum, difference] = [(top + i) * width, (top + h + i) * width];
        for (const end = upper + width; upper < end; upper++, lower++, sum++, difference++) {
          plane[sum] = (half[upper] + half[lower]) / 2;
          plane[difference] = (half[upper] - half[lower]) / 2;
        }
      }
    }
  }
  return plane;
}

/** Coefficients of a stack by packet: 4^level arrays of [count, channels·coefficients]. */
export function packetCoefficients(stack: ImageStack, level: number): Float32Array[] {
  const { count, width, height } = stack;
  const channels = channelsOf(stack);
  const crop = packetCrop(width, height, level);
  const side = 2 ** level;
  const [w, h] = [crop.width / side, crop.height / side];
  const coefficients = Array.from({ length: side * side }, () => new Float32Array(count * channels * w * h));
  const plane = new Float64Array(width * height);
  const part = new Float64Array(crop.width * crop.height);
  for (let image = 0; image < count; image++) {
    for (let channel = 0; channel < channels; channel++) {
      planeOf(stack, image, channel, plane);
      for (let y = 0; y < crop.height; y++) {
        const from = (crop.top + y) * width + crop.left;
        part.set(plane.subarray(from, from + crop.width), y * crop.width);
      }
      haarPackets(part, crop.width, crop.height, level);
      for (let y = 0; y < crop.height; y++) {
        const row = Math.floor(y / h) * side;
        const to = ((image * channels + channel) * h + (y % h)) * w;
        for (let packet = 0, from = y * crop.width; packet < side; packet++) {
          const target = coefficients[row + packet];
          for (let i = 0; i < w; i++, from++) target[to + i] = part[from];
        }
      }
    }
  }
  return coefficients;
}

/** Images whose coefficients are held at once. */
const CHUNK = 256;

/** Moments of each packet of a stack of at least 2 images. */
export function packetMoments(stack: ImageStack, level: number): Moments[] {
  const { count, width, height } = stack;
  const values = width * height * channelsOf(stack);
  const chunks = Math.ceil(count / CHUNK);
  let moments: Moments[] | undefined;
  for (let chunk = 0; chunk < chunks; chunk++) {
    // Of about equal size, so that none is left with a single image.
    const [first, last] = [chunk, chunk + 1].map((i) => Math.floor((i * count) / chunks));
    const part = { ...stack, count: last - first, pixels: stack.pixels.subarray(first * values, last * values) };
    const own = packetCoefficients(part, level).map((rows) => momentsOf(rows, rows.length / part.count));
    moments = moments ? mergePackets(moments, own) : own;
  }
  return moments!;
}

/** Moments of two sets together, packet by packet. */
export function mergePackets(a: readonly Moments[], b: readonly Moments[]): Moments[] {
  return a.map((moments, packet) => mergeMoments(moments, b[packet]));
}

/** Mean of the packets' Fréchet distances. */
export function frechetWaveletDistance(a: readonly Moments[], b: readonly Moments[]): number {
  return a.reduce((sum, moments, packet) => sum + frechetDistance(moments, b[packet]), 0) / a.length;
}
