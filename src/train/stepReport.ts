/** What is known of a step: losses, what the objective reports, norms. On the device it is one tensor, read at once. */
import type { Phase } from '../objectives/objective.ts';
import { type Tensor, tf } from '../tf.ts';
import type { PhaseResult } from './gradients.ts';

export interface StepReport {
  /** Number of updates made with this one. */
  step: number;
  /** By phase. */
  losses: Record<string, number>;
  /** Whether the update was made: not where a loss is no finite number. */
  wasMade: boolean;
  /** What the objective has to say, by name; with `norms`, where these were asked for. */
  logged?: Record<string, number>;
  norms?: Norms;
}

/** Euclidean norms over all parameters; the gradient's over those of the step's phases, of tables over the batch's rows. */
export interface Norms {
  gradient: number;
  parameters: number;
  update: number;
}

/** Losses of the phases; with `change`, also what they report and the squares of the norms. */
export function packReport(
  results: readonly PhaseResult[],
  change?: { before: readonly Tensor[]; after: readonly Tensor[] },
): Tensor {
  return tf.tidy(() => {
    const losses = results.map(({ loss }) => loss);
    if (!change) return tf.stack(losses);
    const squares = (tensors: readonly Tensor[]) =>
      tf.sum(tf.stack(tensors.map((tensor) => tf.sum(tf.square(tensor)))));
    const changes = change.after.map((parameter, i) => tf.sub(parameter, change.before[i]));
    return tf.stack([
      ...losses,
      ...results.flatMap(({ report }) => Object.values(report)),
      squares(results.flatMap(({ gradients }) => Object.values(gradients))),
      squares(change.after),
      squares(changes),
    ]);
  });
}

/** Reads what `packReport` packed of these phases. */
export function unpackReport(
  step: number,
  phases: readonly Phase[],
  results: readonly { report: object }[],
  values: Float32Array,
): StepReport {
  const losses = Object.fromEntries(phases.map(({ name }, i) => [name, values[i]]));
  const wasMade = Object.values(losses).every(Number.isFinite);
  if (values.length === phases.length || !wasMade) return { step, losses, wasMade };
  let at = phases.length;
  const logged: Record<string, number> = {};
  for (const [i, { logged: read = (report: Record<string, number>) => report }] of phases.entries()) {
    const names = Object.keys(results[i].report);
    Object.assign(logged, read(Object.fromEntries(names.map((name) => [name, values[at++]]))));
  }
  const [gradient, parameters, update] = Array.from(values.subarray(at), Math.sqrt);
  return { step, losses, wasMade, logged, norms: { gradient, parameters, update } };
}
