/**
 * Counter-based randomness: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 *
 * A generator is a pure function of (seed, stream, step), so nothing has to be saved for a resumed run to draw the
 * same numbers as an uninterrupted one.
 */

/**
 * Names what the numbers are for; every use has a stream of its own, in one file. Numbers are never reused or changed:
 * runs are resumed with the same draws.
 */
export const STREAMS = {
  encoding: 1,
  parameters: 2,
  latents: 3,
  imageOrder: 4,
  points: 5,
  sample: 6,
  evaluation: 7,
  latentNoise: 8,
  synthetic: 9,
  imageNoise: 10,
  noiseDraws: 11,
  impulses: 12,
  disturbances: 13,
  pathPlaces: 14,
  randomFeatures: 15,
  pairedImages: 16,
  scaleConsistency: 17,
  /** Of plugins, whatever for. */
  plugin: 18,
  encoder: 19,
  posterior: 20,
  /** Of groups of parameters that name no stream: the step is the hash of the group's name. */
  groups: 21,
  faces: 24,
  /** Of the mixture prior's first means. */
  mixture: 25,
  /** Batches of a flow prior. */
  flow: 26,
  /** Which latents a flow prior holds out, and what they are measured with. */
  flowHeldOut: 27,
} as const;
export type Stream = keyof typeof STREAMS;

export function isStream(name: string): name is Stream {
  return Object.hasOwn(STREAMS, name);
}

/** A number for a name: the FNV-1a hash of its UTF-8, unsigned, 32 bits (Fowler, Noll & Vo; RFC 9923). */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** High 32 bits of the unsigned product of two 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aLow * bLow;
  const middle1 = aHigh * bLow + (low >>> 16);
  const middle2 = aLow * bHigh + (middle1 & 0xffff);
  return (aHigh * bHigh + Math.floor(middle1 / 65536) + Math.floor(middle2 / 65536)) >>> 0;
}

/** Philox4x32-10: four 32-bit words from a 128-bit counter and a 64-bit key. */
export function philox4x32(counter: readonly number[], key: readonly number[]): [number, number, number, number] {
  let [c0, c1, c2, c3] = [counter[0] >>> 0, counter[1] >>> 0, counter[2] >>> 0, counter[3] >>> 0];
  let [k0, k1] = [key[0] >>> 0, key[1] >>> 0];
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** `philox4x32` of a block below 2³², without arrays: for much at once. */
function philoxInto(words: Uint32Array, block: number, c2: number, c3: number, k0: number, k1: number): void {
  let [x0, x1, x2, x3] = [block >>> 0, 0, c2, c3];
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, x0);
    const low0 = Math.imul(MULTIPLIER_0, x0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, x2);
    const low1 = Math.imul(MULTIPLIER_1, x2) >>> 0;
    x0 = (high1 ^ x1 ^ k0) >>> 0;
    x1 = low1;
    x2 = (high0 ^ x3 ^ k1) >>> 0;
    x3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  words[0] = x0;
  words[1] = x1;
  words[2] = x2;
  words[3] = x3;
}

/** Draws from the sequence named by (seed, stream, step). */
export class Random {
  private readonly key: [number, number];
  private readonly high: [number, number];
  private block = 0;
  private words: number[] = [];

  constructor(seed: number, stream: Stream, step = 0) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new RangeError(`seed must be a non-negative integer, got ${seed}`);
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.high = [step >>> 0, ((Math.floor(step / 2 ** 32) << 8) | STREAMS[stream]) >>> 0];
  }

  /** A uniform 32-bit word. */
  word(): number {
    if (this.words.length === 0) {
      const low = this.block >>> 0;
      const upper = Math.floor(this.block / 2 ** 32) >>> 0;
      this.words = philox4x32([low, upper, ...this.high], this.key).reverse();
      this.block++;
    }
    return this.words.pop()!;
  }

  /** Uniform in [0, 1) with 53 bits. */
  uniform(): number {
    const high = this.word() >>> 5;
    const low = this.word() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** Uniform integer in [0, bound), unbiased by rejection. */
  integer(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const word = this.word();
      if (word < limit) return word % bound;
    }
  }

  /** Standard normal (Box–Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** `length` normals of the given standard deviation. */
  normals(length: number, standardDeviation = 1): Float32Array {
    return Float32Array.from({ length }, () => standardDeviation * this.normal());
  }

  /**
   * `length` standard normals for large batches of noise: both of Box and Muller's pair, of uniforms with 32 bits. Other
   * numbers than `normals` gives, in a fifth of the time; none is beyond ±6.7. Starts at the next whole block.
   */
  manyNormals(length: number): Float32Array {
    const values = new Float32Array(length);
    const words = new Uint32Array(4);
    for (let i = 0; i < length; i += 4, this.block++) {
      philoxInto(words, this.block, this.high[0], this.high[1], this.key[0], this.key[1]);
      for (let pair = 0; pair < 4; pair += 2) {
        const radius = Math.sqrt(-2 * Math.log((words[pair] + 1) / 2 ** 32));
        const angle = (2 * Math.PI * words[pair + 1]) / 2 ** 32;
        values[i + pair] = radius * Math.cos(angle);
        values[i + pair + 1] = radius * Math.sin(angle);
      }
    }
    return values;
  }

  /** `length` uniforms in [low, high). */
  uniforms(length: number, low: number, high: number): Float32Array {
    return Float32Array.from({ length }, () => low + (high - low) * this.uniform());
  }

  /** The first `count` entries of a random permutation of 0…total−1 (partial Fisher–Yates). */
  sample(total: number, count: number): Int32Array {
    const pool = Int32Array.from({ length: total }, (_, i) => i);
    for (let i = 0; i < count; i++) {
      const j = i + this.integer(total - i);
      [pool[i], pool[j]] = [pool[j], pool[i]];
    }
    return pool.slice(0, count);
  }
}
