/** The whole training step and the large image, alone or between two measurements of PyTorch on the same GPU. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Experiment } from '../../src/config/schema.ts';
import { ENGINES, startEngine } from '../../src/engine/engine.ts';
import { median, requireCorrect } from '../measure.ts';
import type { Target } from '../table.ts';
import { precisionsOf } from './precision.ts';
import {
  MODES,
  PRECISIONS as PEER_PRECISIONS,
  type PeerFigures,
  PytorchPeer,
  peerMilliseconds,
} from './pytorchPeer.ts';
import { compareRendering, RENDER_SIZE, renderings } from './rendering.ts';
import type { BenchSession } from './session.ts';
import { experimentLabel, MODELS, modelExperiment, type StepModel, StepWork } from './training.ts';

const TARGETS: Record<string, Target> = {
  eager_tf32: { must: 2, reach: 4 },
  compile_tf32: { must: 1, reach: 2 },
};

/** Times of one model in one precision, with the losses of its first steps. */
interface Own {
  key: string;
  label: string;
  suffix: string;
  losses: number[];
  milliseconds: number[];
}

/** Both models in every precision, around PyTorch where it is asked for; then the image. */
export async function benchSteps(session: BenchSession): Promise<void> {
  const { options, table } = session;
  const folder = await mkdtemp(join(tmpdir(), 'chladni-bench-'));
  let peer: PytorchPeer | undefined;
  const rounds: PeerFigures[] = [];
  const own: Own[] = [];
  try {
    const files: Record<string, string> = {};
    await session.part('start', async () => {
      for (const model of MODELS) {
        const work = new StepWork(modelExperiment(session, model));
        files[model.key] = join(folder, `${model.key}.safetensors`);
        await work.save(files[model.key]);
        work.dispose();
      }
    });
    if (options.peers) {
      await session.part('pytorch', async () => {
        const renderSize = session.size(RENDER_SIZE, 64);
        const allowCpu = session.gpu.isSoftware;
        const started = await PytorchPeer.start({ models: files, renderSize, seconds: 240, allowCpu });
        if ('absent' in started) throw new Error(started.absent);
        peer = started.peer;
        rounds.push(started.figures);
        console.error(`${started.figures.version} on ${started.figures.device}`);
      });
    }
    for (const model of MODELS)
      await session.part(model.key, async () => void own.push(...(await stepsOf(session, model))));
    const drawn: number[] = [];
    await session.part('render', async () => void drawn.push(...(await renderings(session))));
    if (peer) await session.part('pytorch_again', async () => void rounds.push(await (peer as PytorchPeer).again()));
    for (const figures of own) {
      // PyTorch is held to our 32-bit losses; those of mixed precision have been held to them already.
      const single = own.find(({ key, suffix }) => key === figures.key && suffix === '');
      compareSteps(session, figures, single?.losses ?? [], rounds);
    }
    if (drawn.length > 0) compareRendering(session, median(drawn), rounds);
    if (rounds.length > 0) table.figures.pytorch_webgpu = `${rounds[0].version} on ${rounds[0].device}`;
  } finally {
    peer?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function stepsOf(session: BenchSession, model: StepModel): Promise<Own[]> {
  const all: Own[] = [];
  const single = modelExperiment(session, model);
  for (const { name, suffix, lossBound } of precisionsOf(session.gpu.adapter)) {
    const experiment = { ...single, train: { ...single.train, precision: name } };
    await checkAgainstProcessor(experiment, lossBound);
    const work = new StepWork(experiment);
    try {
      const losses = await work.losses();
      await work.blocks(1, session.size(20, 1));
      const milliseconds = await work.blocks(session.size(9, 2), session.size(20, 1));
      all.push({ key: model.key, label: experimentLabel(experiment), suffix, losses, milliseconds });
    } finally {
      work.dispose();
    }
  }
  return all;
}

/** The first losses, of fewer points, against an engine that computes on the processor. */
async function checkAgainstProcessor({ train, ...rest }: Experiment, bound: number): Promise<void> {
  const small = { ...rest, train: { ...train, points: Math.min(train.points, 70) } };
  const losses = async () => {
    const work = new StepWork(small);
    const found = await work.losses();
    work.dispose();
    return found;
  };
  const ours = await losses();
  for (const engine of ENGINES.filter(({ name }) => name === 'native' || name === 'wasm')) {
    if (!(await engine.probe()).available) continue;
    await startEngine(engine.name);
    const expected = await losses();
    await startEngine('webgpu');
    requireCorrect(`the loss of the first steps (against the ${engine.name} engine)`, ours, expected, bound);
    return;
  }
}

function compareSteps(
  { table }: BenchSession,
  { key: model, label: what, suffix, milliseconds }: Own,
  losses: readonly number[],
  rounds: PeerFigures[],
): void {
  const step = median(milliseconds);
  const label = `training step${suffix.replace('_', ', ')}, ${what}`;
  table.figures[`${model}${suffix}_milliseconds_webgpu`] = Number(step.toFixed(3));
  const spread = `${Math.min(...milliseconds).toFixed(2)}–${Math.max(...milliseconds).toFixed(2)}`;
  table.note(label, `${step.toFixed(2)} ms (${spread})`);
  if (rounds.length === 0) return;
  for (const precision of PEER_PRECISIONS) {
    for (const mode of MODES.map((name) => `${name}_${precision}`)) {
      const key = `${model}${suffix}_vs_pytorch_${mode}`;
      const times = peerMilliseconds(rounds, model, mode, losses);
      const text = `… against PyTorch ${mode.replaceAll('_', ' ')}`;
      if ('absent' in times) {
        table.figures[`${key}_reason_webgpu`] = times.absent;
        table.record(`${key}_webgpu`, null, text, times.absent, TARGETS[mode]);
      } else {
        const theirs = median(times);
        const measured = `${step.toFixed(2)} ms against ${theirs.toFixed(2)} ms`;
        table.record(`${key}_webgpu`, theirs / step, text, measured, TARGETS[mode]);
      }
    }
  }
}
