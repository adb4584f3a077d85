/**
 * A mixture of Gaussians with full covariances, by expectation maximisation (Dempster, Laird & Rubin 1977; Bishop 2006,
 * §9.2.2), from the means of k-means++ (Arthur & Vassilvitskii 2007). After an auto-encoder it serves nearly as well as a
 * learned prior (Ghosh et al. 2020, §4).
 *
 * Fitted: `weights` [K], `means` [K,D], `factors` [K,D,D], the lower triangular Cholesky factors of the covariances.
 * These are shrunk towards a diagonal Λ: Σ_k = (S_k + ν·Λ)/(n_k + ν) + 1e-8·I, ν = D/16, S_k the scatter of the n_k latents of
 * the component. Λ is the diagonal of the covariance within the first clusters, and stays: each step then raises the
 * likelihood times a prior of the covariances (inverse Wishart; Bishop, §9.4), or leaves it.
 */
import { Random } from '../../random.ts';
import { cholesky } from './gaussian.ts';
import { type ClosedFormPrior, type FittedPrior, randomOfDraw } from './prior.ts';

/** Components where there are latents enough: these for each dimension of a component. */
const COMPONENTS = 10;
const LATENTS_A_DIMENSION = 4;
/** It ends after so many steps, or where the mean log-likelihood of a latent rises by less than this (nats). */
const STEPS = 30;
const TOLERANCE = 1e-2;
/** A component of fewer latents is dropped. */
const FEWEST = 2;
/** Responsibilities below e^−20 count as none. */
const NEGLIGIBLE_NATS = 20;
const LLOYD_STEPS = 5;
/** k-means of more latents takes so many of them. */
const FIRST_LATENTS = 4000;
const RIDGE = 1e-8;
/** ν over D: a covariance counts Λ as so many latents. Of 64-D latents of faces, 1/16 predicts others best (of 1, 1/8, 1/16, 1/64). */
const PSEUDO_LATENTS = 1 / 16;

export const mixture = {
  hasTemperature: true,
  fit: (latents, dimensions) => fitMixture(latents, dimensions),
  sample({ weights, means, factors }, dimensions, { seed, count, temperature }) {
    const latents = new Float32Array(count * dimensions);
    for (let n = 0; n < count; n++) {
      const random = randomOfDraw(seed, n);
      let rest = random.uniform();
      let component = 0;
      while (component < weights.length - 1 && rest >= weights[component]) rest -= weights[component++];
      const noise = random.normals(dimensions, temperature);
      const [mean, factor] = [component * dimensions, component * dimensions * dimensions];
      for (let i = 0; i < dimensions; i++) {
        let value = means[mean + i];
        for (let j = 0; j <= i; j++) value += factors[factor + i * dimensions + j] * noise[j];
        latents[n * dimensions + i] = value;
      }
    }
    return latents;
  },
} satisfies ClosedFormPrior;

interface MixtureOptions {
  components?: number;
  steps?: number;
  tolerance?: number;
  /** Told what every step starts from: the mean log-likelihood of a latent with the prior of the covariances, in nats. */
  onStep?: (objective: number) => void;
}

/** @param options for tests: by default as the file's head says. */
export function fitMixture(latents: Float32Array, dimensions: number, options: MixtureOptions = {}): FittedPrior {
  const count = latents.length / dimensions;
  const {
    components = Math.max(1, Math.min(COMPONENTS, Math.floor(count / (LATENTS_A_DIMENSION * dimensions)))),
    steps = STEPS,
    tolerance = TOLERANCE,
    onStep,
  } = options;
  const first = clusters(latents, dimensions, components);
  const within = varianceWithin(latents, dimensions, first);
  let parts = maximise(latents, dimensions, first, within);
  const likeliest = new Uint32Array(count);
  let last = Number.NEGATIVE_INFINITY;
  for (let step = 0; step < steps; step++) {
    const { shares, logLikelihood } = expect(latents, dimensions, parts, likeliest);
    const objective = (logLikelihood + logPrior(parts, dimensions, within)) / count;
    onStep?.(objective);
    if (objective - last < tolerance) break;
    const before = parts.length;
    parts = maximise(latents, dimensions, shares, within);
    last = objective;
    if (parts.length < before) [last] = [Number.NEGATIVE_INFINITY, likeliest.fill(0)];
  }
  const flat = (rows: readonly Float64Array[]) => Float64Array.from(rows.flatMap((row) => Array.from(row)));
  return {
    weights: Float64Array.from(parts, ({ weight }) => weight),
    means: flat(parts.map(({ mean }) => mean)),
    factors: flat(parts.map(({ factor }) => factor)),
  };
}

