/**
 * The training loop, top to bottom. Everything that is trained goes through it: generators, and the fits of a noise study.
 *
 *   each step: batch → phases of the objective: loss and gradients, update (stepper.ts) → whoever watches → checkpoint
 *
 * Everything random is a function of (seed, step), so a resumed run continues as if it had never stopped.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { RunError } from '../errors.ts';
import type { Batches, Objective } from '../objectives/objective.ts';
import type { Collective } from '../ops/collective.ts';
import type { TrainState } from './state.ts';
import { Stepper } from './stepper.ts';
import type { StepReport } from './stepReport.ts';
import type { UpdateSettings } from './update.ts';

/** Who looks on while the loop trains. Steps are counted by the updates made: 0 is the untrained state. */
export interface Watcher {
  /**
   * Every update's losses come by here, in order, on a GPU a few steps late. What it throws ends training; one that was not
   * made ends it in any case.
   */
  onStep(report: StepReport): void | Promise<void>;
  /** Whether the norms of that step are wanted: its report has them then, and the loop waits for it. */
  wantsNorms?(step: number): boolean;
  /** Whether the state after that step is to be looked at. */
  wantsState?(step: number): boolean;
  /** Looks at the state. @returns whether it is the best so far, and so to be kept. */
  onState?(state: TrainState): Promise<boolean>;
}

export interface LoopOptions {
  objective: Pick<Objective, 'groups' | 'phases'>;
  batches: Batches;
  /** Trained in place; may come from a checkpoint. The caller disposes it. */
  state: TrainState;
  settings: UpdateSettings;
  watcher: Watcher;
  /** Where checkpoints go: every so many steps, where the watcher found the best so far, and at the end. */
  checkpoints?: { everySteps: number; save(state: TrainState, best: boolean): Promise<void> };
  collective?: Collective;
  /** Ends training after the current step, with a checkpoint. */
  signal?: AbortSignal;
}

/** Trains up to `settings.steps`, or until stopped. */
export async function trainLoop(options: LoopOptions): Promise<void> {
  const { objective, batches, state, settings, watcher, checkpoints, collective, signal } = options;
  const stepper = new Stepper({ objective, state, batches, settings, collective });
  let saved = state.step;
  const tell = async (reports: readonly StepReport[]) => {
    for (const report of reports) {
      await watcher.onStep(report);
      if (!report.wasMade)
        throw new RunError(`a loss is not finite at step ${report.step}: ${JSON.stringify(report.losses)}`);
    }
  };
  const save = async (best: boolean) => {
    await tell(await stepper.drain());
    await checkpoints?.save(state, best);
    saved = state.step;
  };
  try {
    if (state.step === 0 && watcher.wantsState?.(0)) await watcher.onState?.(state);
    while (state.step < settings.steps) {
      await eventLoopTurn(); // lets Ctrl-C in: nothing else in a step waits on a CPU engine
      if (signal?.aborted) break;

      await tell(await (watcher.wantsNorms?.(state.step + 1) ? stepper.stepWithNorms() : stepper.step()));

      if (watcher.wantsState?.(state.step)) {
        await tell(await stepper.drain());
        if (await watcher.onState?.(state)) await save(true);
      }
      if (checkpoints && saved < state.step && state.step % checkpoints.everySteps === 0) await save(false);
    }
    if (saved < state.step) await save(false);
  } finally {
    stepper.dispose();
  }
}
