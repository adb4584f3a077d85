/** The Fréchet distance of two sets of vectors, as if each were Gaussian (Dowson & Landau 1982). */
import { symmetricEigen } from './signal/symmetricEigen.ts';

/** Sufficient statistics of [count, d] vectors: those of parts can be added and taken away. */
export interface Moments {
  count: number;
  mean: Float64Array;
  /** Σ(x−μ)(x−μ)ᵀ, its lower triangle row by row, [d(d+1)/2]. */
  scatter: Float64Array;
}

export interface Gaussian {
  mean: Float64Array;
  /** [d,d]. */
  covariance: Float64Array;
}

/** The moments of [count, d] vectors, row by row. */
export function momentsOf(rows: ArrayLike<number>, dimensions: number): Moments {
  const count = rows.length / dimensions;
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`${rows.length} numbers as vectors of ${dimensions}`);
  const mean = new Float64Array(dimensions);
  for (let i = 0; i < rows.length; i++) mean[i % dimensions] += rows[i] / count;
  const scatter = new Float64Array((dimensions * (dimensions + 1)) / 2);
  // Eight vectors at a time: the matrix is read and written once for all of them.
  const lanes = Array.from({ length: 8 }, () => new Float64Array(dimensions));
  const [a, b, c, d, e, f, g, h] = lanes;
  for (let first = 0; first < count; first += lanes.length) {
    lanes.forEach((vector, lane) => {
      const at = (first + lane) * dimensions;
      for (let i = 0; i < dimensions; i++) vector[i] = first + lane < count ? rows[at + i] - mean[i] : 0;
    });
    for (let i = 0, at = 0; i < dimensions; i++) {
      const [ai, bi, ci, di, ei, fi, gi, hi] = [a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]];
      for (let j = 0; j <= i; j++, at++) {
        scatter[at] += ai * a[j] + bi * b[j] + ci * c[j] + di * d[j] + (ei * e[j] + fi * f[j] + gi * g[j] + hi * h[j]);
      }
    }
  }
  return { count, mean, scatter };
}

/** Moments of two sets together (Chan, Golub & LeVeque 1979). */
export function mergeMoments(a: Moments, b: Moments): Moments {
  const count = a.count + b.count;
  const apart = b.mean.map((value, i) => value - a.mean[i]);
  return {
    count,
    mean: a.mean.map((value, i) => value + (apart[i] * b.count) / count),
    scatter: addOuter(a.scatter, b.scatter, 1, apart, (a.count * b.count) / count),
  };
}

/** Moments of a set without one of its parts: `mergeMoments` undone. */
export function withoutMoments(whole: Moments, part: Moments): Moments {
  const count = whole.count - part.count;
  if (count < 1) throw new RangeError(`${part.count} vectors taken from ${whole.count} leave none`);
  const mean = whole.mean.map((value, i) => value + ((value - part.mean[i]) * part.count) / count);
  const apart = part.mean.map((value, i) => value - mean[i]);
  return {
    count,
    mean,
    scatter: addOuter(whole.scatter, part.scatter, -1, apart, (-count * part.count) / whole.count),
  };
}

/** a + sign·b + weight·vvᵀ, of lower triangles. */
function addOuter(a: Float64Array, b: Float64Array, sign: 1 | -1, v: Float64Array, weight: number): Float64Array {
  const sum = new Float64Array(a.length);
  for (let i = 0, at = 0; i < v.length; i++) {
    const factor = weight * v[i];
    for (let j = 0; j <= i; j++, at++) sum[at] = a[at] + sign * b[at] + factor * v[j];
  }
  return sum;
}

/** The Gaussian with these moments, its covariance divided by N−1. */
export function gaussianOf({ count, mean, scatter }: Moments): Gaussian {
  if (count < 2) throw new RangeError(`a covariance needs 2 vectors, got ${count}`);
  const d = mean.length;
  const covariance = new Float64Array(d * d);
  for (let i = 0, at = 0; i < d; i++) {
    for (let j = 0; j <= i; j++, at++) covariance[i * d + j] = covariance[j * d + i] = scatter[at] / (count - 1);
  }
  return { mean, covariance };
}

/** ‖μ₁−μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), the squared 2-Wasserstein distance of the Gaussians. */
export function frechetDistance(a: Gaussian, b: Gaussian): number {
  const d = a.mean.length;
  if (b.mean.length !== d) throw new RangeError(`vectors of ${d} and ${b.mean.length} numbers`);
  let distance = 0;
  for (let i = 0; i < d; i++) {
    distance += (a.mean[i] - b.mean[i]) ** 2 + a.covariance[i * d + i] + b.covariance[i * d + i];
  }
  // With Σ₁ = RᵀR, Σ₁Σ₂ has the eigenvalues of the symmetric RΣ₂Rᵀ.
  const { rows, rank } = pivotedCholesky(a.covariance, d);
  const crossTrace = symmetricEigen(tripleProduct(rows, rank, b.covariance, d), rank, false).values.reduce(
    (sum, value) => sum + Math.sqrt(Math.max(0, value)),
    0,
  );
  return Math.max(0, distance - 2 * crossTrace);
}

/**
 * R [rank,d] with RᵀR = A, for a positive semidefinite A: Cholesky's decomposition, largest pivot first, which stays
 * exact where A is singular (Higham 2002, "Accuracy and stability of numerical algorithms", §10.3).
 */
function pivotedCholesky(matrix: Float64Array, d: number): { rows: Float64Array; rank: number } {
  const rows = new Float64Array(d * d);
  const left = Float64Array.from({ length: d }, (_, i) => matrix[i * d + i]);
  const least = d * Number.EPSILON * Math.max(0, ...left);
  for (let rank = 0; rank < d; rank++) {
    let pivot = 0;
    for (let i = 1; i < d; i++) if (left[i] > left[pivot]) pivot = i;
    if (!(left[pivot] > least)) return { rows, rank };
    const root = Math.sqrt(left[pivot]);
    const at = rank * d;
    for (let j = 0; j < d; j++) rows[at + j] = matrix[pivot * d + j];
    for (let k = 0; k < at; k += d) {
      const factor = rows[k + pivot];
      for (let j = 0; j < d; j++) rows[at + j] -= factor * rows[k + j];
    }
    for (let j = 0; j < d; j++) {
      rows[at + j] /= root;
      left[j] -= rows[at + j] ** 2;
    }
    left[pivot] = Number.NEGATIVE_INFINITY;
  }
  return { rows, rank: d };
}

/** The lower triangle of R·A·Rᵀ, [rank,rank], for R [rank,d] and a symmetric A. */
function tripleProduct(rows: Float64Array, rank: number, matrix: Float64Array, d: number): Float64Array {
  const product = new Float64Array(rank * rank);
  const row = new Float64Array(d);
  for (let i = 0; i < rank; i++) {
    row.fill(0);
    for (let k = 0; k < d; k++) {
      const factor = rows[i * d + k];
      if (factor === 0) continue;
      for (let j = 0; j < d; j++) row[j] += factor * matrix[k * d + j];
    }
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += row[k] * rows[j * d + k];
      product[i * rank + j] = sum;
    }
  }
  return product;
}
