/** Which checkpoint a run may go on from: one of the same model, trained on the same images. */
import { createHash } from 'node:crypto';
import { formatExperiment, parseExperiment } from '../config/load.ts';
import { pluginDigest } from '../config/plugins.ts';
import type { Experiment } from '../config/schema.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { RunError } from '../errors.ts';
import type { Checkpoint } from './checkpoints.ts';

/** What a checkpoint says of itself: the config, the images' names, and the SHA-256 of their pixels. */
export interface CheckpointMetadata extends Record<string, string> {
  config: string;
  names: string;
  images: string;
  /** SHA-256 of each plugin's file, by path, as JSON. */
  plugins: string;
}

/** What a checkpoint of this experiment on these images is to say of itself. */
export async function checkpointMetadata(experiment: Experiment, images: ImageSet): Promise<CheckpointMetadata> {
  const { plugins = [] } = experiment;
  const digests = await Promise.all(plugins.map(async (path) => [path, await pluginDigest(path, experiment.name)]));
  return {
    config: formatExperiment(experiment),
    names: JSON.stringify(images.names),
    images: createHash('sha256').update(images.pixels).digest('hex'),
    plugins: JSON.stringify(Object.fromEntries(digests)),
  };
}

/** A warning where a plugin's file is not what it was when the checkpoint was written. */
export async function pluginWarning({ metadata, path }: Checkpoint): Promise<string | undefined> {
  for (const [plugin, digest] of Object.entries(JSON.parse(metadata.plugins ?? '{}'))) {
    if ((await pluginDigest(plugin, path)) !== digest) {
      return `${plugin} has changed since ${path} was trained with it`;
    }
  }
  return undefined;
}

/**
 * The experiment that a checkpoint was trained with.
 *
 * @throws RunError where the checkpoint doesn't say.
 */
export async function checkpointExperiment({ metadata, path }: Checkpoint): Promise<Experiment> {
  if (metadata.config === undefined)
    throw new RunError(`${path}: is no checkpoint of Chladni: its metadata has no config`);
  return parseExperiment(metadata.config, path);
}

/**
 * Refuses to go on from a checkpoint with another seed, objective, model, data, other images or a changed plugin. Everything else (steps,
 * learning rates, engine, where the images lie) may change.
 *
 * @throws RunError naming the first key that differs, and both values.
 */
export async function requireSameRun(
  checkpoint: Checkpoint,
  experiment: Experiment,
  current: CheckpointMetadata,
): Promise<void> {
  const stored = await checkpointExperiment(checkpoint);
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
  const warning = await pluginWarning(checkpoint);
  if (warning) throw new RunError(`${warning}: restore it, or start a new run with another --run`);
}

/** What can't change within a run: whatever changes the model, or what it is trained on. */
function identity({ seed, objective, data, model }: Experiment): object {
  const { path: _, cache: __, ...trainedOn } = data; // the images may lie elsewhere: their pixels are compared
  return { seed, objective, data: trainedOn, model };
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
