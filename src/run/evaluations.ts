/**
 * Evaluations on disk: `eval/METRIC.json` in full, `eval/summary.json` flat (name → number).
 *
 * JSON has no words for NaN and the infinities; they are written as the strings "NaN", "Infinity" and "-Infinity", as
 * in the JSON mapping of Protocol Buffers, and read back as numbers.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RunError } from '../errors.ts';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { fileError } from '../files/fileErrors.ts';
import { makeFolder } from '../files/makeFolder.ts';
import type { EvaluationResult } from '../metrics/result.ts';

/** Writes of one summary wait for each other: each reads what the last one left. */
const pendingSummaries = new Map<string, Promise<unknown>>();

/**
 * Writes `FOLDER/METRIC.json` and puts its metrics into `FOLDER/summary.json`, in place of those that the previous
 * evaluation of this name put there. All other entries stay.
 *
 * @throws RunError where the summary that is there can't be read.
 */
export async function writeEvaluation(folder: string, metric: string, result: EvaluationResult): Promise<void> {
  if (!/^[\w.-]+$/.test(metric) || metric === 'summary') throw new RangeError(`"${metric}" can't name an evaluation`);
  const key = resolve(folder);
  const write = (pendingSummaries.get(key) ?? Promise.resolve()).then(async () => {
    await makeFolder(folder);
    const path = join(folder, `${metric}.json`);
    const summary = await readSummary(folder);
    const previous = await readEvaluation(path);
    for (const name of Object.keys(previous?.metrics ?? {})) delete summary[name];
    Object.assign(summary, result.metrics);
    await writeFileAtomically(path, stringifyJson(result));
    await writeFileAtomically(join(folder, 'summary.json'), stringifyJson(sortByName(summary)));
  });
  pendingSummaries.set(
    key,
    write.catch(() => undefined),
  );
  return write.catch((error: unknown) => {
    throw fileError('write the evaluation in', folder, error);
  });
}

/** The flat numbers of a run's `eval` folder; empty where there are none yet. */
export async function readSummary(folder: string): Promise<Record<string, number>> {
  const path = join(folder, 'summary.json');
  const summary = await readJson(path);
  if (summary === undefined) return {};
  if (!isNumbers(summary)) throw unreadableError(path);
  return summary;
}

/** An evaluation as written; undefined where there is none. */
export async function readEvaluation(path: string): Promise<EvaluationResult | undefined> {
  const result = (await readJson(path)) as EvaluationResult | undefined;
  if (result !== undefined && !isNumbers(result?.metrics)) throw unreadableError(path);
  return result;
}

/** JSON with the non-finite numbers as strings; two spaces, one newline at the end. */
export function stringifyJson(value: unknown): string {
  const spell = (_: string, item: unknown) =>
    typeof item === 'number' && !Number.isFinite(item) ? String(item) : item;
  return `${JSON.stringify(value, spell, 2)}\n`;
}

/** Reads what `stringifyJson` wrote. */
export function parseJson(text: string): unknown {
  const restore = (_: string, item: unknown) =>
    item === 'NaN' || item === 'Infinity' || item === '-Infinity' ? Number(item) : item;
  return JSON.parse(text, restore);
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return parseJson(text);
  } catch {
    throw unreadableError(path);
  }
}

function unreadableError(path: string): RunError {
  return new RunError(`${path} does not hold an evaluation as this program writes it; delete it and evaluate again`);
}

function isNumbers(value: unknown): value is Record<string, number> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === 'number')
  );
}

function sortByName(metrics: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).sort(([a], [b]) => (a < b ? -1 : 1)));
}
