/** Many images of one size: what the metrics of image sets read. An `ImageSet` of `src/data` is one, with 3 channels. */
import { RunError } from '../../errors.ts';

export interface ImageStack {
  count: number;
  width: number;
  height: number;
  /** 3 where left out. */
  channels?: number;
  /** [count, height, width, channels], sRGB-encoded: bytes, or floats in [0,1]. */
  pixels: Uint8Array | Float32Array | Float64Array;
}

/** Error of rounding to 8 bits as white noise: (1/255)²/12, the power that no 8-bit spectrum resolves. */
export const ROUNDING_POWER = 1 / (12 * 255 ** 2);

/** Error of rounding to 32-bit floats in [½,1], as white noise. */
export const FLOAT32_ROUNDING_POWER = 2 ** -48 / 12;

/** Channels of each image. */
export function channelsOf({ channels = 3 }: ImageStack): number {
  return channels;
}

/** Power below which a spectrum of these images means nothing: that of rounding bytes, 32-bit floats, or sums in 64 bits. */
export function roundingPower({ pixels }: ImageStack): number {
  if (pixels instanceof Uint8Array) return ROUNDING_POWER;
  return pixels instanceof Float32Array ? FLOAT32_ROUNDING_POWER : 1e-28;
}

/**
 * One channel of one image in [0,1], [height, width]; written into `plane` where given.
 *
 * @throws RunError where a value is not finite.
 */
export function planeOf(
  stack: ImageStack,
  image: number,
  channel: number,
  plane = new Float64Array(stack.width * stack.height),
): Float64Array {
  const { pixels } = stack;
  const channels = channelsOf(stack);
  const scale = pixels instanceof Uint8Array ? 1 / 255 : 1;
  let sum = 0;
  for (let i = 0, at = image * plane.length * channels + channel; i < plane.length; i++, at += channels) {
    plane[i] = pixels[at] * scale;
    sum += plane[i];
  }
  if (!Number.isFinite(sum)) throw new RunError(`image ${image}: values are not all finite numbers`);
  return plane;
}

/** All channels of one image in [0,1], interleaved [height, width, channels]. */
export function imageOf(stack: ImageStack, image: number): Float64Array {
  const values = stack.width * stack.height * channelsOf(stack);
  const scale = stack.pixels instanceof Uint8Array ? 1 / 255 : 1;
  return Float64Array.from(stack.pixels.subarray(image * values, (image + 1) * values), (value) => value * scale);
}

/** Some of the images, in that order. */
export function selectImages(stack: ImageStack, images: ArrayLike<number>): ImageStack {
  const values = stack.width * stack.height * channelsOf(stack);
  const pixels = stack.pixels.slice(0, 0).constructor as new (length: number) => Uint8Array;
  const selected = new pixels(images.length * values);
  for (let i = 0; i < images.length; i++) {
    selected.set(stack.pixels.subarray(images[i] * values, (images[i] + 1) * values) as Uint8Array, i * values);
  }
  return { ...stack, count: images.length, pixels: selected };
}

/** Whether all channels are equal everywhere, as grey files are once they are decoded. */
export function isGrey(stack: ImageStack): boolean {
  const channels = channelsOf(stack);
  return stack.pixels.every((value, at) => value === stack.pixels[at - (at % channels)]);
}

/** The first channel alone. */
export function firstChannel(stack: ImageStack): ImageStack {
  const channels = channelsOf(stack);
  const selected = stack.pixels.filter((_, at) => at % channels === 0);
  return { ...stack, channels: 1, pixels: selected };
}

/** Two sets to be compared. Grey files are decoded to equal channels: where both sides are grey, one channel says it all. */
export function withFewestChannels(
  generated: ImageStack,
  reference: ImageStack,
): { stacks: [ImageStack, ImageStack]; notes: string[] } {
  const [a, b] = [isGrey(generated), isGrey(reference)];
  if (a && b) {
    return {
      stacks: [firstChannel(generated), firstChannel(reference)],
      notes: ['all images are grey: measured on one channel'],
    };
  }
  const grey = a ? 'generated' : b ? 'reference' : undefined;
  return {
    stacks: [generated, reference],
    notes: grey ? [`all ${grey} images are grey, the others are not: measured as RGB`] : [],
  };
}
