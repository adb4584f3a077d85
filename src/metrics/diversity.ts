/** How alike the images of one set are: mean MS-SSIM over random pairs (Odena et al. 2017, §4.2). Low is diverse. */
import type { Random } from '../random.ts';
import type { ImageStack } from './signal/imageStack.ts';
import { multiScaleSsim } from './ssim.ts';

/** Disjoint pairs of different images, so that they are independent draws; at most `most`. */
export function diversityPairs(count: number, random: Random, most = 500): [number, number][] {
  const pairs = Math.min(most, Math.floor(count / 2));
  const order = random.sample(count, 2 * pairs);
  return Array.from({ length: pairs }, (_, i) => [order[2 * i], order[2 * i + 1]]);
}

/** MS-SSIM of each pair. */
export function pairSimilarities(stack: ImageStack, pairs: readonly (readonly [number, number])[]): number[] {
  return pairs.map(([a, b]) => multiScaleSsim(stack, a, stack, b));
}
