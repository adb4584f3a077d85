/**
 * Reads experiments: from a YAML file, what it extends and `--set` overrides, checked, with errors people can act on.
 */
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import type { z } from 'zod';
import { messageOf, UsageError } from '../errors.ts';
import { DEFAULT_OBJECTIVE, OBJECTIVES } from '../objectives/registry.ts';
import { isTextKey, keysAt } from './jsonSchema.ts';
import { loadPlugins } from './plugins.ts';
import { type Experiment, experimentSchema } from './schema.ts';

type Tree = Record<string, unknown>;

/**
 * Reads an experiment.
 *
 * A config states only its differences: from the file it `extends` (relative to itself), or else from the defaults.
 * `overrides` are `key.path=value` with YAML values. Where a `kind` changes, what belonged to the other kind goes.
 *
 * @throws UsageError with one line per problem, naming the file or option, the key and what would be right.
 */
export async function loadExperiment(file: string | undefined, overrides: readonly string[] = []): Promise<Experiment> {
  const origin = file ?? '--set';
  const tree = file === undefined ? {} : await readTree(file, []);
  const changed = overrides.reduce((base, override) => merge(base, parseOverride(override)), tree);
  // First, because what they bring may be named by any other key.
  await loadPluginsOf(changed, origin);
  // Over the defaults, so that one key of a mapping can be set without repeating its `kind`.
  const objective = typeof changed.objective === 'string' ? changed.objective : DEFAULT_OBJECTIVE;
  const needsNoLatents = OBJECTIVES.names().includes(objective) && OBJECTIVES.get(objective).conditioning === 'none';
  const defaults = experimentSchema().parse(
    needsNoLatents ? { objective, model: { conditioner: { kind: 'direct' } } } : {},
  );
  const overridden = overrides.map((override) => override.slice(0, override.indexOf('=')).trim());
  return checkExperiment(merge({ ...defaults }, changed), origin, overridden);
}

/** Loads what a config names under `plugins`; that this is a list of paths is checked with all else. */
async function loadPluginsOf({ plugins }: Tree, origin: string): Promise<void> {
  const isList = Array.isArray(plugins) && plugins.every((path) => typeof path === 'string');
  if (isList) await loadPlugins(plugins, origin);
}

/** Checks a plain tree (parsed YAML or JSON); `origin` names it in errors, `--set` does for `overridden` keys. */
export function checkExperiment(tree: unknown, origin: string, overridden: readonly string[] = []): Experiment {
  const result = experimentSchema().safeParse(tree);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [''];
    const paths = keys.map((key) => [...issue.path, key].join('.').replace(/\.$/, ''));
    const own = overridden.some((override) =>
      paths.some((path) => `${path}.`.startsWith(`${override}.`) || `${override}.`.startsWith(`${path}.`)),
    );
    return describeIssue(issue, tree, own ? '--set' : origin);
  });
  throw new UsageError(lines.join('\n'));
}

/**
 * Parses the text of a resolved config, as a run folder or a checkpoint holds it. Keys that have come since with a newer
 * version take their defaults.
 *
 * @throws UsageError where it is not valid, or a whole section is missing.
 */
export async function parseExperiment(text: string, origin: string): Promise<Experiment> {
  const tree = parseYaml(text, origin);
  await loadPluginsOf(tree, origin);
  const experiment = checkExperiment(tree, origin);
  const missing = Object.keys(experiment).filter((key) => !(key in tree));
  if (missing.length === 0) return experiment;
  throw new UsageError(`${origin}: is not the config of a run: it lacks ${missing.join(', ')}; restore it`);
}

/** The resolved experiment as YAML: loading it gives the same experiment again. */
export function formatExperiment(experiment: Experiment): string {
  return stringify(experiment);
}

async function readTree(file: string, chain: readonly string[]): Promise<Tree> {
  const path = resolve(file);
  if (chain.includes(path)) {
    throw new UsageError(
      `${file}: "extends" goes in a circle: ${[...chain, path].map((p) => relative('.', p)).join(' → ')}`,
    );
  }
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such config' : messageOf(error);
    const origin = chain.length > 0 ? ` (extended by ${relative('.', chain[chain.length - 1])})` : '';
    throw new UsageError(`${file}: ${reason}${origin}; see configs/ for those that come with the project`);
  });
  const tree = parseYaml(text, file);
  const { extends: base, ...own } = tree;
  const placed = withPluginPaths(own, dirname(path));
  if (base === undefined) return placed;
  if (typeof base !== 'string') throw new UsageError(`${file}: "extends" must be the path of another config`);
  return merge(await readTree(resolve(dirname(path), base), [...chain, path]), placed);
}

/** A config whose plugins are named by absolute paths: a run is opened from other folders too. */
function withPluginPaths(tree: Tree, folder: string): Tree {
  if (!Array.isArray(tree.plugins)) return tree;
  const absolute = (path: unknown) => (typeof path === 'string' ? resolve(folder, path) : path);
  return { ...tree, plugins: tree.plugins.map(absolute) };
}

function parseYaml(text: string, origin: string): Tree {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem) {
    const line = problem.linePos?.[0].line;
    throw new UsageError(`${origin}${line ? `:${line}` : ''}: not valid YAML: ${problem.message.split('\n')[0]}`);
  }
  const value: unknown = document.toJS() ?? {};
  if (!isTree(value)) throw new UsageError(`${origin}: a config must be a mapping of keys to values`);
  return value;
}

function parseOverride(override: string): Tree {
  const separator = override.indexOf('=');
  const keys = override.slice(0, separator).trim().split('.');
  if (separator < 1 || keys.some((key) => key === '')) {
    throw new UsageError(`--set ${override}: expected key.path=value, such as train.steps=500`);
  }
  const text = override.slice(separator + 1);
  // What must be text is text, whatever YAML would make of it: #000000 is a colour there, not a comment.
  const document = parseDocument(isTextKey(keys) ? JSON.stringify(text) : text);
  if (document.errors.length > 0) throw new UsageError(`--set ${override}: the value is not valid YAML`);
  const tree = keys.reduceRight<unknown>((value, key) => ({ [key]: value }), document.toJS()) as Tree;
  return withPluginPaths(tree, '.');
}

/** `changes` over `base`, key by key; a mapping whose `kind` changes starts anew. */
function merge(base: Tree, changes: Tree): Tree {
  const merged: Tree = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const previous = merged[key];
    const sameKind = isTree(previous) && isTree(value) && (!('kind' in value) || previous.kind === value.kind);
    merged[key] = sameKind ? merge(previous, value) : value;
  }
  return merged;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describeIssue(issue: z.core.$ZodIssue, tree: unknown, origin: string): string[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const full = [...path, key].join('.');
      const known = keysAt(path, valueAt(tree, [...path, 'kind']));
      const [nearest] = known
        .map((candidate) => ({ candidate, distance: editDistance(key.toLowerCase(), candidate.toLowerCase()) }))
        .sort((a, b) => a.distance - b.distance);
      const close = nearest && nearest.distance <= Math.max(2, key.length / 3);
      const hint = close ? `did you mean "${nearest.candidate}"?` : `known here: ${known.join(', ')}`;
      return `${origin}: unknown key "${full}"; ${hint}`;
    });
  }
  const got = valueAt(tree, path);
  const shown = got === undefined ? '' : `, got ${JSON.stringify(got)}`;
  return [`${origin}: ${path.join('.') || 'config'}: ${issue.message}${issue.code === 'custom' ? '' : shown}`];
}

function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (isTree(value) ? value[key] : undefined), tree);
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
