/**
 * A user's own parts, without a fork: modules that a config names under `plugins`. Each exports, as its default, a plugin or
 * a function that makes one of the project's tools:
 *
 *     export default ({ tf, z, defineConditioner }) => ({ conditioners: { mine: defineConditioner({ … }) } });
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { defineSource, type SourceKind } from '../data/source.ts';
import { SOURCES } from '../data/sources/registry.ts';
import { messageOf, UsageError } from '../errors.ts';
import { hasCode } from '../files/fileErrors.ts';
import type { Metric } from '../metrics/metric.ts';
import { addMetric, METRICS } from '../metrics/registry.ts';
import { type ConditionerKind, defineConditioner, requireLatents } from '../models/conditioners/conditioner.ts';
import { CONDITIONERS } from '../models/conditioners/registry.ts';
import { defineEncoding, type EncodingKind } from '../models/encodings/encoding.ts';
import { fourierFeatures } from '../models/encodings/fourierFeatures.ts';
import { ENCODINGS } from '../models/encodings/registry.ts';
import { initialField, kernelStandardDeviation } from '../models/field.ts';
import { fieldWeights, generate, initialGenerator } from '../models/generator.ts';
import { normal, uniform, zeros } from '../models/parameters.ts';
import type { Prior } from '../models/priors/prior.ts';
import { PRIORS } from '../models/priors/registry.ts';
import { defineObjective, type ObjectiveKind } from '../objectives/objective.ts';
import { imageColours, PixelBatches, pixelError, psnrOfReport, trainedSpec } from '../objectives/pixelBatches.ts';
import { OBJECTIVES } from '../objectives/registry.ts';
import { fieldForward, fieldLoss } from '../ops/field.ts';
import { affineHeads } from '../ops/heads.ts';
import { Random } from '../random.ts';
import { tf } from '../tf.ts';

/** What a plugin is made of: TensorFlow.js, zod, and the functions that the project's own parts are written with. */
export const pluginTools = {
  tf,
  z,
  Random,
  UsageError,
  normal,
  uniform,
  zeros,
  defineSource,
  defineEncoding,
  defineConditioner,
  defineObjective,
  fourierFeatures,
  initialField,
  kernelStandardDeviation,
  initialGenerator,
  fieldWeights,
  generate,
  requireLatents,
  affineHeads,
  fieldForward,
  fieldLoss,
  imageColours,
  PixelBatches,
  pixelError,
  psnrOfReport,
  trainedSpec,
};
export type PluginTools = typeof pluginTools;

/** What a part of each kind is. */
interface Parts {
  sources: SourceKind;
  encodings: EncodingKind;
  conditioners: ConditionerKind;
  objectives: ObjectiveKind;
  priors: Prior;
  metrics: Metric;
}

/** Parts by the names that configs and commands give them. */
export type Plugin = { [Kind in keyof Parts]?: Record<string, Parts[Kind]> };

/** Where each kind of part goes, and what each must have. */
const KINDS: {
  [Kind in keyof Parts]: {
    registry: { removeOf(plugin: string): void };
    add(name: string, part: Parts[Kind], path: string): void;
    members: readonly (keyof Parts[Kind] & string)[];
  };
} = {
  sources: { registry: SOURCES, add: (...part) => SOURCES.add(...part), members: ['about', 'keys', 'open'] },
  encodings: { registry: ENCODINGS, add: (...part) => ENCODINGS.add(...part), members: ['keys', 'make'] },
  conditioners: { registry: CONDITIONERS, add: (...part) => CONDITIONERS.add(...part), members: ['keys', 'make'] },
  objectives: {
    registry: OBJECTIVES,
    add: (...part) => OBJECTIVES.add(...part),
    members: ['about', 'keys', 'conditioning', 'make'],
  },
  priors: { registry: PRIORS, add: (...part) => PRIORS.add(...part), members: ['fit', 'sample'] },
  metrics: {
    registry: METRICS,
    add: (_, metric, path) => addMetric(metric, path),
    members: ['name', 'about', 'measure'],
  },
};

