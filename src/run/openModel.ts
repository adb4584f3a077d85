/** Opens what a run trained. */
import type { Experiment } from '../config/schema.ts';
import { trainingSize } from '../config/schema.ts';
import { fullView } from '../grid.ts';
import { makeGenerator } from '../models/generator.ts';
import type { Model } from '../render/model.ts';
import { tf } from '../tf.ts';
import { storedParameters } from '../train/state.ts';
import { CheckpointStore } from './checkpoints.ts';
import { checkpointExperiment } from './resume.ts';
import type { RunFolder } from './runFolder.ts';

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
  const checkpoint = await new CheckpointStore(run.checkpoints).load(which);
  // The checkpoint's own config, so that the model always fits its tensors, whatever config.yaml says by now.
  const experiment = checkpointExperiment(checkpoint);
  const generator = makeGenerator(experiment.model, experiment.seed);
  const stored = Object.entries(storedParameters(checkpoint.tensors));
  const { width, height } = trainingSize(experiment.data);
  return {
    experiment,
    generator,
    step: checkpoint.step,
    checkpoint: checkpoint.path,
    warning: checkpoint.warning,
    parameters: Object.fromEntries(
      stored.map(([name, { data, shape }]) => [name, tf.tensor(data as Float32Array, shape)]),
    ),
    training: fullView(width, height),
    imageNames: JSON.parse(checkpoint.metadata.names) as string[],
  };
}

/** Frees the model's tensors. */
export function disposeModel(model: Model): void {
  tf.dispose(Object.values(model.parameters));
}
