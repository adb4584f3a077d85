/** The addon under test, or none: where it can't be built these suites say so and are skipped. */
import { type Addon, configureNative, loadAddon } from '../../../src/engine/native/addon.ts';
import { messageOf } from '../../../src/errors.ts';

function tryLoading(): Addon | undefined {
  try {
    return loadAddon().addon;
  } catch (error) {
    console.info(`native engine not tested: ${messageOf(error)}`);
    return undefined;
  }
}

const loaded = tryLoading();

export const isBuilt = loaded !== undefined;
export const addon = loaded as Addon;
/** Every instruction set of this machine. */
export const instructionSets: string[] = loaded?.instructionSets() ?? [];

/** Runs `work` with each of these settings in turn, and restores the settings. */
export function withSettings<T>(settings: { threads?: number; instructionSet?: string }, work: () => T): T {
  const { settings: before } = loadAddon();
  configureNative(settings);
  try {
    return work();
  } finally {
    configureNative(before);
  }
}

/** Largest absolute difference, relative to the largest absolute value expected (or 1 where that is smaller). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [error, scale] = [0, 1e-30];
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= error)) error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return error / scale;
}

/** Whether two arrays hold the same bits; quicker than comparing elements. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bytes = (array: Float32Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return Buffer.compare(bytes(a), bytes(b)) === 0;
}
