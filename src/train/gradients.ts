/** The loss of a phase and its gradients. */
import { messageOf } from '../errors.ts';
import type { Parameters } from '../models/parameters.ts';
import type { Batch, Objective, Phase } from '../objectives/objective.ts';
import { type Scalar, type Tensor, type Tensor1D, tf, tidy } from '../tf.ts';
import type { TrainState } from './state.ts';

export interface PhaseResult {
  /** What was minimised. */
  loss: Scalar;
  /** What the objective reports beside it, by name. */
  report: Record<string, Scalar>;
  /** One for each parameter that the phase trains; of tables, that of the batch's rows. */
  gradients: Parameters;
}

/** Loss, reported scalars and gradients of one phase on a batch. The caller disposes what it is given. */
export function lossAndGradients(
  { groups }: Pick<Objective, 'groups'>,
  phase: Phase,
  state: Pick<TrainState, 'parameters'>,
  batch: Batch,
): PhaseResult {
  return tidy(() => {
    const seen: Parameters = {};
    for (const { initial, rows } of Object.values(groups)) {
      for (const name of Object.keys(initial)) {
        const parameter = state.parameters[name];
        // Rows are gathered outside the gradient, so that it needs no scatter (which wasm lacks).
        seen[name] = rows ? tf.gather(parameter, batch[rows] as Tensor1D) : parameter;
      }
    }
    const trained = phase.trains.flatMap((group) => Object.keys(groups[group].initial));
    let report: Record<string, Scalar> = {};
    const loss = (...values: Tensor[]): Scalar => {
      const parameters = { ...seen, ...Object.fromEntries(trained.map((name, i) => [name, values[i]])) };
      const found = phase.loss(parameters, batch);
      report = mapValues(found.report ?? {}, (scalar) => tf.keep(tf.clone(scalar)));
      return found.minimise;
    };
    try {
      const { value, grads } = tf.valueAndGrads(loss)(trained.map((name) => seen[name]));
      return {
        loss: value as Scalar,
        report: mapValues(report, (scalar) => tf.clone(scalar)),
        gradients: Object.fromEntries(trained.map((name, i) => [name, grads[i]])),
      };
    } catch (error) {
      if (!messageOf(error).startsWith('Cannot compute gradient')) throw error;
      throw new Error(`the loss of phase "${phase.name}" does not depend on all that it trains: ${trained.join(', ')}`);
    } finally {
      tf.dispose(Object.values(report)); // kept, because the gradient's tidy would have disposed them
    }
  });
}

function mapValues<A, B>(record: Record<string, A>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));
}
