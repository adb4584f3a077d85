/**
 * Fits a prior to a run's latents and keeps it with the run: in closed form, or by the training loop. A fit that was
 * interrupted goes on from its last checkpoint, as if it had never stopped.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Interrupted, UsageError } from '../errors.ts';
import { Progress } from '../files/progress.ts';
import { chooseSteps } from '../models/priors/flow.ts';
import { type FittedPrior, isClosedForm, type LatentSet } from '../models/priors/prior.ts';
import { PRIORS } from '../models/priors/registry.ts';
import { type FlowObjective, flowObjective } from '../objectives/flow.ts';
import { type Checkpoint, CheckpointStore, storedParameters } from '../run/checkpoints.ts';
import type { OpenedModel } from '../run/openModel.ts';
import { latentSetOf, latentsDigest, storePrior } from '../run/priors.ts';
import type { RunFolder } from '../run/runFolder.ts';
import { trainLoop } from './loop.ts';
import { disposeState, drawingParameters, initialState, restoreState, stateTensors } from './state.ts';
import type { UpdateSettings } from './update.ts';

export interface PriorOptions {
  /** Name of the prior. */
  kind: string;
  /** Of the training, where it is trained. */
  steps?: number;
  signal?: Pick<AbortSignal, 'aborted'>;
  /** Where messages go; one line each. */
  say?: (line: string) => void;
}

/** Width and blocks of the network, latents a step, steps: 2,500 see each of 6,000 latents a hundred times. */
const FLOW = { width: 384, blocks: 3, batch: 256, steps: 2500, learningRate: 4e-3 } as const;
/** The held-out loss is measured, and the fit saved, this often; it ends where so many measurements bring nothing better. */
const MEASURED_EVERY = 250;
const PATIENCE = 4;
/** Of fewer latents there is nothing to learn that a Gaussian doesn't say. */
const FEWEST_LATENTS = 64;

/**
 * Fits a prior to the latents of an opened run, which must be locked, and stores it there.
 *
 * @returns the file, and what is known of the fit, in words.
 * @throws UsageError where the run has no latents, or too few; Interrupted where stopped: the same call goes on.
 */
export async function fitPrior(
  run: RunFolder,
  model: OpenedModel,
  { kind, steps, signal, say = () => {} }: PriorOptions,
): Promise<{ path: string; about: string; seconds: number }> {
  const prior = PRIORS.get(kind);
  if (!model.latents) throw new UsageError('a fit has no latents, so there is no prior to fit to them');
  const latents = await latentSetOf(model);
  const count = model.imageNames.length;
  const started = performance.now();
  let fitted: FittedPrior;
  let about = `fitted to ${count} latents of step ${model.step}`;
  if (isClosedForm(prior)) {
    if (steps !== undefined) throw new UsageError(`--steps: prior "${kind}" is not trained; leave it out`);
    fitted = await prior.fit(latents.means, latents.dimensions);
  } else {
    if (count < FEWEST_LATENTS) {
      throw new UsageError(
        `--kind ${kind}: needs ${FEWEST_LATENTS} images or more to learn from, and the run has ${count}; use --kind gaussian, or sample --prior neighbours`,
      );
    }
    const { seed } = model.experiment;
    const found = await trainFlow({
      latents,
      seed,
      steps: steps ?? FLOW.steps,
      folder: join(run.priors, `${kind}-training`),
      signal,
      say,
    });
    const chosen = await chooseSteps(found.fitted, latents.dimensions);
    fitted = {
      ...found.fitted,
      heunSteps: Float64Array.of(chosen.steps),
      heunError: Float64Array.of(chosen.error),
    };
    about += `, held-out loss ${found.heldOut.toFixed(4)} at step ${found.step}, ${chosen.steps} Heun steps (error ${chosen.error.toPrecision(2)} standard deviations)`;
  }
  const path = await storePrior(run.priors, { name: kind, fitted, step: model.step, about }, latents);
  // Only now: a fit that is cut off before goes on from here.
  await rm(join(run.priors, `${kind}-training`), { recursive: true, force: true });
  return { path, about, seconds: (performance.now() - started) / 1000 };
}

export interface FlowTraining {
  latents: LatentSet;
  seed: number;
  steps: number;
  /** Where its checkpoints are kept. */
  folder: string;
  signal?: Pick<AbortSignal, 'aborted'>;
  say: (line: string) => void;
  /** Smaller or larger than usual. */
  shape?: { width: number; blocks: number; batch: number };
}

