/** How alike the images of one set are: mean MS-SSIM over random pairs (Odena et al. 2017, §4.2). Low is diverse. */
import type { Random } from '../random.ts';
import { type Draws, type ImageSets, leaveOut, type Measured, type Metric } from './metric.ts';
import { meanInterval, meanOf } from './signal/bootstrap.ts';
import type { ImageStack } from './signal/imageStack.ts';
import { multiScaleSsim, similarityScales } from './ssim.ts';

export const diversity: Metric = {
  name: 'diversity',
  about: {
    label: 'Diversity',
    source: 'Odena et al. 2017, §4.2; Wang et al. 2003',
    protocol: 'diversity: MS-SSIM of random disjoint pairs within each set; bootstrap intervals',
  },
  numbers: {
    ms_ssim_generated: {
      label: 'MS-SSIM within the set',
      reads: 'how alike two images are; higher than within the reference: less diverse',
      role: 'supporting',
      against: { key: 'ms_ssim_reference', label: 'reference' },
    },
    ms_ssim_reference: { label: 'MS-SSIM within the reference', role: 'detail' },
  },
  measure: measureDiversity,
};

function measureDiversity({ generated, reference }: ImageSets, random: Draws): Measured {
  const scales = similarityScales(generated.width, generated.height);
  if (scales === 0) return leaveOut('diversity', "MS-SSIM's window of 11 pixels does not fit the images");
  const source = random();
  return {
    found: Object.entries({ generated, reference }).map(([side, stack]) => {
      const similarities = pairSimilarities(stack, diversityPairs(stack.count, source));
      return {
        key: `ms_ssim_${side}`,
        protocol: `s${scales}_pairs${similarities.length}`,
        value: meanOf(similarities),
        interval: meanInterval(similarities, source),
      };
    }),
  };
}

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
