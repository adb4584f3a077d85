/** Watches a run while it trains: progress line, metrics.jsonl, TensorBoard, sheets of reconstructions and samples. */
import { join } from 'node:path';
import { formatExperiment } from '../config/load.ts';
import type { Experiment } from '../config/schema.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { fileError } from '../files/fileErrors.ts';
import { Progress } from '../files/progress.ts';
import { fullView } from '../grid.ts';
import { type BandFidelity, PairedSpectrum } from '../metrics/pairedSpectrum.ts';
import { summarizePsnr } from '../metrics/psnr.ts';
import { octavePartition } from '../metrics/signal/bands.ts';
import type { Generator } from '../models/generator.ts';
import { parameterCount } from '../models/parameters.ts';
import { encodedParameters, type Objective } from '../objectives/objective.ts';
import { contactSheet, magnify } from '../render/contactSheet.ts';
import { withFields } from '../render/drawableField.ts';
import { latentFields, type Model, sampleLatents } from '../render/model.ts';
import { pngOf } from '../render/png.ts';
import { type Reference, reconstructions, referenceOf, spreadIndices, toUnitRange } from '../render/reconstructions.ts';
import { renderImages } from '../render/render.ts';
import { MetricsLog, readMetrics } from '../run/metricsLog.ts';
import { latentSpace } from '../run/openModel.ts';
import type { RunFolder } from '../run/runFolder.ts';
import { EventWriter } from '../run/tensorboard/eventWriter.ts';
import { tf } from '../tf.ts';
import { scheduleFactor } from './schedule.ts';
import { drawingParameters, type TrainState } from './state.ts';
import type { StepReport } from './stepReport.ts';

/** Name of the monitored reconstruction quality, in dB. */
export const MONITORED_PSNR = 'reconstruction/psnr_db';
/** Followed by an octave in cycles per image: signal-to-noise ratio of the monitored reconstructions there. */
export const MONITORED_SNR = 'spectrum/snr_db_';

/** Images compared and shown while training; the final evaluation takes all. */
const MONITORED_IMAGES = 64;
const SHOWN_IMAGES = 16;

export interface MonitorOptions {
  experiment: Experiment;
  images: ImageSet;
  generator: Generator;
  objective: Objective;
  run: RunFolder;
  state: TrainState;
  resumed: boolean;
}

export class Monitor {
  private readonly started = performance.now();
  private lastLogged: { step: number; at: number };
  /** By phase, of the last step that it took part in. */
  private readonly lastLosses: Record<string, number> = {};
  /** Averages over the last steps, by phase. */
  private readonly recentLosses: Record<string, number> = {};
  /** Gradient norm of the last logged step; step 0 where none was logged yet. */
  lastNorm = { step: 0, gradient: Number.NaN };
  private readonly reporter: Progress;

  private constructor(
    private readonly options: MonitorOptions,
    private readonly metrics: MetricsLog,
    private readonly events: EventWriter,
    private readonly earlierSeconds: number,
    /** Best monitored PSNR, in dB. */
    private bestPsnr: number,
  ) {
    const { experiment, state } = options;
    this.lastLogged = { step: state.step, at: this.started };
    this.reporter = new Progress({ label: 'train', total: experiment.train.steps, start: state.step, unit: 'steps' });
  }

  static async open(options: MonitorOptions): Promise<Monitor> {
    const { experiment, run, state, resumed } = options;
    const metrics = await MetricsLog.open(run.metrics, resumed ? { resumeAtStep: state.step } : {});
    const earlier = resumed ? await readMetrics(run.metrics) : [];
    const events = await EventWriter.open(run.path, resumed ? { startStep: state.step } : {});
    const bestPsnr = earlier.reduce(
      (best, entry) => (MONITORED_PSNR in entry ? Math.max(best, Number(entry[MONITORED_PSNR])) : best),
      Number.NEGATIVE_INFINITY,
    );
    const monitor = new Monitor(options, metrics, events, earlier.at(-1)?.wallSeconds ?? 0, bestPsnr);
    // A run that was stopped before its first checkpoint starts anew, and says what it is again.
    if (state.step === 0) {
      events.text('config', `\`\`\`yaml\n${formatExperiment(experiment)}\`\`\``, 0);
      events.hparams({ ...flatten(experiment), parameters: parameterCount(state.parameters) }, [
        MONITORED_PSNR,
        ...lossNames(options.objective),
      ]);
      events.customScalars({
        training: { 'PSNR (dB)': ['train/psnr_db', MONITORED_PSNR], loss: lossNames(options.objective) },
        norms: { norms: ['norm/gradient', 'norm/parameters', 'norm/update'] },
      });
    }
    return monitor;
  }

  /** The progress line; of a step with norms also losses, rates and norms in the logs. */
  onStep({ step, losses, logged, norms }: StepReport): void {
    Object.assign(this.lastLosses, losses);
    for (const [phase, loss] of Object.entries(losses)) {
      const recent = this.recentLosses[phase];
      this.recentLosses[phase] = recent === undefined ? loss : 0.95 * recent + 0.05 * loss;
    }
    const { objective, experiment } = this.options;
    this.reporter.update(step, withNames(objective, 'loss', ' ', this.recentLosses));
    if (!norms) return;
    const { train } = experiment;
    const now = performance.now();
    this.lastNorm = { step, gradient: norms.gradient };
    this.write(step, {
      ...withNames(objective, 'train/loss', '_', this.lastLosses),
      ...Object.fromEntries(Object.entries(logged ?? {}).map(([name, value]) => [`train/${name}`, value])),
      'train/learning_rate': train.learningRate * scheduleFactor(train.schedule, step - 1, train.steps),
      'norm/gradient': norms.gradient,
      'norm/parameters': norms.parameters,
      'norm/update': norms.update,
      'time/steps_per_second': (1000 * (step - this.lastLogged.step)) / (now - this.lastLogged.at),
    });
    this.lastLogged = { step, at: now };
  }

