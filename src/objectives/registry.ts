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
 * @param taken keys that the section has already.
 * @throws UsageError where two of them claim one key.
 */
export function objectiveKeys(taken: readonly string[]): Keys {
  const owners = new Map(taken.map((key) => [key, 'the loop']));
  const keys: Record<string, Keys[string]> = {};
  for (const [name, kind] of OBJECTIVES.all()) {
    for (const [key, schema] of Object.entries(kind.keys)) {
      const owner = owners.get(key);
      if (owner) throw new UsageError(`objective "${name}" brings train.${key}, which is ${owner}'s; rename it`);
      owners.set(key, `objective "${name}"`);
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

/**
 * Makes the objective that a config names.
 *
 * @param images how many of which size.
 * @throws Error where it breaks the contract.
 */
export function makeObjective(
  { objective: name, seed, train, data }: ObjectiveConfig,
  generator: Generator,
  { count, width, height }: ObjectiveContext['images'],
): Objective {
  const images = { count, width, height };
  const kind = OBJECTIVES.get(name);
  const objective = kind.make({ generator, settings: train, seed, images, imageNoise: data.noise });
  const fault = faultOf(objective, kind);
  if (fault) throw new Error(`objective "${name}": ${fault}`);
  return objective;
}

/** What is wrong with an objective, by the contract. */
function faultOf({ groups, phases, latents }: Objective, { conditioning }: ObjectiveKind): string | undefined {
  const names = phases.map(({ name }) => name);
  const trained = phases.flatMap(({ trains }) => trains);
  const twice = (list: readonly string[]) => list.find((one, i) => list.indexOf(one) < i);
  const parameters = Object.values(groups).flatMap(({ initial }) => Object.keys(initial));
  const unknown = trained.find((group) => !Object.hasOwn(groups, group));
  const untrained = Object.keys(groups).find((group) => !trained.includes(group));
  if (twice(names)) return `two phases are named "${twice(names)}"`;
  if (twice(trained)) return `two phases train the group "${twice(trained)}"`;
  if (twice(parameters)) return `two groups have a parameter "${twice(parameters)}"`;
  if (unknown) return `a phase trains "${unknown}", which is no group`;
  if (untrained) return `no phase trains the group "${untrained}"`;
  if (!phases.some(({ every = 1 }) => every === 1)) return 'one phase at least must take part in every step';
  const odd = phases.find(({ every = 1 }) => !(Number.isInteger(every) && every > 0));
  if (odd) return `"every" of phase "${odd.name}" is no whole number from 1 up`;
  for (const [group, { initial, rows, optimizer }] of Object.entries(groups)) {
    if (Object.keys(initial).length === 0) return `the group "${group}" has no parameters`;
    if (rows !== undefined && optimizer === 'gd') return `the group "${group}" is of tables, which "gd" can't train`;
  }
  if (conditioning === 'latents' && !latents) return 'its images have latents, and it has no "latents"';
  return undefined;
}
