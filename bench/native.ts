/**
 * The native engine against the limits of the machine, against the wasm engine and against PyTorch and JAX.
 *
 * Prints a table and writes bench/latest.json. The limits (fused multiply-adds in registers alone, a copy of memory) are
 * measured in turn with the work, and every kernel's result is checked against float64 before its figure counts.
 */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { startEngine } from '../src/engine/engine.ts';
import { configureNative, loadAddon } from '../src/engine/native/addon.ts';
import { benchEvaluation } from './evaluation.ts';
import { adamBench, convolutionBench, type FieldWork, fieldBench, matmulBench } from './kernels.ts';
import { fractionOfLimit, median } from './measure.ts';
import { benchNoise } from './noise.ts';
import { type Peer, runJax, runPytorch, runTfjsWasm } from './peers.ts';
import { renderSeconds, trainSteps } from './step.ts';
import { BenchTable, giga, type Target } from './table.ts';

const RENDER_SIZE = 4096;

const { addon, settings } = loadAddon();
const all = settings.threads;
const table = new BenchTable();
const { figures } = table;

const fmaLimit = () => addon.fmaLimit(0.02);
const copyLimit = () => addon.copyLimit(2 ** 26, 0.25);

const FIELD_SHAPES: FieldWork[] = [64, 128].flatMap((hidden) =>
  [1024, 4096].map((points) => ({ hidden, fields: 64, points })),
);

/** The field at its worst number of points counts. */
function benchFields() {
  const threadCounts = [...new Set([1, all])];
  const worst = new Map<string, ReturnType<typeof fractionOfLimit>>();
  const rates: number[][] = [[], []];
  for (const shape of FIELD_SHAPES) {
    const work = fieldBench(addon, shape);
    for (const [i, threads] of threadCounts.entries()) {
      configureNative({ threads });
      const result = fractionOfLimit(fmaLimit, work, 5);
      rates[i].push(result.rate);
      const key = `field_h${shape.hidden}_fraction${threads === 1 ? '_1t' : ''}`;
      const before = worst.get(key);
      if (!before || result.fraction < before.fraction) worst.set(key, result);
      if (all === 1) worst.set(`field_h${shape.hidden}_fraction`, result);
    }
  }
  for (const [key, { fraction, rate, limit }] of worst) {
    const threads = key.endsWith('_1t') ? '1 thread' : `${all} threads`;
    const label = `field forward+backward, hidden ${key.match(/\d+/)?.[0]}, B=64, P=1024…4096 (worst), ${threads}`;
    table.record(key, fraction, label, `${giga(rate, 'GFLOP/s')} of ${giga(limit, '')}`, { must: 0.6, reach: 0.8 });
  }
  return rates;
}

function benchScaling() {
  const work = fieldBench(addon, FIELD_SHAPES[0]);
  const ratios: number[] = [];
  for (let round = 0; round < 7 && all > 1; round++) {
    const [one, two] = [1, 2].map((threads) => {
      configureNative({ threads });
      work.run();
      const start = performance.now();
      for (let i = 0; i < 3; i++) work.run();
      return performance.now() - start;
    });
    ratios.push(one / two);
  }
  configureNative({ threads: all });
  const scaling = all > 1 ? median(ratios) : null;
  if (all === 1) figures.thread_scaling_reason = 'one core';
  table.record('thread_scaling', scaling, '1 → 2 threads, hidden 64, P=1024', '', { must: 1.8, reach: 1.95 });
}

