/** A Gaussian fitted to an auto-decoder's latents, so that it can be sampled. */
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
