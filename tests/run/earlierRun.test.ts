/**
 * A run that the version before objectives made (tests/fixtures/earlierRun: 6 emoji at 8 pixels, 10 steps on wasm): it
 * opens, measures as it did then, reports and goes on.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadExperiment } from '../../src/config/load.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { writeRunReport } from '../../src/eval/report/writeReport.ts';
import { evaluateRun } from '../../src/eval/run/evaluateRun.ts';
import { readSummary } from '../../src/run/evaluations.ts';
import { readMetrics } from '../../src/run/metricsLog.ts';
import { disposeModel, openModel } from '../../src/run/openModel.ts';
import { RunFolder } from '../../src/run/runFolder.ts';
import { trainSession } from '../../src/train/session.ts';

let path: string;
const quiet = () => {};

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'chladni-earlier-'));
  await cp(resolve(import.meta.dirname, '../fixtures/earlierRun'), path, { recursive: true });
  await startEngine('wasm');
});
afterAll(() => rm(path, { recursive: true }));

it('opens, and its evaluations of then are reported', async () => {
  const run = await RunFolder.open(path);
  const model = await openModel(run);
  expect(model).toMatchObject({ step: 10, warning: undefined, latents: { size: 3 } });
  expect(model.imageNames).toHaveLength(6);
  const page = await readFile(await writeRunReport(run, model, quiet), 'utf8');
  const { reconstruction_psnr_db: psnr } = await readSummary(run.evaluation);
  expect(page).toContain(psnr.toFixed(1));
  expect(page).toContain('Raw SWD');
  disposeModel(model);
});

it('measures what it measured then', async () => {
  const run = await RunFolder.open(path);
  const before = await readSummary(run.evaluation);
  const model = await openModel(run);
  await evaluateRun(run, model, quiet);
  disposeModel(model);
  const after = await readSummary(run.evaluation);
  expect(Object.keys(before).filter((name) => !(name in after))).toEqual([]);
  const compared = Object.keys(before).filter((name) => /^(reconstruction|scale_consistency)_/.test(name));
  expect(compared.length).toBeGreaterThan(20);
  for (const name of compared) expect(after[name], name).toBeCloseTo(before[name], 9);
});

it('goes on from its checkpoint', async () => {
  const experiment = await loadExperiment(join(path, 'config.yaml'), ['train.steps=14', 'train.logEverySteps=1']);
  const summary = await trainSession({ experiment, runPath: path, resume: true, say: quiet });
  expect(summary).toMatchObject({ step: 14, interrupted: false });
  const losses = (await readMetrics(join(path, 'metrics.jsonl'))).flatMap((entry) =>
    'train/loss' in entry ? [Number(entry['train/loss'])] : [],
  );
  expect(losses).toHaveLength(2 + 4); // of steps 5 and 10, then 11 to 14
  expect(losses.slice(2).every((loss) => loss < losses[0])).toBe(true);
});