/** SHA-256 of the loaded plugins' files, by absolute path. */
const loaded = new Map<string, string>();

/**
 * Loads plugins and registers what they bring. One that is loaded already, and unchanged, is left alone.
 *
 * @param paths absolute, or relative to the working folder; one that is gone from there is looked for by its name in the
 *   folder that `CHLADNI_PLUGINS` names.
 * @param origin names the config in errors.
 * @throws UsageError where one is missing, fails, or brings what can't be registered.
 */
export async function loadPlugins(paths: readonly string[], origin: string): Promise<void> {
  for (const path of paths.map(placeOf)) {
    const digest = await pluginDigest(path, origin);
    if (loaded.get(path) === digest) continue;
    const plugin = await importPlugin(path);
    checkParts(plugin, path);
    // What it brought before goes, all of it.
    for (const { registry } of Object.values(KINDS)) registry.removeOf(path);
    loaded.delete(path);
    for (const kind of Object.keys(plugin) as (keyof Parts)[]) addParts(kind, plugin[kind] ?? {}, path);
    loaded.set(path, digest);
  }
}

/** The loaded plugin that an error comes from, by its stack, if it comes from one. */
export function pluginOfError(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return [...loaded.keys()].find((path) => stack.includes(path));
}

function placeOf(path: string): string {
  const place = resolve(path);
  const folder = process.env.CHLADNI_PLUGINS;
  return folder !== undefined && !existsSync(place) ? resolve(folder, basename(place)) : place;
}

/** SHA-256 of a plugin's file (not of what it imports), in hexadecimal. */
export async function pluginDigest(given: string, origin: string): Promise<string> {
  const path = placeOf(given);
  const text = await readFile(path).catch((error: unknown) => {
    const reason = hasCode(error, 'ENOENT')
      ? 'no such file; put it back, or say CHLADNI_PLUGINS=FOLDER where it is now'
      : messageOf(error);
    throw new UsageError(`${origin}: plugins: ${path}: ${reason}`);
  });
  return createHash('sha256').update(text).digest('hex');
}

async function importPlugin(path: string): Promise<Plugin> {
  try {
    // By way of tsx: it takes TypeScript, and reads the file anew each time.
    const { tsImport } = await import('tsx/esm/api');
    const made = defaultExport(await tsImport(pathToFileURL(path).href, import.meta.url));
    const plugin = typeof made === 'function' ? await made(pluginTools) : made;
    if (typeof plugin !== 'object' || plugin === null) throw new Error('its default export is no plugin');
    return plugin as Plugin;
  } catch (error) {
    throw new UsageError(`plugin ${path} can't be loaded: ${messageOf(error).split('\n').slice(0, 2).join(' ')}`);
  }
}

/** What a module exports as its default; one that was compiled to CommonJS on the way wraps it once more. */
function defaultExport(exported: unknown): unknown {
  const isWrapped = typeof exported === 'object' && exported !== null && 'default' in exported;
  return isWrapped ? defaultExport(exported.default) : exported;
}

/** @throws UsageError where a part is of no known kind, or lacks what parts of its kind have. */
function checkParts(plugin: object, path: string): void {
  for (const [kind, parts] of Object.entries(plugin)) {
    if (!Object.hasOwn(KINDS, kind)) {
      throw new UsageError(`plugin ${path}: "${kind}" is none of ${Object.keys(KINDS).join(', ')}`);
    }
    const { members } = KINDS[kind as keyof Parts];
    for (const [name, part] of Object.entries(parts ?? {})) {
      const missing = members.find((member) => (part as Record<string, unknown> | null)?.[member] === undefined);
      if (missing) throw new UsageError(`plugin ${path}: ${kind}.${name} has no "${missing}"`);
    }
  }
}

function addParts<Kind extends keyof Parts>(kind: Kind, parts: Record<string, Parts[Kind]>, path: string): void {
  for (const name of Object.keys(parts)) KINDS[kind].add(name, parts[name], path);
}