function benchOthers() {
  const product = fractionOfLimit(fmaLimit, matmulBench(addon, 1024));
  const detail = (result: typeof product) => `${giga(result.rate, 'GFLOP/s')} of ${giga(result.limit, '')}`;
  table.record('matmul_fraction', product.fraction, 'matmul 1024³', detail(product), { must: 0.7, reach: 0.85 });
  const conv = fractionOfLimit(fmaLimit, convolutionBench(addon));
  table.record('conv_fraction', conv.fraction, 'conv2d 3×3, 64→64 at 32², with both gradients', detail(conv), {
    must: 0.4,
    reach: 0.6,
  });
  const adam = fractionOfLimit(copyLimit, adamBench(addon), 5);
  const bytes = `${giga(adam.rate, 'GB/s')} of ${giga(adam.limit, '')}`;
  table.record('adam_fraction', adam.fraction, 'Adam, 2²⁵ parameters, one pass', bytes, { must: 0.6, reach: 0.8 });
  figures.fma_limit_gflops = Math.round(product.limit / 1e9);
  figures.copy_limit_gbytes = Number((adam.limit / 1e9).toFixed(1));
}

/** A ratio against a peer, or null and the reason beside it. */
function compare(key: string, label: string, own: number, peer: Peer, what: 'step' | 'render', target: Target) {
  const time = 'absent' in peer ? undefined : peer[what];
  if ('absent' in peer) figures[`${key}_reason`] = peer.absent;
  const measured = time === undefined ? `${own.toFixed(1)} ms` : `${own.toFixed(1)} ms against ${time.toFixed(1)} ms`;
  table.record(key, time === undefined ? null : time / own, label, measured, target);
}

async function benchStep(quick: boolean) {
  await startEngine('native');
  await trainSteps(8); // until everything is compiled
  const own: number[] = [];
  // In two halves around the peers, so that a change of the machine's load shows in both.
  const measure = async () => own.push(...(await trainSteps(quick ? 10 : 15)).seconds.map((s) => 1000 * s));
  await measure();
  if (quick) {
    figures.step_milliseconds = Number(median(own).toFixed(2));
    table.note('whole training step', `${median(own).toFixed(1)} ms`);
    return;
  }
  const torch = await runPytorch(25, RENDER_SIZE, all);
  const jax = await runJax(25);
  await measure();
  const step = median(own);
  figures.step_milliseconds = Number(step.toFixed(2));
  const version = (peer: Peer) => ('absent' in peer ? 'absent' : peer.version);
  compare('step_vs_pytorch', `training step against ${version(torch)}`, step, torch, 'step', { must: 3, reach: 5 });
  compare('step_vs_jax', `training step against ${version(jax)}, compiled`, step, jax, 'step', { must: 1.5, reach: 3 });
  const drawn = [await renderSeconds(RENDER_SIZE), await renderSeconds(RENDER_SIZE), await renderSeconds(RENDER_SIZE)];
  const render = 1000 * median(drawn);
  compare('render_vs_pytorch', `drawing ${RENDER_SIZE}² against ${version(torch)}`, render, torch, 'render', {
    must: 3,
    reach: 6,
  });
  const plain = await runTfjsWasm(2);
  compare('step_vs_tfjs_wasm', `training step against ${version(plain)} as it comes`, step, plain, 'step', {
    must: 25,
    reach: 60,
  });
  await startEngine('wasm');
  const wasm = 1000 * median((await trainSteps(4)).seconds);
  compare('step_vs_wasm', 'training step against the wasm engine', step, { version: 'wasm', step: wasm }, 'step', {
    must: 25,
    reach: 60,
  });
}

/** All of it; `quick` leaves out the peers, wasm and the large image, and saves nothing. */
export async function benchNative(quick: boolean): Promise<void> {
  benchFields();
  benchScaling();
  benchOthers();
  await benchStep(quick);
  if (!quick) {
    figures.evaluation_10k_images_seconds = Number(benchEvaluation().toFixed(1));
    figures.noise_study_seconds = Number((await benchNoise()).toFixed(1));
  }
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: all,
    instructionSet: settings.instructionSet,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
  console.log(`${machine.cpu}, ${all} threads, ${machine.instructionSet}, Node ${machine.node}\n${table.text()}`);
  for (const line of table.reasons()) console.log(line);
  if (!quick) {
    const file = new URL('latest.json', import.meta.url);
    await writeFile(file, `${JSON.stringify({ machine, ...figures }, null, 2)}\n`);
  }
}
