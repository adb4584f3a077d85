import { UsageError } from '../../errors.ts';
import { type ClosedFormPrior, randomOfDraw } from './prior.ts';

/** Neighbours that a latent may be joined with. */
const NEIGHBOURS = 6;
/** How far along the way to its neighbour a sample lies: neither end is a training image. */
const BETWEEN = [0.25, 0.75] as const;

/**
 * Between a latent and one of its nearest neighbours, at a random place, as SMOTE does (Chawla et al. 2002). Closer to
 * the images than a Gaussian's samples, and never beyond them.
 */
export const neighbours = {
  hasTemperature: false,
  fit(latents, dimensions) {
    const total = latents.length / dimensions;
    if (total < 2)
      throw new UsageError('the run has one image, so samples have no neighbours; use --image 0 to draw it');
    return { latents };
  },
  sample({ latents }, dimensions, { seed, count }) {
    const total = latents.length / dimensions;
    const samples = new Float32Array(count * dimensions);
    for (let n = 0; n < count; n++) {
      const random = randomOfDraw(seed, n);
      const from = random.integer(total);
      const nearest = nearestTo(latents as Float32Array, dimensions, from, NEIGHBOURS);
      const to = nearest[random.integer(nearest.length)];
      const t = BETWEEN[0] + (BETWEEN[1] - BETWEEN[0]) * random.uniform();
      for (let k = 0; k < dimensions; k++) {
        samples[n * dimensions + k] = (1 - t) * latents[from * dimensions + k] + t * latents[to * dimensions + k];
      }
    }
    return samples;
  },
} satisfies ClosedFormPrior;

/**
 * The at most `wanted` latents nearest to one of [N,D], nearest first, of equals the first. One pass: a sum of squares
 * is given up where it has grown past the farthest one kept.
 */
export function nearestTo(latents: Float32Array, dimensions: number, from: number, wanted: number): number[] {
  const total = latents.length / dimensions;
  const kept: { index: number; distance: number }[] = [];
  const start = from * dimensions;
  for (let index = 0; index < total; index++) {
    if (index === from) continue;
    const bound = kept.length < wanted ? Number.POSITIVE_INFINITY : kept[wanted - 1].distance;
    let distance = 0;
    for (let k = 0, at = index * dimensions; k < dimensions && distance < bound; k++, at++) {
      distance += (latents[start + k] - latents[at]) ** 2;
    }
    if (distance >= bound) continue;
    const place = kept.findIndex((other) => distance < other.distance);
    kept.splice(place < 0 ? kept.length : place, 0, { index, distance });
    if (kept.length > wanted) kept.pop();
  }
  return kept.map(({ index }) => index);
}
