/** What an evaluation says: protocol, flat numbers with their intervals, numbers of bands. */
import type { Band } from './signal/bands.ts';
import type { Interval } from './signal/bootstrap.ts';

/** A band's edges and modes, and numbers about it. */
export type BandEntry = Band & Record<string, number | string>;

export interface EvaluationResult {
  /** What exactly was computed, from what, in one paragraph. */
  protocol: string;
  /** The flat numbers; names are unique within a run and say the unit (`reconstruction_psnr_db`). */
  metrics: Record<string, number>;
  /** 95 % intervals of some of the metrics, by the metric's name. */
  intervals?: Record<string, Interval>;
  /** Few, wide bands that people read. */
  bands?: BandEntry[];
  /** The finest bands. */
  rings?: BandEntry[];
  /** What was left out or done otherwise than usual, and why. */
  notes?: string[];
  /** Of single images, by name. */
  images?: Record<string, number | string>[];
}
