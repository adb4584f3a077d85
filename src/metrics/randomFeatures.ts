/**
 * Features of images without learned weights: a small convolutional network with random, fixed weights. Lee et al. 2022
 * ("Evaluating generative models with random features", arXiv 2208.09218) find such features to rank generators much as
 * trained ones do. They know nothing of objects; never compare their scores with those of Inception features.
 *
 * The image is brought to 32×32 by area; three layers of 3×3 convolution, stride 2, and ReLU, with He et al.'s (2015)
 * Gaussian weights from seed 0; the feature is each of the 64 last channels' mean over each quadrant, 256 numbers.
 */
import { Random } from '../random.ts';
import type { ImageSets } from './metric.ts';
import { channelsOf, type ImageStack, planeOf, selectImages } from './signal/imageStack.ts';

export const RANDOM_FEATURES = 256;
const INPUT = 32;
const CHANNELS = [3, 16, 32, 64];
/** Brings values of [0,1] to about zero mean and unit variance. */
const [CENTRE, SPREAD] = [0.5, 0.25];

const layers = CHANNELS.slice(1).map((outputs, layer) => {
  const inputs = CHANNELS[layer];
  return {
    inputs,
    outputs,
    weights: new Random(0, 'randomFeatures', layer).normals(9 * inputs * outputs, Math.sqrt(2 / (9 * inputs))),
  };
});

/** Features are compared all with all, so of at most this many images a side, drawn at random. */
const MOST_FEATURES = 1000;

/** Features of both sets, computed once for all metrics that ask for them. */
export function sharedFeatures({ generated, reference, shared }: ImageSets) {
  return shared('random_features', (random) => {
    const source = random();
    const some = (stack: ImageStack) =>
      randomFeatures(
        stack.count > MOST_FEATURES ? selectImages(stack, source.sample(stack.count, MOST_FEATURES)) : stack,
      );
    const [a, b] = [some(generated), some(reference)];
    return { generated: a, reference: b, count: a.length / RANDOM_FEATURES, references: b.length / RANDOM_FEATURES };
  });
}

/** [count, 256]. Grey images count as RGB. */
export function randomFeatures(stack: ImageStack): Float64Array {
  const features = new Float64Array(stack.count * RANDOM_FEATURES);
  for (let image = 0; image < stack.count; image++) {
    let values = inputOf(stack, image); // [32,32,3]
    let side = INPUT;
    for (const layer of layers) {
      values = convolve(values, side, layer);
      side /= 2;
    }
    features.set(quadrantMeans(values, side, CHANNELS.at(-1)!), image * RANDOM_FEATURES);
  }
  return features;
}

function inputOf(stack: ImageStack, image: number): Float64Array {
  const input = new Float64Array(INPUT * INPUT * 3);
  for (let channel = 0; channel < 3; channel++) {
    const plane = planeOf(stack, image, channelsOf(stack) === 1 ? 0 : channel);
    const resized = resizeByArea(plane, stack.width, stack.height);
    for (let i = 0; i < resized.length; i++) input[3 * i + channel] = (resized[i] - CENTRE) / SPREAD;
  }
  return input;
}

/** Means over each target pixel's area. */
function resizeByArea(plane: Float64Array, width: number, height: number): Float64Array {
  const [columns, rows] = [overlaps(width), overlaps(height)];
  const resized = new Float64Array(INPUT * INPUT);
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      let sum = 0;
      for (const [sy, wy] of row) for (const [sx, wx] of column) sum += wy * wx * plane[sy * width + sx];
      resized[y * INPUT + x] = sum;
    });
  });
  return resized;
}

/** For each target pixel along an axis, the source pixels under it and their shares. */
function overlaps(length: number): [index: number, share: number][][] {
  const scale = length / INPUT;
  return Array.from({ length: INPUT }, (_, i) => {
    const [from, to] = [i * scale, (i + 1) * scale];
    const shares: [number, number][] = [];
    for (let at = Math.floor(from); at < Math.min(length, Math.ceil(to)); at++) {
      const share = (Math.min(to, at + 1) - Math.max(from, at)) / scale;
      if (share > 0) shares.push([at, share]);
    }
    return shares;
  });
}

/** 3×3, stride 2, zeros around, then ReLU: [side,side,inputs] to [side/2,side/2,outputs]. */
function convolve(
  input: Float64Array,
  side: number,
  { inputs, outputs, weights }: (typeof layers)[number],
): Float64Array {
  const half = side / 2;
  const output = new Float64Array(half * half * outputs);
  for (let y = 0; y < half; y++) {
    for (let x = 0; x < half; x++) {
      const to = (y * half + x) * outputs;
      for (let tap = 0; tap < 9; tap++) {
        const [sy, sx] = [2 * y + Math.floor(tap / 3) - 1, 2 * x + (tap % 3) - 1];
        if (sy < 0 || sx < 0 || sy >= side || sx >= side) continue;
        for (let c = 0; c < inputs; c++) {
          const value = input[(sy * side + sx) * inputs + c];
          const row = (tap * inputs + c) * outputs;
          for (let o = 0; o < outputs; o++) output[to + o] += value * weights[row + o];
        }
      }
      for (let o = 0; o < outputs; o++) output[to + o] = Math.max(0, output[to + o]);
    }
  }
  return output;
}

function quadrantMeans(values: Float64Array, side: number, channels: number): Float64Array {
  const means = new Float64Array(4 * channels);
  const half = side / 2;
  for (let i = 0; i < values.length; i++) {
    const [pixel, channel] = [Math.floor(i / channels), i % channels];
    const quadrant = 2 * Number(Math.floor(pixel / side) >= half) + Number(pixel % side >= half);
    means[quadrant * channels + channel] += values[i] / (half * half);
  }
  return means;
}
