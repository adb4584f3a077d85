/** What an engine is. */
import type { Kernels } from '../ops/kernels.ts';

export type Availability =
  /** `onlyByName`: why `auto` passes it over, where it does. */
  { available: true; detail: string; onlyByName?: string } | { available: false; reason: string; remedy: string };

export interface Engine {
  name: string;
  /** What it computes on, in a few words. */
  description: string;
  /** Looks, without side effects that outlive the call, whether `start` would work here. */
  probe(): Promise<Availability>;
  /**
   * Makes this engine's backend the one that computes; the same kernels each time. Call `startEngine`, which also puts
   * them to use.
   */
  start(): Promise<Kernels>;
  /** The device that `start` found, where there are several kinds. */
  device?(): string;
}
