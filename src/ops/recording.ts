/**
 * Work that a device does over and over: an engine that can records what it is told once and repeats that, so that the
 * device need not wait for JavaScript (as CUDA graphs spare PyTorch its dispatch).
 */
import { type Tensor, tf } from '../tf.ts';

export interface Recording {
  /** What the work returned when it was recorded. */
  first: Promise<Float32Array>;
  /**
   * Does the work again with other values in its inputs, in their order.
   *
   * @returns the values of what the work returned, once they are there; other repetitions may be asked for before.
   */
  repeat(inputs: readonly (Float32Array | Int32Array)[]): Promise<Float32Array>;
  dispose(): void;
}

/**
 * Does `work` once, recording it. All that may differ next time must be in `inputs`; everything else that it reads or
 * changes in place stays where it is, and must outlive the recording.
 */
export type Recorder = (inputs: readonly Tensor[], work: () => Tensor) => Recording;

const recorders = new Map<string, Recorder>();

/** Makes `recorder` serve whenever the TensorFlow.js backend of that name is in use. */
export function registerRecorder(backendName: string, recorder: Recorder): void {
  recorders.set(backendName, recorder);
}

/** The recorder of the engine in use, if it has one. */
export function recorderInUse(): Recorder | undefined {
  return recorders.get(tf.getBackend());
}
