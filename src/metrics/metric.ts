/**
 * A metric of image sets is one file that exports a `Metric`, and one line in `registry.ts`; a user's own come by
 * `addMetric`, or in the list that `evaluateImageSets` is given.
 */
import { fnv1a, Random } from '../random.ts';
import type { About, BandEntry } from './result.ts';
import type { ImageStack } from './signal/imageStack.ts';
import type { Interval } from './signal/jackknife.ts';

export interface Metric<Input = ImageSets> {
  /** What users ask for it by, and what its draws are keyed by: `fwd`. */
  readonly name: string;
  readonly about: About & {
    /** Paper and equation, or where else the definition is from. */
    source: string;
    /** What exactly is computed, for the protocol of an evaluation. */
    protocol?: string;
  };
  /** Each number that it may find, by key. Left out where there is one, whose key is the metric's name. */
  readonly numbers?: Numbers;
  measure(input: Input, random: Draws): Found[] | Measured;
}

export type Numbers = Readonly<Record<string, About>>;

/** A number as a metric finds it. */
export interface Found {
  /** One of the metric's `numbers`. */
  key: string;
  /** End of the number's name: what fixes the protocol, with the unit last (`haar4_c3_n1000`, `r31_n1000_db`). */
  protocol: string;
  value: number;
  /** 95 % interval of the same quantity as the value, which it must hold; NaN ends where there is none. */
  interval?: Interval;
  /** Name of the band that the number is of; it stands between key and protocol in the number's name. */
  band?: string;
}

export interface Measured {
  found: Found[];
  /** What was left out or done otherwise than usual, and why. */
  notes?: string[];
  bands?: BandEntry[];
  rings?: BandEntry[];
}

/** What metrics of image sets measure. */
export interface ImageSets {
  generated: ImageStack;
  reference: ImageStack;
  /** Works out what several metrics need, once; its draws are keyed by this name. */
  shared<T>(name: string, compute: (random: Draws) => T): T;
}

/** Draws of one metric, the same at each call; parts have draws of their own. */
export type Draws = (part?: number) => Random;

/** Parts that draws may have: more would need a step of more bits than a number holds exactly. */
const MOST_PARTS = 2 ** 21;

/**
 * Draws keyed by a name: they depend neither on which other metrics there are nor on their order. The lower 32 bits of
 * the step are the name's FNV-1a hash (Fowler, Noll & Vo; RFC 9923), the part stands above.
 */
export function namedDraws(seed: number, name: string): Draws {
  const hash = fnv1a(name);
  return (part = 0) => {
    if (!(Number.isInteger(part) && part >= 0 && part < MOST_PARTS)) throw new RangeError(`no part ${part} of draws`);
    return new Random(seed, 'evaluation', part * 2 ** 32 + hash);
  };
}

/** Images that a set needs to have a floor: two halves of two images. */
export const FEWEST_SPLIT = 4;

/** What a metric gives where it can't be measured: no numbers, and the reason as a note. */
export function leaveOut(metric: string, reason: string): Measured {
  return { found: [], notes: [`${metric} is left out: ${reason}`] };
}
