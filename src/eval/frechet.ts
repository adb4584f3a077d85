/** The Fréchet distance of two sets of vectors, as if each were Gaussian (Dowson & Landau 1982). */
import { symmetricEigen } from './symmetricEigen.ts';

export interface Moments {
  count: number;
  mean: Float64Array;
  /** [d,d], divided by N−1. */
  covariance: Float64Array;
}

/** Of [count, d] vectors, row by row. */
export function momentsOf(rows: ArrayLike<number>, dimensions: number): Moments {
  const count = rows.length / dimensions;
  if (!Number.isInteger(count) || count < 2) throw new RangeError(`a covariance needs 2 vectors, got ${count}`);
  const mean = new Float64Array(dimensions);
  for (let i = 0; i < rows.length; i++) mean[i % dimensions] += rows[i] / count;
  const covariance = new Float64Array(dimensions * dimensions);
  // Eight vectors at a time: the matrix is read and written once for all of them.
  const lanes = Array.from({ length: 8 }, () => new Float64Array(dimensions));
  const [a, b, c, d, e, f, g, h] = lanes;
  for (let first = 0; first < count; first += lanes.length) {
    lanes.forEach((vector, lane) => {
      const at = (first + lane) * dimensions;
      for (let i = 0; i < dimensions; i++) vector[i] = first + lane < count ? rows[at + i] - mean[i] : 0;
    });
    for (let i = 0; i < dimensions; i++) {
      const [ai, bi, ci, di, ei, fi, gi, hi] = [a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]];
      for (let j = 0, at = i * dimensions; j <= i; j++, at++) {
        covariance[at] +=
          ai * a[j] + bi * b[j] + ci * c[j] + di * d[j] + (ei * e[j] + fi * f[j] + gi * g[j] + hi * h[j]);
      }
    }
  }
  for (let i = 0; i < dimensions; i++) {
    for (let j = 0; j <= i; j++) {
      const value = covariance[i * dimensions + j] / (count - 1);
      covariance[i * dimensions + j] = covariance[j * dimensions + i] = value;
    }
  }
  return { count, mean, covariance };
}

/** Moments of two sets together (Chan, Golub & LeVeque 1979). */
export function mergeMoments(a: Moments, b: Moments): Moments {
  const d = a.mean.length;
  const count = a.count + b.count;
  const apart = b.mean.map((value, i) => value - a.mean[i]);
  const between = (a.count * b.count) / count;
  const covariance = Float64Array.from({ length: d * d }, (_, at) => {
    const own = (a.count - 1) * a.covariance[at] + (b.count - 1) * b.covariance[at];
    return (own + between * apart[Math.floor(at / d)] * apart[at % d]) / (count - 1);
  });
  return { count, mean: a.mean.map((value, i) => value + (apart[i] * b.count) / count), covariance };
}

/** ‖μ₁−μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), the squared 2-Wasserstein distance of the Gaussians. */
export function frechetDistance(a: Omit<Moments, 'count'>, b: Omit<Moments, 'count'>): number {
  const d = a.mean.length;
  if (b.mean.length !== d) throw new RangeError(`vectors of ${d} and ${b.mean.length} numbers`);
  let distance = 0;
  for (let i = 0; i < d; i++) {
    distance += (a.mean[i] - b.mean[i]) ** 2 + a.covariance[i * d + i] + b.covariance[i * d + i];
  }
  // With Σ₁ = BBᵀ, Σ₁Σ₂ has the eigenvalues of the symmetric BᵀΣ₂B.
  const { values, vectors } = symmetricEigen(a.covariance, d);
  const root = vectors!; // [d,d]
  for (let i = 0; i < d * d; i++) root[i] *= Math.sqrt(Math.max(0, values[i % d]));
  const product = multiplyTransposed(root, multiply(b.covariance, root, d), d);
  const crossTrace = symmetricEigen(product, d, false).values.reduce(
    (sum, value) => sum + Math.sqrt(Math.max(0, value)),
    0,
  );
  return Math.max(0, distance - 2 * crossTrace);
}

/** A·B of [d,d]. */
function multiply(a: Float64Array, b: Float64Array, d: number): Float64Array {
  const product = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let k = 0; k < d; k++) {
      const factor = a[i * d + k];
      for (let j = 0; j < d; j++) product[i * d + j] += factor * b[k * d + j];
    }
  }
  return product;
}

/** Aᵀ·B of [d,d]. */
function multiplyTransposed(a: Float64Array, b: Float64Array, d: number): Float64Array {
  const product = new Float64Array(d * d);
  for (let k = 0; k < d; k++) {
    for (let i = 0; i < d; i++) {
      const factor = a[k * d + i];
      for (let j = 0; j < d; j++) product[i * d + j] += factor * b[k * d + j];
    }
  }
  return product;
}
