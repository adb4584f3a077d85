/** Latents along a path through given ones. */

export interface PathOptions {
  /** Number of latents along the whole path. */
  frames: number;
  /** Return from the last latent to the first; the last frame is then one step short of the first. */
  closed?: boolean;
  /** `linear` by default; `spherical` keeps the length of Gaussian latents, where a chord cuts the corner. */
  kind?: 'linear' | 'spherical';
}

/**
 * Latents at equal steps along a path; frame 0 is the first latent, and an open path ends on the last.
 *
 * @param latents at least one, each [D].
 * @returns [frames, D]
 */
export function interpolateLatents(latents: readonly Float32Array[], options: PathOptions): Float32Array {
  const { frames, closed = false, kind = 'linear' } = options;
  if (!Number.isInteger(frames) || frames < 1) throw new RangeError(`frames must be a positive integer, got ${frames}`);
  if (latents.length === 0) throw new RangeError('a path needs at least one latent');
  const size = latents[0].length;
  if (latents.some((latent) => latent.length !== size)) throw new RangeError('latents differ in size');
  const between = kind === 'spherical' ? slerp : lerp;
  const legs = closed ? latents.length : latents.length - 1;
  const steps = closed ? frames : Math.max(1, frames - 1);
  const path = new Float32Array(frames * size);
  for (let frame = 0; frame < frames; frame++) {
    // In whole numbers as far as possible, so that frames that fall on a latent are that latent.
    const leg = Math.min(Math.floor((frame * legs) / steps), Math.max(0, legs - 1));
    const t = (frame * legs - leg * steps) / steps;
    path.set(between(latents[leg], latents[(leg + 1) % latents.length], t), frame * size);
  }
  return path;
}

/** (1−t)·a + t·b */
export function lerp(a: Float32Array, b: Float32Array, t: number): Float32Array {
  return a.map((x, i) => (1 - t) * x + t * b[i]);
}

/**
 * Spherical interpolation (Shoemake 1985; for latents White 2016, arXiv:1609.04468): the direction turns at a constant
 * rate along the great circle, and, unlike theirs, the length goes linearly from |a| to |b|. Opposite vectors, which
 * have no one great circle, take the one towards the axis most nearly at right angles; without a direction (a zero
 * vector, or opposite numbers where D = 1) it is linear.
 */
export function slerp(a: Float32Array, b: Float32Array, t: number): Float32Array {
  const [lengthA, lengthB] = [norm(a), norm(b)];
  if (lengthA === 0 || lengthB === 0) return lerp(a, b, t);
  const from = Float64Array.from(a, (x) => x / lengthA);
  const to = Float64Array.from(b, (x) => x / lengthB);
  const cosine = dot(from, to);
  let side = to.map((x, i) => x - cosine * from[i]); // the part of `to` at right angles to `from`
  const sine = norm(side);
  const angle = Math.atan2(sine, cosine);
  if (sine < 1e-6) {
    if (cosine > 0) return lerp(a, b, t);
    const axis = from.reduce((least, x, i) => (Math.abs(x) < Math.abs(from[least]) ? i : least), 0);
    side = from.map((x, i) => (i === axis ? 1 : 0) - from[axis] * x);
  }
  const sideLength = norm(side);
  if (sideLength < 1e-6) return lerp(a, b, t);
  const length = (1 - t) * lengthA + t * lengthB;
  return a.map((_, i) => length * (Math.cos(t * angle) * from[i] + (Math.sin(t * angle) * side[i]) / sideLength));
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function norm(a: ArrayLike<number>): number {
  return Math.sqrt(dot(a, a));
}
