import { type ClosedFormPrior, randomOfDraw } from './prior.ts';

/**
 * A Gaussian fitted to all latents, as GLO does (Bojanowski et al. 2018, §2.3). Varied, and often far from any image.
 *
 * Fitted: `mean` [D] and `factor` [D,D], the lower triangular Cholesky factor of the covariance. With fewer latents than
 * dimensions the covariance is singular, so it is shrunk towards its diagonal:
 * Σ ← (1−s)Σ + s·diag(Σ) + 1e-8·I, s = D/(N+D).
 */
export const gaussian = {
  hasTemperature: true,
  fit(latents, dimensions) {
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
  },
  sample({ mean, factor }, dimensions, { seed, count, temperature }) {
    const latents = new Float32Array(count * dimensions);
    for (let n = 0; n < count; n++) {
      const noise = randomOfDraw(seed, n).normals(dimensions, temperature);
      for (let i = 0; i < dimensions; i++) {
        let value = mean[i];
        for (let j = 0; j <= i; j++) value += factor[i * dimensions + j] * noise[j];
        latents[n * dimensions + i] = value;
      }
    }
    return latents;
  },
} satisfies ClosedFormPrior;

/** L with L·Lᵀ = A, for the lower triangle of a positive definite A. */
export function cholesky(a: Float64Array, n: number): Float64Array {
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
