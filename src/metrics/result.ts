/** What an evaluation says: protocol, flat numbers with their intervals, the same as findings, numbers of bands. */
import type { Band } from './signal/bands.ts';
import type { Interval } from './signal/jackknife.ts';

/** A band's edges and modes, and numbers about it. */
export type BandEntry = Band & Record<string, number | string>;

/** What a number is, for those who read it. */
export interface About {
  /** What heads it in tables: `FWD`. */
  label: string;
  unit?: string;
  /** Which direction is better; left out where neither is: of a slope, of a floor. */
  better?: 'low' | 'high';
  /** How to read it, in one line. */
  reads?: string;
  /**
   * `headline` (where left out): decides, and stands first; `supporting`: comes after, in reports too; `detail`: on
   * screen and in files only.
   */
  role?: Role;
  /** The number to compare it with, a floor or an expectation: its key, and what it is of. */
  against?: { key: string; label: string };
}

export const ROLES = ['headline', 'supporting', 'detail'] as const;
export type Role = (typeof ROLES)[number];

/** One number of an evaluation, with all that a reader needs; `metrics` and `intervals` hold it by its name. */
export interface Finding extends Omit<About, 'against' | 'role'> {
  /** Name of the metric that found it. */
  metric: string;
  /** Which number, whatever the protocol: `fwd`, `fwd_floor`. Reports look numbers up by it. */
  key: string;
  /** Prefix, key, band and protocol: `samples_fwd_haar4_c3_n1000`. */
  name: string;
  value: number;
  /** 95 % interval; always holds the value. */
  interval?: Interval;
  /** Name of the band that it is of, `dc`, `corner` or an octave, where it is of one: tables of bands show these. */
  band?: string;
  role: Role;
  against?: { name: string; value: number; label: string };
}

export interface EvaluationResult {
  /** What exactly was computed, from what, in one paragraph. */
  protocol: string;
  /** The flat numbers; names are unique within a run and say the unit (`reconstruction_psnr_db`). */
  metrics: Record<string, number>;
  /** 95 % intervals of some of the metrics, by the metric's name. */
  intervals?: Record<string, Interval>;
  /** The metrics once more, each with its key and how it reads; what earlier versions wrote has none: see `findingsOf`. */
  findings?: Finding[];
  /** Few, wide bands that people read. */
  bands?: BandEntry[];
  /** The finest bands. */
  rings?: BandEntry[];
  /** What was left out or done otherwise than usual, and why. */
  notes?: string[];
  /** Of sets: what the reference images are, `held-out images` say; training images where left out. */
  reference?: string;
  /** Numbers of single images, each with the image's name. */
  images?: Record<string, number | string>[];
}

/** Collects the flat numbers of an evaluation, and those of their intervals whose ends are finite. */
export class FlatNumbers {
  readonly metrics: Record<string, number> = {};
  readonly intervals: Record<string, Interval> = {};

  put(name: string, value: number, interval?: Interval): void {
    this.metrics[name] = value;
    if (interval?.every(Number.isFinite)) this.intervals[name] = interval;
  }
}
