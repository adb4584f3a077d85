/**
 * Eigenvalues of real symmetric matrices, in float64: Householder's reduction to tridiagonal form, then QL with implicit
 * shifts (Martin, Reinsch & Wilkinson 1968; Dubrulle, Martin & Wilkinson 1968: EISPACK's TRED2 and TQL2).
 *
 * Not a library's: for values alone it takes a quarter of ml-matrix' time, with vectors some 0.55 of it (bench/eigen.ts).
 */

export interface SymmetricEigen {
  /** Eigenvalues, in no order. */
  values: Float64Array;
  /** [n,n] row-major, one eigenvector a column; undefined where not asked for. */
  vectors?: Float64Array;
}

/** QL needs 2 or so iterations a value. */
const MOST_ITERATIONS = 60;

/** @param matrix [n,n], symmetric; only its lower triangle is read. */
export function symmetricEigen(matrix: ArrayLike<number>, n: number, withVectors = true): SymmetricEigen {
  if (matrix.length !== n * n) throw new RangeError(`${matrix.length} values for a matrix of ${n}x${n}`);
  const work = Float64Array.from(matrix);
  const { diagonal, below } = tridiagonalise(work, n, withVectors);
  if (!withVectors) {
    implicitQl(diagonal, below);
    return { values: diagonal };
  }
  // Rotated as rows, which lie together in memory, eigenvectors take a fraction of the time.
  transpose(work, n);
  implicitQl(diagonal, below, work);
  transpose(work, n);
  return { values: diagonal, vectors: work };
}

/** Reduces `a` to tridiagonal form; leaves the accumulated transformations in `a` where they are wanted. */
function tridiagonalise(a: Float64Array, n: number, accumulate: boolean) {
  const diagonal = new Float64Array(n);
  const below = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    const row = i * n;
    let scale = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(a[row + k]);
    if (i === 1 || scale === 0) {
      below[i] = a[row + i - 1];
      diagonal[i] = 0;
      continue;
    }
    let h = 0;
    for (let k = 0; k < i; k++) {
      a[row + k] /= scale;
      h += a[row + k] ** 2;
    }
    const f = a[row + i - 1];
    const g = f >= 0 ? -Math.sqrt(h) : Math.sqrt(h);
    below[i] = scale * g;
    h -= f * g;
    a[row + i - 1] = f - g;
    // p = A u / h, built row by row so that memory is swept in order.
    below.fill(0, 0, i);
    for (let j = 0; j < i; j++) {
      if (accumulate) a[j * n + i] = a[row + j] / h;
      let sum = a[j * n + j] * a[row + j];
      for (let k = 0; k < j; k++) {
        sum += a[j * n + k] * a[row + k];
        below[k] += a[j * n + k] * a[row + j];
      }
      below[j] += sum;
    }
    let projection = 0;
    for (let j = 0; j < i; j++) {
      below[j] /= h;
      projection += below[j] * a[row + j];
    }
    const half = projection / (2 * h);
    for (let j = 0; j < i; j++) {
      const u = a[row + j];
      const q = below[j] - half * u;
      below[j] = q;
      for (let k = 0; k <= j; k++) a[j * n + k] -= u * below[k] + q * a[row + k];
    }
    diagonal[i] = h;
  }
  below[0] = 0;
  if (!accumulate) {
    for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i];
    return { diagonal, below };
  }
  accumulateTransformations(a, diagonal, n);
  return { diagonal, below };
}

/** Multiplies the transformations that `a` holds into it; `diagonal` holds their scales, then the matrix' diagonal. */
function accumulateTransformations(a: Float64Array, diagonal: Float64Array, n: number): void {
  diagonal[0] = 0;
  const products = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    if (diagonal[i] !== 0) {
      products.fill(0, 0, i);
      for (let k = 0; k < i; k++) {
        const factor = a[i * n + k];
        for (let j = 0; j < i; j++) products[j] += factor * a[k * n + j];
      }
      for (let k = 0; k < i; k++) {
        const factor = a[k * n + i];
        for (let j = 0; j < i; j++) a[k * n + j] -= products[j] * factor;
      }
    }
    diagonal[i] = a[i * n + i];
    a[i * n + i] = 1;
    for (let j = 0; j < i; j++) a[j * n + i] = a[i * n + j] = 0;
  }
}

/** Turns the tridiagonal matrix into its eigenvalues, in `d`; rotates the rows of `z` along. */
function implicitQl(d: Float64Array, e: Float64Array, z?: Float64Array): void {
  const n = d.length;
  e.copyWithin(0, 1);
  e[n - 1] = 0;
  for (let l = 0; l < n; l++) {
    for (let iteration = 0; ; iteration++) {
      let m = l;
      while (m < n - 1) {
        const size = Math.abs(d[m]) + Math.abs(d[m + 1]);
        if (Math.abs(e[m]) <= Number.EPSILON * size) break;
        m++;
      }
      if (m === l) break;
      if (iteration === MOST_ITERATIONS) throw new RangeError('eigenvalues of a matrix that is not finite');
      let g = (d[l + 1] - d[l]) / (2 * e[l]);
      let r = Math.hypot(g, 1);
      g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r));
      let [s, c, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const [f, b] = [s * e[i], c * e[i]];
        r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1] -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        if (z) rotateRows(z, n, i, c, s);
      }
      if (r === 0 && i >= l) continue;
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
}

function rotateRows(z: Float64Array, n: number, i: number, c: number, s: number): void {
  const [upper, lower] = [z.subarray(i * n, (i + 1) * n), z.subarray((i + 1) * n, (i + 2) * n)];
  for (let k = 0; k < n; k++) {
    const u = upper[k];
    const f = lower[k];
    lower[k] = s * u + c * f;
    upper[k] = c * u - s * f;
  }
}

function transpose(matrix: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const swapped = matrix[i * n + j];
      matrix[i * n + j] = matrix[j * n + i];
      matrix[j * n + i] = swapped;
    }
  }
}
