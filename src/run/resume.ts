/** Which checkpoint a run may go on from: one of the same model, trained on the same images. */
import { createHash } from 'node:crypto';
import { formatExperiment, parseExperiment } from '../config/load.ts';
import type { Experiment } from '../config/schema.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { RunError } from '../errors.ts';
import type { Checkpoint } from './checkpoints.ts';

/** What a checkpoint says of itself: the config, the images' names, and the SHA-256 of their pixels. */
export interface CheckpointMetadata extends Record<string, string> {
  config: string;
  names: string;
  images: string;
}

export function checkpointMetadata(experiment: Experiment, images: ImageSet): CheckpointMetadata {
  return {
    config: formatExperiment(experiment),
    names: JSON.stringify(images.names),
    images: createHash('sha256').update(images.pixels).digest('hex'),
  };
}

/**
 * The experiment that a checkpoint was trained with.
 *
 * @throws RunError where the checkpoint doesn't say.
 */
export function checkpointExperiment({ metadata, path }: Checkpoint): Experiment {
  if (metadata.config === undefined)
    throw new RunError(`${path}: is no checkpoint of Chladni: its metadata has no config`);
  return parseExperiment(metadata.config, path);
}

/**
 * Refuses to go on from a checkpoint with another seed, objective, model, data or other images. Everything else (steps,
 * learning rates, engine, where the images lie) may change.
 *
 * @throws RunError naming the first key that differs, and both values.
 */
export function requireSameRun(checkpoint: Checkpoint, experiment: Experiment, current: CheckpointMetadata): void {
  const stored = checkpointExperiment(checkpoint);
  const difference = firstDifference(identity(stored), identity(experiment));
  if (difference) {
    const [key, was, is] = difference;
    throw new RunError(
      `${checkpoint.path}: belongs to another config: trained with ${key} ${was}, now ${is}; leave ${key} as it was, or start a new run with another --run`,
    );
  }
  if (checkpoint.metadata.images !== current.images || checkpoint.metadata.names !== current.names) {
    throw new RunError(
      `${checkpoint.path}: was trained on other images than data.path holds now; restore them or start a new run`,
    );
  }
}

/** What can't change within a run. */
function identity({ seed, objective, data, model }: Experiment): object {
  const { source, size, fit, background, limit } = data;
  return { seed, objective, data: { source, size, fit, background, limit }, model };
}

/** Path and both values of the first leaf that differs. */
function firstDifference(a: object, b: object, prefix = ''): [key: string, a: string, b: string] | undefined {
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const [x, y] = [left[key], right[key]];
    if (typeof x === 'object' && x !== null && typeof y === 'object' && y !== null) {
      const nested = firstDifference(x, y, `${prefix}${key}.`);
      if (nested) return nested;
    } else if (x !== y) {
      return [prefix + key, JSON.stringify(x) ?? 'unset', JSON.stringify(y) ?? 'unset'];
    }
  }
  return undefined;
}
