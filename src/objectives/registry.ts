/** The objectives that a config can name. A new one is a file beside this one, and a line here. */
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import type { Generator } from '../models/generator.ts';
import type { Keys, Settings } from '../models/kind.ts';
import { Registry } from '../registry.ts';
import { autodecoder } from './autodecoder.ts';
import { fit } from './fit.ts';
import type { Objective, ObjectiveContext, ObjectiveKind } from './objective.ts';
import { vae } from './vae.ts';

const BUILT_IN = { autodecoder, vae, fit } satisfies Record<string, ObjectiveKind>;

/** Where nobody says otherwise. */
export const DEFAULT_OBJECTIVE = 'autodecoder' satisfies keyof typeof BUILT_IN;

export const OBJECTIVES = new Registry<ObjectiveKind>('objective', BUILT_IN);

/** Keys of the objectives that come with the project. */
export type ObjectiveSettings = Settings<(typeof autodecoder)['keys']> &
  Settings<(typeof vae)['keys']> &
  Settings<(typeof fit)['keys']>;

/** The config's `objective`. */
export const objectiveSchema = () =>
  z
    .enum(OBJECTIVES.names())
    .default(DEFAULT_OBJECTIVE)
    .describe(
      OBJECTIVES.all()
        .map(([name, { about }]) => `${name}: ${about}`)
        .join('; '),
    );

/**
 * What the objectives add to the config's `train` section.
 *
 * @throws UsageError where two of them claim one key.
 */
export function objectiveKeys(): Keys {
  const owners = new Map<string, string>();
  const keys: Record<string, Keys[string]> = {};
  for (const [name, kind] of OBJECTIVES.all()) {
    for (const [key, schema] of Object.entries(kind.keys)) {
      const owner = owners.get(key);
      if (owner) throw new UsageError(`objective "${name}" brings train.${key}, which is "${owner}"'s; rename it`);
      owners.set(key, name);
      keys[key] = schema;
    }
  }
  return keys;
}

/** The keys of an experiment that say what it trains on what. */
export interface ObjectiveConfig {
  objective: string;
  seed: number;
  train: ObjectiveContext['settings'];
  data: { noise: number };
}

/** Makes the objective that a config names. @param images how many of which size. */
export function makeObjective(
  { objective, seed, train, data }: ObjectiveConfig,
  generator: Generator,
  { count, width, height }: ObjectiveContext['images'],
): Objective {
  const images = { count, width, height };
  return OBJECTIVES.get(objective).make({ generator, settings: train, seed, images, imageNoise: data.noise });
}
