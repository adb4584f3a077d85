/**
 * FWD, the Fréchet wavelet distance (Veeramacheneni et al., ICLR 2025): the mean over the packets of a Haar wavelet
 * packet transform of the Fréchet distance between two sets' coefficients. Each packet is a frequency band, so nothing
 * learned is needed, and all frequencies count alike.
 *
 * Deviation: the paper always takes level 4, made for 256 pixels; here the level leaves packets of 4 to 7 coefficients
 * along the shorter side, which a thousand images suffice to estimate the covariance of.
 */
import { frechetDistance, type Moments, momentsOf } from './frechet.ts';
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
  const line = new Float64Array(Math.max(width, height));
  const transform = (first: number, stride: number, length: number) => {
    const half = length / 2;
    for (let i = 0; i < half; i++) {
      const [a, b] = [plane[first + 2 * i * stride], plane[first + (2 * i + 1) * stride]];
      line[i] = (a + b) * Math.SQRT1_2;
      line[half + i] = (a - b) * Math.SQRT1_2;
    }
    for (let i = 0; i < length; i++) plane[first + i * stride] = line[i];
  };
  for (let step = 0; step < level; step++) {
    const [w, h] = [width >> step, height >> step];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x += w) transform(y * width + x, 1, w);
    }
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y += h) transform(y * width + x, width, h);
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
        for (let x = 0; x < crop.width; x++) {
          coefficients[row + Math.floor(x / w)][to + (x % w)] = part[y * crop.width + x];
        }
      }
    }
  }
  return coefficients;
}

/** Moments of each packet of a stack. */
export function packetMoments(stack: ImageStack, level: number): Moments[] {
  return packetCoefficients(stack, level).map((rows) => momentsOf(rows, rows.length / stack.count));
}

/** Mean of the packets' Fréchet distances. */
export function frechetWaveletDistance(a: readonly Moments[], b: readonly Moments[]): number {
  return a.reduce((sum, moments, packet) => sum + frechetDistance(moments, b[packet]), 0) / a.length;
}