  /**
   * A sampled step: monitored PSNR and SNR per octave, sheets of reconstructions and samples, histograms of parameters.
   *
   * @returns whether reconstructions are better than ever before.
   */
  async onState(state: TrainState): Promise<boolean> {
    const { images, generator, objective } = this.options;
    const training = fullView(images.width, images.height);
    const trained = drawingParameters(state);
    const encoded = encodedParameters(objective, trained, images);
    const parameters = { ...trained, ...encoded };
    const latents = latentSpace(generator, objective, parameters);
    const model: Model = { generator, parameters, latents, training, imageNames: images.names };
    try {
      return await this.lookAt(model, state);
    } finally {
      tf.dispose(encoded);
    }
  }

  private async lookAt(model: Model, state: TrainState): Promise<boolean> {
    const { images } = this.options;
    const { latents, training } = model;
    const { psnr, bands } = await monitorReconstruction(
      model,
      referenceOf(images, spreadIndices(images.count, MONITORED_IMAGES)),
    );
    this.write(state.step, {
      [MONITORED_PSNR]: psnr,
      ...Object.fromEntries(bands.map(({ name, snrDb }) => [MONITORED_SNR + name, snrDb])),
    });

    const shown = referenceOf(images, spreadIndices(images.count, SHOWN_IMAGES));
    const pairs: Uint8Array[] = [];
    for await (const drawn of reconstructions(model, shown)) pairs.push(shown.pixels(pairs.length / 2), drawn);
    await this.sheet('reconstructions', state.step, pairs, 8);
    if (latents && images.count > 1) {
      const { seed } = this.options.experiment;
      const fields = latentFields(model, await sampleLatents(model, { seed, count: SHOWN_IMAGES }));
      await this.sheet('samples', state.step, await withFields(fields, (field) => renderImages(field, training)), 8);
    }
    const { groups } = this.options.objective;
    const tables = Object.values(groups).flatMap((group) => (group.rows ? Object.keys(group.initial) : []));
    for (const [name, parameter] of Object.entries(state.parameters)) {
      const tag = tables.includes(name) ? name : `parameters/${name}`;
      this.events.histogram(tag, (await parameter.data()) as Float32Array, state.step);
    }
    this.events.flush();
    this.lastLogged = { step: state.step, at: performance.now() };
    const isBest = psnr > this.bestPsnr || Number.isNaN(this.bestPsnr);
    if (isBest) this.bestPsnr = psnr;
    return isBest;
  }

  /** Hands what is buffered to the system: before a checkpoint, so that a resumed run has all up to there. */
  flush(): void {
    this.events.flush();
  }

  close(finished: boolean): void {
    this.reporter.finish();
    try {
      if (finished) this.events.sessionEnd('success');
      this.events.close();
    } finally {
      this.metrics.close();
    }
  }

  private write(step: number, values: Record<string, number>): void {
    const wallSeconds = this.earlierSeconds + (performance.now() - this.started) / 1000;
    this.metrics.append({ step, wallSeconds, ...values });
    this.events.scalars(values, step);
  }

  private async sheet(name: string, step: number, drawn: Uint8Array[], columns: number): Promise<void> {
    const { images, run } = this.options;
    const sheet = contactSheet(drawn, images.width, images.height, { columns });
    const shown = magnify(sheet.pixels, sheet.width, sheet.height, Math.max(1, Math.floor(768 / sheet.width)));
    const png = await pngOf(shown);
    const path = join(run.samples, `${name}-${String(step).padStart(6, '0')}.png`);
    await writeFileAtomically(path, png).catch((error: unknown) => {
      throw fileError('write', path, error);
    });
    this.events.image(name, png, shown.width, shown.height, step);
  }
}

/** Numbers of phases under one name where there is one phase, else under that name and the phase's. */
function withNames({ phases }: Objective, name: string, separator: string, numbers: Readonly<Record<string, number>>) {
  if (phases.length === 1) return { [name]: Object.values(numbers)[0] };
  return Object.fromEntries(Object.entries(numbers).map(([phase, value]) => [name + separator + phase, value]));
}

/** What the losses are logged as. */
function lossNames(objective: Objective): string[] {
  return Object.keys(
    withNames(objective, 'train/loss', '_', Object.fromEntries(objective.phases.map(({ name }) => [name, 0]))),
  );
}

/** Nested keys joined by dots, as TensorBoard's hparams want them; lists become text. */
function flatten(value: object, prefix = ''): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]): [string, string | number | boolean][] => {
      const name = prefix + key;
      if (item === undefined) return [];
      if (Array.isArray(item)) return [[name, item.join(',')]];
      return typeof item === 'object' ? Object.entries(flatten(item, `${name}.`)) : [[name, item]];
    }),
  );
}

/** Mean PSNR of the 8-bit reconstructions, in dB, and their fidelity per octave: cheap enough to follow training by. */
async function monitorReconstruction(
  model: Model,
  reference: Reference,
): Promise<{ psnr: number; bands: BandFidelity[] }> {
  const { width, height } = reference;
  const spectrum = new PairedSpectrum(width, height);
  let position = 0;
  for await (const drawn of reconstructions(model, reference)) {
    spectrum.add(toUnitRange(reference.pixels(position++)), toUnitRange(drawn));
  }
  const psnr = summarizePsnr(spectrum.mses).meanPsnrDb;
  return { psnr, bands: spectrum.fidelity(octavePartition(width, height)) };
}
