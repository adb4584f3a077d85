/**
 * Density and coverage (Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", eqs. 4–5):
 * with a ball around each reference image that reaches to its k-th nearest other,
 *   density  = how many balls a generated image lies in, over k (1 expected for equal distributions; may exceed 1),
 *   coverage = the fraction of balls that hold a generated image.
 */
export interface DensityCoverage {
  /** One term per generated image; density is their mean. */
  densities: Float64Array;
  /** 1 or 0 per reference image; coverage is their mean. */
  covered: Float64Array;
  /** Balls of radius 0, around images with k copies or more. */
  points: number;
}

/** @param generated, reference features [count, dimensions]; more than k reference images. */
export function densityCoverage(
  generated: Float64Array,
  reference: Float64Array,
  dimensions: number,
  k: number,
): DensityCoverage {
  const [n, m] = [reference.length / dimensions, generated.length / dimensions];
  if (k < 1 || k >= n) throw new RangeError(`no ${k} nearest among ${n - 1} other images`);
  const densities = new Float64Array(m);
  const covered = new Float64Array(n);
  let points = 0;
  const others = new Float64Array(n - 1);
  for (let i = 0; i < n; i++) {
    for (let j = 0, at = 0; j < n; j++) {
      if (j !== i) others[at++] = squaredDistance(reference, i, reference, j, dimensions);
    }
    const radius = others.sort()[k - 1];
    // A ball around k copies or more is a point, which holds what lies at it; it counts by how many others it holds.
    const held = radius > 0 ? k : others.reduce((sum, distance) => sum + Number(distance === 0), 0);
    if (radius === 0) points++;
    for (let j = 0; j < m; j++) {
      const distance = squaredDistance(reference, i, generated, j, dimensions);
      if (radius > 0 ? distance >= radius : distance > 0) continue;
      densities[j] += 1 / held;
      covered[i] = 1;
    }
  }
  return { densities, covered, points };
}

/** 1 − ∏_{i=1..k} (N−i)/(N+M−i): the coverage expected of M images from the distribution of the N reference images. */
export function expectedCoverage(references: number, generated: number, k: number): number {
  let missed = 1;
  for (let i = 1; i <= k; i++) missed *= (references - i) / (references + generated - i);
  return 1 - missed;
}

function squaredDistance(a: Float64Array, i: number, b: Float64Array, j: number, dimensions: number): number {
  let sum = 0;
  for (let k = 0, p = i * dimensions, q = j * dimensions; k < dimensions; k++) sum += (a[p + k] - b[q + k]) ** 2;
  return sum;
}
