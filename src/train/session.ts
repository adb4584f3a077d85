/** A session of training from the command line: data, engine, run folder, loop. */
import type { Experiment } from '../config/schema.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { loadImages, type Part, skippedReport } from '../data/loadImages.ts';
import { trainingSize } from '../data/schema.ts';
import { startEngine } from '../engine/engine.ts';
import { Interrupted } from '../errors.ts';
import { Progress } from '../files/progress.ts';
import { makeGenerator } from '../models/generator.ts';
import { parameterCount } from '../models/parameters.ts';
import { makeObjective } from '../objectives/registry.ts';
import { isTrainedMixed } from '../ops/field.ts';
import { RunFolder } from '../run/runFolder.ts';
import { type TrainSummary, train } from './trainRun.ts';

export interface SessionOptions {
  experiment: Experiment;
  runPath: string;
  resume: boolean;
  /** Remove a run that the folder holds already. */
  overwrite?: boolean;
  signal?: AbortSignal;
  /** Where messages go; one line each. */
  say: (line: string) => void;
}

/** A set's pixels are one array, and this is as much as one SHA-256 takes (src/run/resume.ts). */
const MOST_BYTES = 2 ** 31 - 1;

/** Loads the images of an experiment, saying what was skipped. */
export async function loadWithProgress(
  experiment: Experiment,
  say: (line: string) => void,
  { signal, ...options }: { part?: Part; scale?: number; images?: readonly number[]; signal?: AbortSignal } = {},
): Promise<ImageSet> {
  let progress: Progress | undefined;
  const images = await loadImages(experiment.data, {
    ...options,
    mostBytes: MOST_BYTES,
    onProgress: (done, total) => {
      if (signal?.aborted) throw new Interrupted('stopped while preparing images; nothing was trained');
      progress ??= new Progress({ label: 'prepare images', total, unit: 'images' });
      progress.update(done);
    },
  });
  progress?.finish();
  for (const line of skippedReport(images)) say(line);
  return images;
}

/** What an experiment amounts to, in a line or two, for so many images. Nothing is allocated. */
export function describeModel(experiment: Experiment, images: number): string {
  const generator = makeGenerator(experiment.model, experiment.seed);
  const { groups } = makeObjective(experiment, generator, { count: images, ...trainingSize(experiment.data) });
  const count = (isTable: boolean) =>
    Object.values(groups)
      .filter(({ rows }) => (rows !== undefined) === isTable)
      .reduce((sum, { initial }) => sum + parameterCount(initial), 0);
  const { layers } = generator.spec;
  const field = [layers[0].inputs, ...layers.map(({ outputs }) => outputs)].join('→');
  const { activation, skip } = experiment.model.field;
  const latentValues = count(true);
  return [
    `field ${field} (${activation}${skip === undefined ? '' : `, skip after ${skip}`})`,
    `${experiment.model.encoding.kind} encoding`,
    `${experiment.model.conditioner.kind} conditioner`,
    `${count(false).toLocaleString('en')} parameters`,
    ...(latentValues > 0 ? [`${latentValues.toLocaleString('en')} latent values`] : []),
  ].join(', ');
}

/** Trains an experiment in its run folder. */
export async function trainSession(options: SessionOptions): Promise<TrainSummary> {
  const { experiment, runPath, resume, overwrite, signal, say } = options;
  const engine = await startEngine(experiment.engine);
  // Before minutes go into decoding images.
  RunFolder.requireFree(runPath, { resume, overwrite });
  const images = await loadWithProgress(experiment, say, { signal });
  const run = await RunFolder.create(runPath, { resume, overwrite });
  try {
    const { width, height } = trainingSize(experiment.data);
    const on = engine.device ? ` (${engine.device()})` : '';
    say(
      `${images.count} images of ${width}x${height}; engine ${engine.name}${on}; ${describeModel(experiment, images.count)}`,
    );
    const { precision } = experiment.train;
    const { spec } = makeGenerator(experiment.model, experiment.seed);
    if (precision === 'mixed' && !isTrainedMixed({ ...spec, precision })) {
      say(`train.precision: mixed needs a GPU with matrix units; float32 is used on ${engine.name}`);
    }
    return await train({
      experiment,
      images,
      run,
      resume,
      engine: `${engine.name}: ${engine.description}${on}`,
      signal,
      say,
    });
  } finally {
    await run.close();
  }
}
