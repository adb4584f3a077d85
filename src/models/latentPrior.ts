/**
 * Where new latents come from: an auto-decoder learns one latent per image and no distribution of them.
 *
 * - `gaussian`: fitted to all latents, as GLO does (Bojanowski et al. 2018, §2.3). Varied, and often far from any image.
 * - `neighbours`: between a latent and one of its nearest neighbours, as SMOTE does (Chawla et al. 2002). Closer to
 *   the images, and never beyond them.
 */
import { Random } from '../random.ts';

export interface GaussianPrior {
  mean: Float64Array;
  /** Lower triangular Cholesky factor of the covariance, [D,D] row-major. */
  factor: Float64Array;
}

/**
 * Mean and covariance of latents [N,D]. With fewer latents than dimensions the covariance is singular, so it is shrunk
 * towards its diagonal: Σ ← (1−s)Σ + s·diag(Σ) + 1e-8·I, s = D/(N+D).
 */
export function fitGaussianPrior(latents: Float32Array, dimensions: number): GaussianPrior {
  const count = latents.length / dimensions;
  const mean = new Float64Array(dimensions);
  for (let i = 0; i < latents.length; i++) mean[i % dimensions] += latents[i] / count;
  const covariance = new Float64Array(dimensions * dimensions);
  const shrink = dimensions / (count + dimensions);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < dimensions; i++) {
      const deviation = (latents[n * dimensions + i] - mean[i]) / count;
      for (let j = 0; j <= i; j++) {
        covariance[i * dimensions + j] +=
          deviation * (latents[n * dimensions + j] - mean[j]) * (i === j ? 1 : 1 - shrink);
      }
    }
  }
  for (let i = 0; i < dimensions; i++) covariance[i * dimensions + i] += 1e-8;
  return { mean, factor: cholesky(covariance, dimensions) };
}

/**
 * `count` latents [count,D]; draw n of a seed is the same whatever the count.
 *
 * @param temperature scales the deviation from the mean: below 1, likelier and less varied.
 */
export function samplePrior(prior: GaussianPrior, seed: number, count: number, temperature = 1): Float32Array {
  const dimensions = prior.mean.length;
  const latents = new Float32Array(count * dimensions);
  for (let n = 0; n < count; n++) {
    const noise = new Random(seed, 'sample', n).normals(dimensions, temperature);
    for (let i = 0; i < dimensions; i++) {
      let value = prior.mean[i];
      for (let j = 0; j <= i; j++) value += prior.factor[i * dimensions + j] * noise[j];
      latents[n * dimensions + i] = value;
    }
  }
  return latents;
}

/** How far along the way to its neighbour a sample lies: neither end is a training image. */
const BETWEEN = [0.25, 0.75] as const;

/**
 * `count` latents [count,D], each at a random place between a random one of the given [N,D] and one of its `neighbours`
 * nearest; draw n of a seed is the same whatever the count.
 */
export function sampleBetweenNeighbours(
  latents: Float32Array,
  dimensions: number,
  seed: number,
  count: number,
  neighbours = 6,
): Float32Array {
  const total = latents.length / dimensions;
  if (total < 2) throw new RangeError(`neighbours need two latents or more, got ${total}`);
  const latent = (i: number) => latents.subarray(i * dimensions, (i + 1) * dimensions);
  const samples = new Float32Array(count * dimensions);
  for (let n = 0; n < count; n++) {
    const random = new Random(seed, 'sample', n);
    const from = random.integer(total);
    const nearest = Array.from({ length: total }, (_, i) => ({ i, distance: squaredDistance(latent(from), latent(i)) }))
      .filter(({ i }) => i !== from)
      .sort((a, b) => a.distance - b.distance);
    const to = latent(nearest[random.integer(Math.min(neighbours, nearest.length))].i);
    const t = BETWEEN[0] + (BETWEEN[1] - BETWEEN[0]) * random.uniform();
    samples.set(
      latent(from).map((value, k) => (1 - t) * value + t * to[k]),
      n * dimensions,
    );
  }
  return samples;
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] - b[k]) ** 2;
  return sum;
}

/** L with L·Lᵀ = A, for the lower triangle of a positive definite A. */
function cholesky(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      l[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / l[j * n + j];
    }
  }
  return l;
}
