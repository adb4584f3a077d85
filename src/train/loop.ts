/**
 * The training loop, top to bottom:
 *
 *   resume or start → each step: batch → loss and gradients → Adam and averages → log → samples → checkpoint → final
 *
 * Everything random is a function of (seed, step), so a resumed run continues as if it had never stopped.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import type { Experiment } from '../config/schema.ts';
import { batchIndices, gatherTargets, pointIndices } from '../data/batches.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { RunError } from '../errors.ts';
import { fullView } from '../grid.ts';
import { makeGridEncoder } from '../models/encoding.ts';
import { makeGenerator } from '../models/generator.ts';
import { Random } from '../random.ts';
import { tf } from '../tf.ts';
import { CheckpointStore } from './checkpoints.ts';
import type { RunFolder } from './runFolder.ts';
import { RunLog } from './runLog.ts';
import { disposeState, initialState, restoreState, stateTensors, type TrainState } from './state.ts';
import { applyGradients, type Batch, globalNorm, lossAndGradients, type StepResult } from './step.ts';

export interface TrainOptions {
  experiment: Experiment;
  images: ImageSet;
  run: RunFolder;
  /** Continue from the run's latest checkpoint. */
  resume: boolean;
  /** Ends the run after the current step, with a checkpoint. */
  signal?: AbortSignal;
}

export interface TrainSummary {
  /** Updates made, in this and earlier sessions. */
  step: number;
  /** Whether the run was interrupted before its last step. */
  interrupted: boolean;
  /** Wall-clock time of training in this session, without loading and starting. */
  trainingSeconds: number;
  warnings: string[];
}

/**
 * Trains, or goes on training, an experiment in its run folder.
 *
 * @throws RunError where the loss is no longer finite (the last good checkpoint stays), a checkpoint can't be used or
 *   the disk is full.
 */
export async function train({ experiment, images, run, resume, signal }: TrainOptions): Promise<TrainSummary> {
  const { seed, train: settings } = experiment;
  const generator = makeGenerator(experiment.model, seed);
  const training = fullView(images.width, images.height);
  const state = initialState(experiment, generator, images.count);
  const checkpoints = new CheckpointStore(run.checkpoints);
  const warnings: string[] = [];

  // A run that was stopped before its first checkpoint starts anew.
  if (resume && (await checkpoints.steps()).length > 0) {
    const checkpoint = await checkpoints.load('latest');
    if (checkpoint.warning) warnings.push(checkpoint.warning);
    restoreState(state, checkpoint.tensors, checkpoint.step, checkpoint.path);
    requireSameImages(checkpoint.metadata, images, checkpoint.path);
  }

  const encoder = makeGridEncoder(generator.encoding, training);
  const pixelCount = images.width * images.height;
  const points = Math.min(settings.points, pixelCount);
  const fit = experiment.objective === 'fit';
  const batchSize = fit ? images.count : Math.min(settings.batch, images.count);
  const everyImage = Int32Array.from({ length: images.count }, (_, i) => i);
  // Where every step sees every pixel, their features are the same each time.
  const allFeatures = points === pixelCount ? encoder.tensor({ firstRow: 0, rowCount: images.height }) : undefined;

  const batchOf = (step: number): Batch => {
    // A fit's fields lie in the order of the images, and all of them are trained in every step.
    const drawn = fit ? everyImage : batchIndices(seed, step, batchSize, images.count);
    const pixels = pointIndices(seed, step, points, pixelCount);
    const noise = generator.latentSize > 0 && settings.latentNoise > 0;
    const noiseValues = () =>
      new Random(seed, 'noise', step).normals(batchSize * generator.latentSize, settings.latentNoise);
    return {
      images: drawn,
      features: allFeatures ?? encoder.tensor(pixels),
      targets: tf.tensor3d(gatherTargets(images, drawn, pixels), [batchSize, points, 3]),
      latentNoise: noise ? tf.tensor2d(noiseValues(), [batchSize, generator.latentSize]) : undefined,
      visits: Math.floor(step / Math.floor(images.count / batchSize)) + 1,
    };
  };

  const metadata = {
    names: JSON.stringify(images.names),
    images: images.digest,
    size: `${images.width}x${images.height}`,
  };
  const log = await RunLog.open({ experiment, images, generator, run, state, resumed: resume });
  const save = async (best = false) => {
    const tensors = await stateTensors(state);
    for (const [name, { data }] of Object.entries(tensors)) {
      if (!(data as Float32Array).every(Number.isFinite)) {
        throw new RunError(
          `step ${state.step}: ${name} is no longer finite; the checkpoints in ${run.checkpoints} stay as they are`,
        );
      }
    }
    log.flush();
    await checkpoints.save(state.step, tensors, metadata, { best });
  };

  const started = performance.now();
  let bestPsnr = log.bestPsnr;
  let saved = state.step;
  try {
    while (state.step < settings.steps) {
      await eventLoopTurn(); // lets Ctrl-C in: nothing else in a step waits on a CPU engine
      if (signal?.aborted) break;
      const batch = batchOf(state.step);
      const result = lossAndGradients(experiment, generator, state, batch);
      const [loss] = await result.loss.data();
      if (!Number.isFinite(loss)) await stopForLoss(loss, state, result, run);

      const logged = (state.step + 1) % settings.logEverySteps === 0 || state.step + 1 === settings.steps;
      const before = logged
        ? tf.tidy(() => Object.values(state.adam).map(({ parameter }) => tf.add(parameter, 0)))
        : [];
      applyGradients(experiment, state, result.gradients, batch);
      log.progress(state.step, loss);
      if (logged) await log.step(state, result, before);
      tf.dispose([before, result.loss, result.meanSquaredError, result.gradients, batch.targets]);
      tf.dispose([batch.latentNoise ?? [], allFeatures ? [] : batch.features]);

      if (state.step % settings.sampleEverySteps === 0 || state.step === settings.steps) {
        const psnr = await log.samples(state);
        if (psnr > bestPsnr) {
          bestPsnr = psnr;
          await save(true);
          saved = state.step;
        }
      }
      if (saved < state.step && state.step % settings.checkpointEverySteps === 0) {
        await save();
        saved = state.step;
      }
    }
    if (saved < state.step) await save();
  } finally {
    allFeatures?.dispose();
    disposeState(state);
    log.close(state.step === settings.steps);
  }
  return {
    step: state.step,
    interrupted: state.step < settings.steps,
    trainingSeconds: (performance.now() - started) / 1000,
    warnings,
  };
}

/** Ends a run whose loss is NaN or infinite, saying where and how large the gradient had become. */
async function stopForLoss(loss: number, state: TrainState, result: StepResult, run: RunFolder): Promise<never> {
  const norm = await globalNorm(Object.values(result.gradients));
  throw new RunError(
    `the loss became ${loss} at step ${state.step + 1} (gradient norm ${norm}); the last good checkpoint is kept in ` +
      `${run.checkpoints}: resume from it with a lower train.learningRate`,
  );
}

function requireSameImages(metadata: Record<string, string>, images: ImageSet, origin: string): void {
  if (metadata.images === images.digest) return;
  if (metadata.names === JSON.stringify(images.names)) return; // same images, touched or re-encoded
  throw new RunError(
    `${origin}: was trained on other images than data.path holds now; restore them or start a new run`,
  );
}
