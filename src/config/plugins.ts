/**
 * A user's own parts, without a fork: modules that a config names under `plugins`. Each exports, as its default, a plugin or
 * a function that makes one of the project's tools:
 *
 *     export default ({ tf, z, defineConditioner }) => ({ conditioners: { mine: defineConditioner({ … }) } });
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { defineSource, type SourceKind } from '../data/source.ts';
import { SOURCES } from '../data/sources/registry.ts';
import { messageOf, UsageError } from '../errors.ts';
import { hasCode } from '../files/fileErrors.ts';
import type { Metric } from '../metrics/metric.ts';
import { addMetric } from '../metrics/registry.ts';
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

/** Where each kind of part goes. */
const ADD: { [Kind in keyof Parts]: (name: string, part: Parts[Kind], path: string) => void } = {
  sources: (...part) => SOURCES.add(...part),
  encodings: (...part) => ENCODINGS.add(...part),
  conditioners: (...part) => CONDITIONERS.add(...part),
  objectives: (...part) => OBJECTIVES.add(...part),
  priors: (...part) => PRIORS.add(...part),
  metrics: (_, metric, path) => addMetric(metric, path),
};

/** SHA-256 of the loaded plugins' files, by absolute path. */
const loaded = new Map<string, string>();

/**
 * Loads plugins and registers what they bring. One that is loaded already, and unchanged, is left alone.
 *
 * @param paths absolute, or relative to the working folder.
 * @param origin names the config in errors.
 * @throws UsageError where one is missing, fails, or brings what can't be registered.
 */
export async function loadPlugins(paths: readonly string[], origin: string): Promise<void> {
  for (const path of paths.map((given) => resolve(given))) {
    const digest = await pluginDigest(path, origin);
    if (loaded.get(path) === digest) continue;
    register(await importPlugin(path, digest), path);
    loaded.set(path, digest);
  }
}

/** SHA-256 of a plugin's file (not of what it imports), in hexadecimal. */
export async function pluginDigest(path: string, origin: string): Promise<string> {
  const text = await readFile(path).catch((error: unknown) => {
    const reason = hasCode(error, 'ENOENT') ? 'no such file' : messageOf(error);
    throw new UsageError(`${origin}: plugins: ${path}: ${reason}`);
  });
  return createHash('sha256').update(text).digest('hex');
}

async function importPlugin(path: string, digest: string): Promise<Plugin> {
  try {
    const made = defaultExport(await importModule(`${pathToFileURL(path).href}?${digest.slice(0, 16)}`));
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

/** Imports a module, TypeScript too: where Node itself can't, by way of tsx. */
async function importModule(url: string): Promise<unknown> {
  try {
    return await import(url);
  } catch (error) {
    if (!hasCode(error, 'ERR_UNKNOWN_FILE_EXTENSION')) throw error;
    const { tsImport } = await import('tsx/esm/api');
    return tsImport(url, import.meta.url);
  }
}

function register(plugin: Plugin, path: string): void {
  for (const [kind, parts] of Object.entries(plugin)) {
    if (!Object.hasOwn(ADD, kind)) {
      throw new UsageError(`plugin ${path}: "${kind}" is none of ${Object.keys(ADD).join(', ')}`);
    }
    addParts(kind as keyof Parts, parts, path);
  }
}

function addParts<Kind extends keyof Parts>(kind: Kind, parts: Record<string, Parts[Kind]>, path: string): void {
  const add = ADD[kind];
  for (const name of Object.keys(parts)) add(name, parts[name], path);
}
