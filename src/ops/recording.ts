/**
 * Work that a device does over and over: an engine that can records what it is told once and repeats that, so that the
 * device need not wait for JavaScript (as CUDA graphs spare PyTorch its dispatch).
 */
import { kernelsInUse, type Recorder } from './kernels.ts';

export type { Recorder, Recording } from './kernels.ts';

/** The recorder of the engine in use, if it has one. */
export function recorderInUse(): Recorder | undefined {
  return kernelsInUse().record;
}