/**
 * Trains a flow (models/priors/flow.ts, objectives/flow.ts). Of the averages that were measured on held-out latents, the best
 * are kept.
 *
 * @returns the flow but for the steps it is to be sampled with; its held-out loss, and the step it was reached at.
 */
export async function trainFlow(
  options: FlowTraining,
): Promise<{ fitted: FittedPrior; heldOut: number; step: number }> {
  const { latents, seed, steps, folder, signal, say, shape: { width, blocks, batch } = FLOW } = options;
  const shape = { latent: latents.dimensions, width, blocks };
  const objective = flowObjective({ latents, shape, learningRate: FLOW.learningRate, batch, seed });
  const settings: UpdateSettings = {
    steps,
    schedule: { kind: 'cosine', warmupSteps: Math.min(100, Math.ceil(steps / 10)), finalFraction: 0 },
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    // Averages over the last 1/15 of training.
    emaDecay: Math.max(0.5, 1 - 15 / steps),
  };
  const identity = JSON.stringify({ latents: latentsDigest(latents), seed, shape, batch, settings });
  const checkpoints = new CheckpointStore(folder);
  const state = initialState(objective, seed, true);
  const best = { loss: Number.POSITIVE_INFINITY, step: 0 };
  /** Whether going on has brought nothing for long. */
  const hadEnough = () => state.step - best.step >= PATIENCE * MEASURED_EVERY;
  let progress: Progress | undefined;
  try {
    const earlier = await unfinished(checkpoints, identity);
    if (earlier) {
      restoreState(state, earlier, batch);
      best.loss = Number(earlier.metadata.bestLoss);
      best.step = Number(earlier.metadata.bestStep);
      say(`going on from step ${state.step}`);
    } else await rm(folder, { recursive: true, force: true });
    const reporter = new Progress({ label: 'fit flow', total: steps, start: state.step, unit: 'steps' });
    progress = reporter;
    let recent: number | undefined;
    await trainLoop({
      objective,
      batches: objective.batches,
      state,
      settings,
      signal: {
        get aborted() {
          return hadEnough() || (signal?.aborted ?? false);
        },
      },
      watcher: {
        onStep({ step, losses: { matching } }) {
          recent = recent === undefined ? matching : 0.98 * recent + 0.02 * matching;
          reporter.update(step, { loss: recent, ...(best.step > 0 ? { 'held-out': best.loss } : {}) });
        },
        wantsState: (step) => step > 0 && (step % MEASURED_EVERY === 0 || step === steps),
        async onState({ step }) {
          const loss = await objective.heldOutLoss(drawingParameters(state));
          const isBest = loss < best.loss;
          if (isBest) Object.assign(best, { loss, step });
          return isBest;
        },
      },
      checkpoints: {
        everySteps: MEASURED_EVERY,
        async save(_, isBest) {
          const metadata = { identity, bestLoss: String(best.loss), bestStep: String(best.step) };
          await checkpoints.save(state.step, await stateTensors(state), metadata, { best: isBest });
        },
      },
    });
    if (state.step < steps && !hadEnough()) {
      throw new Interrupted(`stopped at step ${state.step}, which is kept; the same command goes on from there`);
    }
    reporter.finish();
    progress = undefined;
    const { tensors } = await checkpoints.load('best');
    return { fitted: fittedOf(objective, tensors), heldOut: best.loss, step: best.step };
  } finally {
    progress?.finish();
    objective.batches.dispose();
    disposeState(state);
  }
}

/** The last checkpoint of the same fit, if one was cut off. */
async function unfinished(checkpoints: CheckpointStore, identity: string): Promise<Checkpoint | undefined> {
  if ((await checkpoints.steps()).length === 0) return undefined;
  try {
    const [latest, best] = [await checkpoints.load('latest'), await checkpoints.load('best').catch(() => undefined)];
    const isWhole = Number(latest.metadata.bestStep) === (best?.step ?? 0);
    return latest.metadata.identity === identity && isWhole ? latest : undefined;
  } catch {
    return undefined; // damaged: it starts anew
  }
}

function fittedOf({ mean, scale }: FlowObjective, tensors: Checkpoint['tensors']): FittedPrior {
  const network = Object.entries(storedParameters(tensors)).map(([name, { data }]) => [name, data as Float32Array]);
  return { ...Object.fromEntries(network), mean, scale };
}