interface Component {
  weight: number;
  mean: Float64Array;
  /** Lower triangular, [D,D], and its inverse. */
  factor: Float64Array;
  inverse: Float64Array;
  /** log of the determinant of the covariance. */
  logDeterminant: number;
}

/** Which share of each latent a component has: latents of any, with their shares. */
interface Shares {
  rows: number[];
  shares: number[];
}

/** Each latent wholly to the nearest of k-means++ means after some of Lloyd's steps. */
function clusters(latents: Float32Array, dimensions: number, components: number): Shares[] {
  const count = latents.length / dimensions;
  const random = new Random(0, 'mixture');
  const used = random.sample(count, Math.min(count, FIRST_LATENTS));
  const squaredDistance = (row: number, mean: Float64Array, bound: number) => {
    let sum = 0;
    for (let k = 0, at = row * dimensions; k < dimensions && sum < bound; k++) sum += (latents[at + k] - mean[k]) ** 2;
    return sum;
  };
  const latentAt = (row: number) => Float64Array.from(latents.subarray(row * dimensions, (row + 1) * dimensions));
  let means = [latentAt(used[random.integer(used.length)])];
  const nearest = new Float64Array(used.length).fill(Number.POSITIVE_INFINITY);
  while (means.length < components) {
    used.forEach((row, i) => {
      nearest[i] = Math.min(nearest[i], squaredDistance(row, means[means.length - 1], nearest[i]));
    });
    let rest = random.uniform() * nearest.reduce((sum, value) => sum + value, 0);
    const place = nearest.findIndex((value) => {
      rest -= value;
      return rest < 0;
    });
    if (place < 0) break; // fewer different latents than components
    means.push(latentAt(used[place]));
  }
  const assigned = (rows: Iterable<number>): number[][] => {
    const members: number[][] = means.map(() => []);
    for (const row of rows) {
      let best = 0;
      let bound = Number.POSITIVE_INFINITY;
      means.forEach((mean, k) => {
        const distance = squaredDistance(row, mean, bound);
        if (distance < bound) [best, bound] = [k, distance];
      });
      members[best].push(row);
    }
    return members.filter(({ length }) => length > 0);
  };
  for (let step = 0; step < LLOYD_STEPS; step++) {
    means = assigned(used).map((rows) => {
      const mean = new Float64Array(dimensions);
      for (const row of rows)
        for (let k = 0; k < dimensions; k++) mean[k] += latents[row * dimensions + k] / rows.length;
      return mean;
    });
  }
  return assigned(Array.from({ length: count }, (_, row) => row)).map((rows) => ({ rows, shares: rows.map(() => 1) }));
}

/** Λ: the variance of each dimension around the means of the clusters, [D]. */
function varianceWithin(latents: Float32Array, dimensions: number, parts: readonly Shares[]): Float64Array {
  const variance = new Float64Array(dimensions);
  for (const { rows } of parts) {
    for (let k = 0; k < dimensions; k++) {
      let mean = 0;
      for (const row of rows) mean += latents[row * dimensions + k] / rows.length;
      for (const row of rows) variance[k] += (latents[row * dimensions + k] - mean) ** 2;
    }
  }
  return variance.map((sum) => sum / (latents.length / dimensions));
}

/** The likeliest components for these shares. */
function maximise(
  latents: Float32Array,
  dimensions: number,
  all: readonly Shares[],
  within: Float64Array,
): Component[] {
  const massOf = ({ shares }: Shares) => shares.reduce((sum, share) => sum + share, 0);
  const masses = all.map(massOf);
  const kept = all.length === 1 ? all : all.filter((_, k) => masses[k] >= FEWEST || masses[k] === Math.max(...masses));
  const total = kept.reduce((sum, part) => sum + massOf(part), 0);
  return kept.map((part) => {
    const { rows, shares } = part;
    const mass = massOf(part);
    const mean = new Float64Array(dimensions);
    rows.forEach((row, i) => {
      for (let k = 0; k < dimensions; k++) mean[k] += (shares[i] / mass) * latents[row * dimensions + k];
    });
    const covariance = new Float64Array(dimensions * dimensions);
    const deviation = new Float64Array(dimensions);
    rows.forEach((row, n) => {
      for (let k = 0; k < dimensions; k++) deviation[k] = latents[row * dimensions + k] - mean[k];
      for (let i = 0; i < dimensions; i++) {
        const scaled = shares[n] * deviation[i];
        const start = i * dimensions;
        for (let j = 0; j <= i; j++) covariance[start + j] += scaled * deviation[j];
      }
    });
    const pseudo = PSEUDO_LATENTS * dimensions;
    for (let i = 0; i < dimensions; i++) {
      covariance[i * dimensions + i] += pseudo * within[i];
      for (let j = 0; j <= i; j++) covariance[i * dimensions + j] /= mass + pseudo;
      covariance[i * dimensions + i] += RIDGE;
    }
    const factor = cholesky(covariance, dimensions);
    let logDeterminant = 0;
    for (let i = 0; i < dimensions; i++) logDeterminant += 2 * Math.log(factor[i * dimensions + i]);
    return { weight: mass / total, mean, factor, inverse: inverseOf(factor, dimensions), logDeterminant };
  });
}

