/** Trains, or goes on training, an experiment in its run folder: what stands around the loop. */
import { formatExperiment } from '../config/load.ts';
import type { Experiment } from '../config/schema.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { RunError } from '../errors.ts';
import { makeGenerator } from '../models/generator.ts';
import type { Parameters } from '../models/parameters.ts';
import { encodedParameters } from '../objectives/objective.ts';
import { makeObjective } from '../objectives/registry.ts';
import { CheckpointStore } from '../run/checkpoints.ts';
import { checkpointMetadata, requireSameRun } from '../run/resume.ts';
import type { RunFolder } from '../run/runFolder.ts';
import { tf } from '../tf.ts';
import { trainLoop } from './loop.ts';
import { Monitor } from './monitor.ts';
import { stepsBetweenSamples } from './schedule.ts';
import { disposeState, drawingParameters, initialState, restoreState, stateTensors, type TrainState } from './state.ts';
import type { StepReport } from './stepReport.ts';

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
 * @throws RunError where the loss is no longer finite (the last good checkpoint stays), a checkpoint can't be used or
 *   the disk is full.
 */
export async function train(options: TrainOptions): Promise<TrainSummary> {
  const { experiment, images, run, resume, engine, signal, say = () => {} } = options;
  const { train: settings, seed } = experiment;
  const generator = makeGenerator(experiment.model, seed);
  const objective = makeObjective(experiment, generator, images);
  const checkpoints = new CheckpointStore(run.checkpoints);
  const metadata = await checkpointMetadata(experiment, images);
  const state = initialState(objective, seed, settings.emaDecay > 0);
  const batches = objective.batches(images);
  let monitor: Monitor | undefined;
  let isFinished = false;
  try {
    if (resume && (await checkpoints.steps()).length > 0) {
      const checkpoint = await checkpoints.load('latest');
      if (checkpoint.warning) say(checkpoint.warning);
      await requireSameRun(checkpoint, experiment, metadata);
      restoreState(state, checkpoint, batches.size);
      if (state.step >= settings.steps) {
        say(`already trained to step ${state.step} of ${settings.steps}: nothing to do`);
        return { step: state.step, interrupted: false, trainingSeconds: 0 };
      }
    }
    // Only now, when nothing speaks against this session, is the run folder changed.
    await run.writeConfig(formatExperiment(experiment));
    await run.writeEnvironment(engine);
    const watcher = await Monitor.open({ experiment, images, generator, objective, run, state, resumed: resume });
    monitor = watcher;
    const sampleEvery = stepsBetweenSamples(settings, batches.size);
    const isLast = (step: number) => step === settings.steps;
    const started = performance.now();
    await trainLoop({
      objective,
      batches,
      state,
      settings,
      signal,
      watcher: {
        async onStep(report) {
          if (!report.wasMade) throw await divergence(report, watcher, checkpoints);
          watcher.onStep(report);
        },
        wantsNorms: (step) => step % settings.logEverySteps === 0 || isLast(step),
        wantsState: (step) => step > 0 && (step % sampleEvery === 0 || isLast(step)),
        onState: () => watcher.onState(state),
      },
      checkpoints: {
        everySteps: settings.checkpointEverySteps,
        async save(_, best) {
          watcher.flush();
          const encoded = encodedParameters(objective, drawingParameters(state), images);
          await saveCheckpoint(checkpoints, state, encoded, metadata, best).finally(() => tf.dispose(encoded));
        },
      },
    });
    isFinished = state.step === settings.steps;
    return { step: state.step, interrupted: !isFinished, trainingSeconds: (performance.now() - started) / 1000 };
  } finally {
    batches.dispose();
    disposeState(state);
    monitor?.close(isFinished);
  }
}

async function saveCheckpoint(
  checkpoints: CheckpointStore,
  state: TrainState,
  encoded: Parameters,
  metadata: Record<string, string>,
  best: boolean,
): Promise<void> {
  const tensors = await stateTensors(state, encoded);
  for (const [name, { data }] of Object.entries(tensors)) {
    if ((data as Float32Array).every(Number.isFinite)) continue;
    throw new RunError(`step ${state.step}: ${name} is no longer finite; ${await lastGoodCheckpoint(checkpoints)}`);
  }
  await checkpoints.save(state.step, tensors, metadata, { best });
}

/** What ends a run whose loss is NaN or infinite: where, how large the gradient had been, and what to do. */
async function divergence({ losses, step }: StepReport, { lastNorm }: Monitor, checkpoints: CheckpointStore) {
  const [name, loss] = Object.entries(losses).find(([, value]) => !Number.isFinite(value)) as [string, number];
  const which = Object.keys(losses).length > 1 ? `the loss of phase "${name}"` : 'the loss';
  const gradient =
    lastNorm.step > 0
      ? `gradient norm ${lastNorm.gradient.toPrecision(3)} at step ${lastNorm.step}, the last one logged`
      : 'in the first steps';
  return new RunError(
    `${which} became ${loss} at step ${step} (${gradient}); ${await lastGoodCheckpoint(checkpoints)}`,
  );
}

/** Where to go on from, for an error's last words. */
async function lastGoodCheckpoint(checkpoints: CheckpointStore): Promise<string> {
  const last = (await checkpoints.steps()).at(-1);
  return last === undefined
    ? 'no checkpoint was saved yet: start again with a lower train.learningRate'
    : `the checkpoint of step ${last} is kept: resume with a lower train.learningRate`;
}
