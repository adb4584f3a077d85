/**
 * `npm run bench -- --engine webgpu`: the webgpu engine against what its GPU can do at best, and with `--peers` against
 * PyTorch on the same GPU. Prints a table; writes bench/latest-webgpu.json and bench/latest-webgpu-timeline.txt, or into
 * `--out`. docs/webgpu.md says what each figure means.
 */
import { median } from '../measure.ts';
import type { BenchOptions } from '../options.ts';
import { giga } from '../table.ts';
import { busyDuringTraining } from './busy.ts';
import { type Ceiling, copyCeiling, multiplyAddCeiling } from './ceilings.ts';
import { matrixCeiling } from './matrixCeiling.ts';
import { convolutionFigure, fieldFigure } from './operations.ts';
import { precisionsOf } from './precision.ts';
import { BenchSession } from './session.ts';
import { benchSteps } from './steps.ts';
import { timelineText } from './timeline.ts';
import { traced } from './trace.ts';
import { experimentLabel, MODELS, modelExperiment, StepWork } from './training.ts';

const NOT_A_GPU = 'This adapter is software: sizes are small, and no figure below says anything of a GPU.';

/** Runs all parts; whether none failed. */
export async function benchWebgpu(options: BenchOptions): Promise<boolean> {
  const session = await BenchSession.start(options);
  const { gpu, table } = session;
  await session.part('ceilings', () => benchCeilings(session));
  for (const hidden of options.quick ? [64] : [64, 128, 256]) {
    await session.part(`field_h${hidden}`, () => benchField(session, hidden));
  }
  await session.part('conv', () => benchConvolution(session));
  await benchSteps(session);
  for (const model of MODELS) {
    await session.part(`${model.key}_busy`, () => benchBusy(session, model));
  }
  await session.part('timeline', () => saveTimeline(session));
  console.log(`${gpu.adapter.name}, timed by ${session.machine.timedBy}, Node ${process.version}`);
  if (gpu.isSoftware) console.log(NOT_A_GPU);
  console.log([table.text(), ...table.reasons()].join('\n'));
  if (!session.saves) console.log('Nothing was saved (--force or --out saves).');
  gpu.device.destroy(); // else it keeps the process alive
  return session.complete;
}

async function benchCeilings({ gpu, table }: BenchSession): Promise<void> {
  const note = (label: string, key: string, ceiling: Ceiling | undefined, unit: string) => {
    table.figures[key] = ceiling ? Number((ceiling.perSecond / 1e9).toFixed(1)) : null;
    table.note(label, ceiling ? `${giga(ceiling.perSecond, unit)} (${ceiling.variant})` : 'not on this adapter');
  };
  note('copy of memory, read and written', 'copy_limit_gbytes_webgpu', await copyCeiling(gpu), 'GB/s');
  note('multiply-add limit, f32', 'fma_limit_gflops_webgpu', await multiplyAddCeiling(gpu, 'f32'), 'GFLOP/s');
  const half = gpu.adapter.halfPrecision ? await multiplyAddCeiling(gpu, 'f16') : undefined;
  note('multiply-add limit, f16', 'fma_f16_limit_gflops_webgpu', half, 'GFLOP/s');
  note('subgroup-matrix limit', 'subgroup_matrix_limit_gflops_webgpu', await matrixCeiling(gpu), 'GFLOP/s');
}

/** The field at its worst number of points counts, as on the native engine. */
async function benchField(session: BenchSession, hidden: number): Promise<void> {
  const { gpu, table } = session;
  const fields = session.size(64, 2);
  const points = session.size(session.options.quick ? [4096] : [4096, 16_384, 65_536], [64]);
  const limit = (await multiplyAddCeiling(gpu, 'f32')).perSecond; // now: clocks drift
  let single: number[] = [];
  for (const precision of precisionsOf(gpu.adapter)) {
    const rates: number[] = [];
    const { suffix, name } = precision;
    for (const count of points) {
      const { perSecond } = await fieldFigure(gpu, { hidden, fields, points: count }, precision);
      table.figures[`field_h${hidden}_p${count}${suffix}_tflops_webgpu`] = Number((perSecond / 1e12).toPrecision(4));
      rates.push(perSecond);
    }
    const worst = Math.min(...rates);
    const label = `field forward+backward, ${name}, hidden ${hidden}, B=${fields}, P=${points.join('…')} (worst)`;
    const measured = `${giga(worst, 'GFLOP/s')} of ${giga(limit, '')}`;
    const target = name === 'float32' ? { must: 0.4, reach: 0.7 } : undefined;
    table.record(`field_h${hidden}${suffix}_fraction_webgpu`, worst / limit, label, measured, target);
    if (name === 'float32') single = rates;
    else {
      const ratio = median(rates.map((rate, i) => rate / single[i]));
      const against = { must: 2, reach: 5 };
      table.record(`field_h${hidden}${suffix}_vs_f32_webgpu`, ratio, `… against our f32 (median over P)`, '', against);
    }
  }
}

async function benchConvolution(session: BenchSession): Promise<void> {
  const images = session.size(64, 1);
  const limit = (await multiplyAddCeiling(session.gpu, 'f32')).perSecond;
  const { perSecond } = await convolutionFigure(session.gpu, images);
  const measured = `${giga(perSecond, 'GFLOP/s')} of ${giga(limit, '')}`;
  const label = `conv2d 3×3, 64→64 at 32², ${images} images, with both gradients (TensorFlow.js's kernels)`;
  session.table.record('conv_fraction_webgpu', perSecond / limit, label, measured);
}

async function benchBusy(session: BenchSession, model: (typeof MODELS)[number]): Promise<void> {
  const experiment = modelExperiment(session, model);
  const size = session.size(Math.sqrt(Math.max(4096, experiment.train.points)), 16);
  const { fraction, milliseconds } = await busyDuringTraining(session.gpu, experiment, size);
  const measured = `${milliseconds.step.toFixed(2)} ms a step, ${(milliseconds.traced / 1000).toFixed(1)} s looked at`;
  const label = `GPU busy during training, ${experimentLabel(experiment)}`;
  session.table.record(`${model.key}_busy_fraction_webgpu`, fraction, label, measured, { must: 0.8, reach: 0.95 });
}

/** One step, dispatch by dispatch: each in a pass of its own, so that gaps here are longer than in training. */
async function saveTimeline(session: BenchSession): Promise<void> {
  const parts: string[] = [];
  for (const model of MODELS) {
    const experiment = modelExperiment(session, model);
    const work = new StepWork(experiment);
    try {
      await work.steps(3);
      const intervals = await traced(session.gpu, 'dispatch', async () => void (await work.steps(1)));
      session.table.figures[`${model.key}_dispatches_webgpu`] = intervals.length;
      parts.push(`One training step, ${experimentLabel(experiment)}\n${timelineText(intervals)}`);
    } finally {
      work.dispose();
    }
  }
  await session.save('latest-webgpu-timeline.txt', parts.join('\n'));
}
