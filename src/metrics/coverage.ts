/**
 * Density and coverage (Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", eqs. 4–5):
 * with a ball around each reference image that reaches to its k-th nearest other,
 *   density  = how many balls a generated image lies in, over k (1 expected for equal distributions; may exceed 1),
 *   coverage = the fraction of balls that hold a generated image.
 *
 * A reference image is in the radii of its neighbours' balls too, so intervals leave out images of both sides, one by
 * one. Resampling would not do: copies among the reference make balls smaller.
 */
import { type ImageSets, leaveOut, type Measured, type Metric } from './metric.ts';
import { RANDOM_FEATURES, sharedFeatures } from './randomFeatures.ts';
import { meanOf } from './signal/bootstrap.ts';
import { type Estimate, type Interval, NO_INTERVAL, twoSampleInterval } from './signal/jackknife.ts';

/** Neighbours whose distance is a ball's radius, where there are so many images. */
const NEIGHBOURS = 5;

export const coverage: Metric = {
  name: 'coverage',
  about: {
    label: 'Density and coverage',
    source: 'Naeem et al. 2020, eqs. 4–5',
    protocol: 'density, coverage: features of a random network, no learned weights; jackknife intervals',
  },
  numbers: {
    coverage: {
      label: 'Coverage',
      better: 'high',
      reads: 'share of reference images that a generated one comes near',
      against: { key: 'coverage_expected', label: 'equal sets' },
    },
    density: {
      label: 'Density',
      reads: 'how typical images are; 1 is as typical as the reference, above they crowd where it is dense',
    },
    coverage_expected: { label: 'Coverage of equal sets', role: 'detail' },
  },
  measure: measureCoverage,
};

function measureCoverage(sets: ImageSets): Measured {
  const { generated, reference, count, references } = sharedFeatures(sets);
  if (references <= NEIGHBOURS) {
    return leaveOut('coverage', `it needs more than ${NEIGHBOURS} reference images, there are ${references}`);
  }
  const measured = densityCoverage(generated, reference, RANDOM_FEATURES, NEIGHBOURS);
  const { points } = measured;
  const protocol = `k${NEIGHBOURS}_random${RANDOM_FEATURES}_n${count}`;
  return {
    found: [
      { key: 'density', protocol, ...measured.density },
      { key: 'coverage', protocol, ...measured.coverage },
      { key: 'coverage_expected', protocol, value: expectedCoverage(references, count, NEIGHBOURS) },
    ],
    ...(points > 0 && {
      notes: [
        `density and coverage: ${points} of ${references} reference images have ${NEIGHBOURS} copies or more; ` +
          'only further copies count as near them',
      ],
    }),
  };
}

export interface DensityCoverage {
  /** One term per generated image; density is their mean. */
  densities: Float64Array;
  /** 1 or 0 per reference image; coverage is their mean. */
  covered: Float64Array;
  /**
   * Both with jackknife intervals over both sets; NaN below 3 generated or k + 2 reference images, or where nothing
   * varies.
   */
  density: Estimate;
  coverage: Estimate;
  /** Balls of radius 0, around images with k copies or more. */
  points: number;
}

/**
 * A ball around a reference image. Around k copies or more its radius is 0: a point, which holds only what lies exactly
 * at it.
 */
interface Ball {
  squaredRadius: number;
  /** Other reference images in it: what the count of generated images in it is divided by. */
  others: number;
}

/**
 * Density and coverage of generated images among reference images.
 *
 * @param generated, reference features [count, dimensions]; more than k reference images.
 */
export function densityCoverage(
  generated: Float64Array,
  reference: Float64Array,
  dimensions: number,
  k: number,
): DensityCoverage {
  const [n, m] = [reference.length / dimensions, generated.length / dimensions];
  if (k < 1 || k >= n) throw new RangeError(`no ${k} nearest among ${n - 1} other images`);
  const [densities, alone] = [new Float64Array(m), new Float64Array(m)];
  const [held, covered] = [new Float64Array(n), new Float64Array(n)];
  // What leaving out one reference image changes in the other balls' sums.
  const [heldChange, coveredChange] = [new Float64Array(n), new Float64Array(n)];
  let points = 0;
  const others = new Float64Array(n - 1);
  const distances = new Float64Array(m);
  for (let i = 0; i < n; i++) {
    for (let j = 0, at = 0; j < n; j++) {
      if (j !== i) others[at++] = squaredDistance(reference, i, reference, j, dimensions);
    }
    for (let j = 0; j < m; j++) distances[j] = squaredDistance(reference, i, generated, j, dimensions);
    const sorted = others.slice().sort();
    const copies = sorted.reduce((sum, distance) => sum + Number(distance === 0), 0);
    const ball: Ball = { squaredRadius: sorted[k - 1], others: Math.max(k, copies) };
    if (ball.squaredRadius === 0) points++;
    const inside = [...distances.keys()].filter((j) => isInside(ball, distances[j]));
    for (const j of inside) densities[j] += 1 / ball.others;
    held[i] = inside.length / ball.others;
    covered[i] = Number(inside.length > 0);
    if (inside.length === 1) alone[inside[0]]++;
    // Without any one of its neighbours, the ball reaches to the next.
    const wider: Ball = { squaredRadius: sorted[k], others: Math.max(k, copies - 1) };
    const count = distances.reduce((sum, distance) => sum + Number(isInside(wider, distance)), 0);
    for (let j = 0; j < n - 1; j++) {
      if (others[j] > ball.squaredRadius) continue;
      const neighbour = j < i ? j : j + 1;
      heldChange[neighbour] += count / wider.others - held[i];
      coveredChange[neighbour] += Number(count > 0) - covered[i];
    }
  }
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const [allHeld, allCovered] = [sum(held), sum(covered)];
  const isEnough = m > 2 && n > k + 1;
  const estimate = (value: number, withoutGenerated: Float64Array, withoutReference: Float64Array, most: number) => ({
    value,
    interval: isEnough
      ? clampInterval(twoSampleInterval(value, withoutGenerated, withoutReference), most)
      : NO_INTERVAL,
  });
  return {
    densities,
    covered,
    points,
    density: estimate(
      meanOf(densities),
      densities.map((density) => (allHeld - density) / (m - 1)),
      held.map((own, i) => (allHeld - own + heldChange[i]) / m),
      Number.POSITIVE_INFINITY,
    ),
    coverage: estimate(
      meanOf(covered),
      alone.map((lost) => (allCovered - lost) / n),
      covered.map((own, i) => (allCovered - own + coveredChange[i]) / (n - 1)),
      1,
    ),
  };
}

function isInside({ squaredRadius }: Ball, squaredDistance: number): boolean {
  return squaredRadius > 0 ? squaredDistance < squaredRadius : squaredDistance === 0;
}

/** The interval cut at 0 and `most`; none where nothing varied. */
function clampInterval([low, high]: Interval, most: number): Interval {
  return low < high ? [Math.max(0, low), Math.min(most, high)] : NO_INTERVAL;
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
