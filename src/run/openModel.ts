/** Opens what a run trained. */
import type { Experiment } from '../config/schema.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { trainingSize } from '../data/schema.ts';
import { fullView } from '../grid.ts';
import { makeGenerator } from '../models/generator.ts';
import type { Parameters } from '../models/parameters.ts';
import type { Objective } from '../objectives/objective.ts';
import { makeObjective } from '../objectives/registry.ts';
import type { LatentSpace, Model } from '../render/model.ts';
import { tf } from '../tf.ts';
import { CheckpointStore, storedParameters } from './checkpoints.ts';
import { storedPriors } from './priors.ts';
import { checkpointExperiment, pluginWarning } from './resume.ts';
import type { RunFolder } from './runFolder.ts';

export interface OpenedModel extends Model {
  experiment: Experiment;
  /** Updates made when the checkpoint was written. */
  step: number;
  checkpoint: string;
  /** Said where another checkpoint than the one asked for had to be used, or a plugin has changed since. */
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
  const experiment = await checkpointExperiment(checkpoint);
  const imageNames = JSON.parse(checkpoint.metadata.names) as string[];
  const { width, height } = trainingSize(experiment.data);
  const generator = makeGenerator(experiment.model, experiment.seed);
  const objective = makeObjective(experiment, generator, { count: imageNames.length, width, height });
  const parameters = Object.fromEntries(
    Object.entries(storedParameters(checkpoint.tensors)).map(([name, { data, shape }]) => [
      name,
      tf.tensor(data as Float32Array, shape),
    ]),
  );
  const model: OpenedModel = {
    experiment,
    generator,
    step: checkpoint.step,
    checkpoint: checkpoint.path,
    run: run.path,
    parameters,
    latents: latentSpace(generator, objective, parameters),
    ...(objective.encode && { encode: (images) => encodedLatents(objective, parameters, images) }),
    training: fullView(width, height),
    imageNames,
  };
  const { priors, warnings: ofPriors } = await storedPriors(run.priors, model);
  const warnings = [checkpoint.warning, await pluginWarning(checkpoint), ...ofPriors].filter(
    (line) => line !== undefined,
  );
  return { ...model, priors, warning: warnings.length > 0 ? warnings.join('\n') : undefined };
}

/** Latents of any images, [N,D]. */
async function encodedLatents({ encode }: Pick<Objective, 'encode'>, parameters: Parameters, images: ImageSet) {
  const posterior = encode?.(parameters, images);
  try {
    return (await posterior?.means.data()) as Float32Array;
  } finally {
    tf.dispose(posterior as never);
  }
}

/** The latent space of an objective's model under these parameters, where it has one. */
export function latentSpace(
  { conditioner }: Pick<Model['generator'], 'conditioner'>,
  { latents }: Pick<Objective, 'latents'>,
  parameters: Parameters,
): LatentSpace | undefined {
  const { latentSize } = conditioner;
  if (latentSize === undefined || !latents) return undefined;
  return { size: latentSize, of: (images) => latents(parameters, images) };
}

/** Frees the model's tensors. */
export function disposeModel(model: Model): void {
  tf.dispose(Object.values(model.parameters));
}
