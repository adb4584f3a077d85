/** Opens what a run trained. */
import type { Experiment } from '../config/schema.ts';
import { trainingSize } from '../config/schema.ts';
import { RunError } from '../errors.ts';
import { fullView } from '../grid.ts';
import { makeGenerator } from '../models/generator.ts';
import type { Parameters } from '../models/parameters.ts';
import type { Model } from '../render/model.ts';
import { tf } from '../tf.ts';
import { CheckpointStore } from './checkpoints.ts';
import type { RunFolder } from './runFolder.ts';
import { storedParameters } from './state.ts';

export interface OpenedModel extends Model {
  experiment: Experiment;
  /** Updates made when the checkpoint was written. */
  step: number;
  checkpoint: string;
  /** Said where another checkpoint than the one asked for had to be used. */
  warning?: string;
}

/**
 * Opens a checkpoint of a run to draw with: the averaged parameters, where the run keeps any. An engine must have been
 * started. Dispose it with `disposeModel`.
 *
 * @throws RunError where there is no checkpoint or it can't be used.
 */
export async function openModel(run: RunFolder, which: 'latest' | 'best' | number = 'latest'): Promise<OpenedModel> {
  const experiment = await run.readExperiment();
  const { tensors, step, metadata, path, warning } = await new CheckpointStore(run.checkpoints).load(which);
  const generator = makeGenerator(experiment.model, experiment.seed);
  const parameters: Parameters = Object.fromEntries(
    Object.entries(storedParameters(tensors)).map(([name, { data, shape }]) => [
      name,
      tf.tensor(data as Float32Array, shape),
    ]),
  );
  for (const [layer, { inputs, outputs }] of generator.spec.layers.entries()) {
    const kernel = parameters[`field.${layer}.kernel`];
    if (kernel?.shape.slice(-2).join() === `${inputs},${outputs}`) continue;
    throw new RunError(`${path}: belongs to another config than ${run.config}: field.${layer}.kernel does not fit`);
  }
  const { width, height } = trainingSize(experiment.data);
  const imageNames = JSON.parse(metadata.names) as string[];
  return {
    experiment,
    step,
    checkpoint: path,
    warning,
    generator,
    parameters,
    training: fullView(width, height),
    imageNames,
  };
}

/** Frees the model's tensors. */
export function disposeModel(model: Model): void {
  tf.dispose(Object.values(model.parameters));
}
