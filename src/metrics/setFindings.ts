/** What the metrics of image sets work on and give back. */
import type { Random } from '../random.ts';
import type { BandEntry } from './result.ts';
import type { Interval } from './signal/bootstrap.ts';
import type { ImageStack } from './signal/imageStack.ts';

export const SET_METRICS = ['spectrum', 'fwd', 'swd', 'kid', 'coverage', 'diversity'] as const;
export type SetMetric = (typeof SET_METRICS)[number];

/** What one metric found. */
export interface Findings {
  metrics: Record<string, number>;
  intervals?: Record<string, Interval>;
  notes?: string[];
  bands?: BandEntry[];
  rings?: BandEntry[];
}

export interface Sets {
  generated: ImageStack;
  reference: ImageStack;
  /** Draws of a metric, the same at each call; the parts have draws of their own. */
  random: (metric: SetMetric, part?: number) => Random;
}

/** A floor needs two halves of two images. */
export const FEWEST_SPLIT = 4;

export function leftOut(metric: string, reason: string): Findings {
  return { metrics: {}, notes: [`${metric} is left out: ${reason}`] };
}