/**
 * Each component's shares of the latents, and the sum of the latents' log-likelihoods.
 *
 * @param likeliest of each latent, the component that has most of it: looked at first, and brought up to date.
 */
function expect(
  latents: Float32Array,
  dimensions: number,
  components: readonly Component[],
  likeliest: Uint32Array,
): { shares: Shares[]; logLikelihood: number } {
  const count = latents.length / dimensions;
  const shares: Shares[] = components.map(() => ({ rows: [], shares: [] }));
  const constants = components.map(
    ({ weight, logDeterminant }) => Math.log(weight) - (logDeterminant + dimensions * Math.log(2 * Math.PI)) / 2,
  );
  const deviation = new Float64Array(dimensions);
  const logs = new Float64Array(components.length);
  let logLikelihood = 0;
  for (let n = 0; n < count; n++) {
    // Beginning with the likeliest of the step before: the others are given up as soon as they are negligible.
    let best = Number.NEGATIVE_INFINITY;
    const before = likeliest[n];
    for (let turn = 0; turn < components.length; turn++) {
      const k = (before + turn) % components.length;
      const { mean, inverse } = components[k];
      for (let i = 0; i < dimensions; i++) deviation[i] = latents[n * dimensions + i] - mean[i];
      const most = 2 * (constants[k] - best + NEGLIGIBLE_NATS);
      let square = 0;
      for (let i = 0; i < dimensions && square <= most; i++) {
        let value = 0;
        for (let j = 0, at = i * dimensions; j <= i; j++, at++) value += inverse[at] * deviation[j];
        square += value * value;
      }
      logs[k] = square > most ? Number.NEGATIVE_INFINITY : constants[k] - square / 2;
      if (logs[k] > best) [best, likeliest[n]] = [logs[k], k];
    }
    let sum = 0;
    for (const log of logs) sum += Math.exp(log - best);
    logLikelihood += best + Math.log(sum);
    for (let k = 0; k < components.length; k++) {
      if (logs[k] < best - NEGLIGIBLE_NATS) continue;
      shares[k].rows.push(n);
      shares[k].shares.push(Math.exp(logs[k] - best) / sum);
    }
  }
  return { shares, logLikelihood };
}

/** log of the covariances' prior, but for a constant: −ν/2·(log|Σ_k| + tr(Λ·Σ_k⁻¹)), summed. */
function logPrior(components: readonly Component[], dimensions: number, within: Float64Array): number {
  let sum = 0;
  for (const { inverse, logDeterminant } of components) {
    let trace = 0; // Σ⁻¹ = L⁻ᵀ·L⁻¹
    for (let i = 0; i < dimensions; i++) {
      for (let j = 0; j <= i; j++) trace += within[j] * inverse[i * dimensions + j] ** 2;
    }
    sum -= ((PSEUDO_LATENTS * dimensions) / 2) * (logDeterminant + trace);
  }
  return sum;
}

/** The inverse of a lower triangular matrix [D,D]. */
function inverseOf(factor: Float64Array, dimensions: number): Float64Array {
  const inverse = new Float64Array(dimensions * dimensions);
  for (let column = 0; column < dimensions; column++) {
    for (let row = column; row < dimensions; row++) {
      let value = row === column ? 1 : 0;
      for (let k = column; k < row; k++) value -= factor[row * dimensions + k] * inverse[k * dimensions + column];
      inverse[row * dimensions + column] = value / factor[row * dimensions + row];
    }
  }
  return inverse;
}
