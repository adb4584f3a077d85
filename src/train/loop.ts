/**
 * The training loop, top to bottom:
 *
 *   resume or start → each step: batch → loss and gradients → Adam and averages (stepper.ts) → log → samples →
 *   checkpoint → final
 *
 * Everything random is a function of (seed, step), so a resumed run continues as if it had never stopped.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { formatExperiment } from '../config/load.ts';
import type { Experiment } from '../config/schema.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { RunError } from '../errors.ts';
import { makeGenerator } from '../models/generator.ts';
import { CheckpointStore } from '../run/checkpoints.ts';
import { checkpointMetadata, requireSameRun } from '../run/resume.ts';
import type { RunFolder } from '../run/runFolder.ts';
import { Batches } from './batch.ts';
import { RunLog } from './runLog.ts';
import { stepsBetweenSamples } from './schedule.ts';
import { disposeState, initialState, restoreState, stateTensors, type TrainState } from './state.ts';
import { type StepLoss, Stepper } from './stepper.ts';

export interface TrainOptions {
  experiment: Experiment;
  images: ImageSet;
  run: RunFolder;
  /** Continue from the run's latest checkpoint; a run that has none yet starts. */
  resume: boolean;
  /** What computes, in words, for env.json. */
  engine: string;
  /** Ends the run after the current step, with a checkpoint. */
  signal?: AbortSignal;
  /** Where warnings go, a line each. */
  say?: (line: string) => void;
}

export interface TrainSummary {
  /** Updates made, in this and earlier sessions. */
  step: number;
  /** Whether the run was interrupted before its last step. */
  interrupted: boolean;
  /** Wall-clock time of training in this session, without loading and starting. */
  trainingSeconds: number;
}

/**
 * Trains, or goes on training, an experiment in its run folder.
 *
 * @throws RunError where the loss is no longer finite (the last good checkpoint stays), a checkpoint can't be used or
 *   the disk is full.
 */
export async function train(options: TrainOptions): Promise<TrainSummary> {
  const { experiment, images, run, resume, engine, signal, say = () => {} } = options;
  const { train: settings } = experiment;
  const generator = makeGenerator(experiment.model, experiment.seed);
  const checkpoints = new CheckpointStore(run.checkpoints);
  const metadata = checkpointMetadata(experiment, images);
  const state = initialState(experiment, generator, images.count);
  const batches = new Batches(experiment, generator, images);
  const stepper = new Stepper(experiment, generator, state, batches);
  const sampleEvery = stepsBetweenSamples(settings, batches.size);
  let log: RunLog | undefined;
  let [finished, saved] = [false, 0];
  try {
    if (resume && (await checkpoints.steps()).length > 0) {
      const checkpoint = await checkpoints.load('latest');
      if (checkpoint.warning) say(checkpoint.warning);
      requireSameRun(checkpoint, experiment, metadata);
      restoreState(state, checkpoint.tensors, checkpoint.step, checkpoint.path);
      if (state.step >= settings.steps) {
        say(`already trained to step ${state.step} of ${settings.steps}: nothing to do`);
        return { step: state.step, interrupted: false, trainingSeconds: 0 };
      }
    }
    // Only now, when nothing speaks against this session, is the run folder changed.
    await run.writeConfig(formatExperiment(experiment));
    await run.writeEnvironment(engine);
    log = await RunLog.open({ experiment, images, generator, run, state, resumed: resume });
    saved = state.step;
    let bestPsnr = log.bestPsnr;
    const started = performance.now();

    /** Every update's loss comes by here, on a GPU a few steps late. */
    const look = async (losses: readonly StepLoss[]) => {
      for (const { step, loss } of losses) {
        if (!Number.isFinite(loss)) throw await divergence(loss, step, log, checkpoints);
        log?.progress(step, loss);
      }
    };

    const save = async (best: boolean) => {
      await look(await stepper.settle());
      log?.flush();
      await saveCheckpoint(checkpoints, state, metadata, best);
      saved = state.step;
    };

    while (state.step < settings.steps) {
      await eventLoopTurn(); // lets Ctrl-C in: nothing else in a step waits on a CPU engine
      if (signal?.aborted) break;

      const logged = (state.step + 1) % settings.logEverySteps === 0 || state.step + 1 === settings.steps;
      if (logged) {
        const { losses, details } = await stepper.stepClosely();
        await look(losses);
        if (details) log.step(state.step, details);
      } else await look(await stepper.step());

      if (state.step % sampleEvery === 0 || state.step === settings.steps) {
        await look(await stepper.settle());
        const psnr = await log.samples(state);
        if (psnr > bestPsnr) await save(true);
        bestPsnr = Math.max(bestPsnr, psnr);
      }
      if (saved < state.step && state.step % settings.checkpointEverySteps === 0) await save(false);
    }
    if (saved < state.step) await save(false);
    finished = state.step === settings.steps;
    return { step: state.step, interrupted: !finished, trainingSeconds: (performance.now() - started) / 1000 };
  } finally {
    stepper.dispose();
    batches.dispose();
    disposeState(state);
    log?.close(finished);
  }
}

async function saveCheckpoint(
  checkpoints: CheckpointStore,
  state: TrainState,
  metadata: Record<string, string>,
  best: boolean,
): Promise<void> {
  const tensors = await stateTensors(state);
  for (const [name, { data }] of Object.entries(tensors)) {
    if ((data as Float32Array).every(Number.isFinite)) continue;
    throw new RunError(`step ${state.step}: ${name} is no longer finite; ${await wayBack(checkpoints)}`);
  }
  await checkpoints.save(state.step, tensors, metadata, { best });
}

/** What ends a run whose loss is NaN or infinite: where, how large the gradient had been, and what to do. */
async function divergence(loss: number, at: number, log: RunLog | undefined, checkpoints: CheckpointStore) {
  const { step, norm } = log?.lastGradientNorm ?? { step: 0, norm: Number.NaN };
  const gradient =
    step > 0 ? `gradient norm ${norm.toPrecision(3)} at step ${step}, the last one logged` : 'in the first steps';
  return new RunError(`the loss became ${loss} at step ${at} (${gradient}); ${await wayBack(checkpoints)}`);
}

async function wayBack(checkpoints: CheckpointStore): Promise<string> {
  const last = (await checkpoints.steps()).at(-1);
  return last === undefined
    ? 'no checkpoint was saved yet: start again with a lower train.learningRate'
    : `the checkpoint of step ${last} is kept: resume with a lower train.learningRate`;
}
