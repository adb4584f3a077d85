/** What a run tells while it trains: progress line, metrics.jsonl, TensorBoard, sample sheets. */
import { join } from 'node:path';
import { formatExperiment } from '../config/load.ts';
import type { Experiment } from '../config/schema.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { monitorReconstruction, reconstructions } from '../eval/run/reconstruction.ts';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { fileError } from '../files/fileErrors.ts';
import { Progress } from '../files/progress.ts';
import { fullView } from '../grid.ts';
import { psnrOfMse } from '../metrics/psnr.ts';
import type { Generator } from '../models/generator.ts';
import { parameterCount } from '../models/parameters.ts';
import { contactSheet, enlarge } from '../render/contactSheet.ts';
import { disposeFields } from '../render/drawableField.ts';
import { latentFields, type Model, sampleLatents } from '../render/model.ts';
import { pngOf } from '../render/png.ts';
import { referenceOf, spread } from '../render/references.ts';
import { renderImages } from '../render/render.ts';
import { MetricsLog, readMetrics } from '../run/metricsLog.ts';
import type { RunFolder } from '../run/runFolder.ts';
import { EventWriter } from '../run/tensorboard/eventWriter.ts';
import { scheduleFactor } from './schedule.ts';
import { drawingParameters, LATENTS, type TrainState } from './state.ts';
import type { StepDetails } from './stepper.ts';

/** Name of the monitored reconstruction quality, in dB. */
export const MONITORED_PSNR = 'reconstruction/psnr_db';
/** Followed by an octave in cycles per image: signal-to-noise ratio of the monitored reconstructions there. */
export const MONITORED_SNR = 'spectrum/snr_db_';

/** Images compared and shown while training; the final evaluation takes all. */
const MONITORED_IMAGES = 64;
const SHOWN_IMAGES = 16;

export interface RunLogOptions {
  experiment: Experiment;
  images: ImageSet;
  generator: Generator;
  run: RunFolder;
  state: TrainState;
  resumed: boolean;
}

export class RunLog {
  private readonly started = performance.now();
  private lastLogged: { step: number; at: number };
  private recentLoss = Number.NaN;
  /** Of the last logged step; step 0 where none was logged yet. */
  lastGradientNorm = { step: 0, norm: Number.NaN };
  private readonly reporter: Progress;

  private constructor(
    private readonly options: RunLogOptions,
    private readonly metrics: MetricsLog,
    private readonly events: EventWriter,
    private readonly earlierSeconds: number,
    /** Best monitored PSNR of earlier sessions. */
    readonly bestPsnr: number,
  ) {
    const { experiment, state } = options;
    this.lastLogged = { step: state.step, at: this.started };
    this.reporter = new Progress({ label: 'train', total: experiment.train.steps, start: state.step, unit: 'steps' });
  }

  static async open(options: RunLogOptions): Promise<RunLog> {
    const { experiment, run, state, resumed } = options;
    const metrics = await MetricsLog.open(run.metrics, resumed ? { resumeAtStep: state.step } : {});
    const earlier = resumed ? await readMetrics(run.metrics) : [];
    const events = await EventWriter.open(run.path, resumed ? { startStep: state.step } : {});
    const bestPsnr = earlier.reduce(
      (best, entry) => (MONITORED_PSNR in entry ? Math.max(best, Number(entry[MONITORED_PSNR])) : best),
      Number.NEGATIVE_INFINITY,
    );
    const log = new RunLog(options, metrics, events, earlier.at(-1)?.wallSeconds ?? 0, bestPsnr);
    // A run that was stopped before its first checkpoint starts anew, and says what it is again.
    if (state.step === 0) {
      const parameters = Object.fromEntries(
        Object.entries(state.adam).map(([name, { parameter }]) => [name, parameter]),
      );
      events.text('config', `\`\`\`yaml\n${formatExperiment(experiment)}\`\`\``, 0);
      events.hparams({ ...flatten(experiment), parameters: parameterCount(parameters) }, [
        MONITORED_PSNR,
        'train/loss',
      ]);
      events.customScalars({
        training: { 'PSNR (dB)': ['train/psnr_db', MONITORED_PSNR], loss: ['train/loss'] },
        norms: { norms: ['norm/gradient', 'norm/parameters', 'norm/update'] },
      });
    }
    return log;
  }

  /** Every step: the progress line. */
  progress(step: number, loss: number): void {
    this.recentLoss = Number.isNaN(this.recentLoss) ? loss : 0.95 * this.recentLoss + 0.05 * loss;
    this.reporter.update(step, { loss: this.recentLoss });
  }

  /**
   * A logged step: loss, rates, and the norms of gradient, parameters and update.
   */
  step(step: number, details: StepDetails): void {
    const { train } = this.options.experiment;
    const now = performance.now();
    this.lastGradientNorm = { step, norm: details.gradientNorm };
    this.write(step, {
      'train/loss': details.loss,
      'train/psnr_db': psnrOfMse(details.meanSquaredError),
      'train/learning_rate': train.learningRate * scheduleFactor(train.schedule, step - 1, train.steps),
      'norm/gradient': details.gradientNorm,
      'norm/parameters': details.parametersNorm,
      'norm/update': details.updateNorm,
      'time/steps_per_second': (1000 * (step - this.lastLogged.step)) / (now - this.lastLogged.at),
    });
    this.lastLogged = { step, at: now };
  }

  /**
   * A sampled step: monitored PSNR and SNR per octave, sheets of reconstructions and samples, histograms of parameters.
   *
   * @returns the monitored PSNR, in dB.
   */
  async samples(state: TrainState): Promise<number> {
    const { images, generator } = this.options;
    const training = fullView(images.width, images.height);
    const model: Model = { generator, parameters: drawingParameters(state), training, imageNames: images.names };
    const { psnr, bands } = await monitorReconstruction(
      model,
      referenceOf(images, spread(images.count, MONITORED_IMAGES)),
    );
    this.write(state.step, {
      [MONITORED_PSNR]: psnr,
      ...Object.fromEntries(bands.map(({ name, snrDb }) => [MONITORED_SNR + name, snrDb])),
    });

    const shown = referenceOf(images, spread(images.count, SHOWN_IMAGES));
    const pairs: Uint8Array[] = [];
    for await (const drawn of reconstructions(model, shown)) pairs.push(shown.pixels(pairs.length / 2), drawn);
    await this.sheet('reconstructions', state.step, pairs, 8);
    if (generator.latentSize > 0 && images.count > 1) {
      const field = latentFields(
        model,
        await sampleLatents(model, { seed: this.options.experiment.seed, count: SHOWN_IMAGES }),
      );
      await this.sheet('samples', state.step, await renderImages(field, training), 8);
      disposeFields(field);
    }
    for (const [name, { parameter }] of Object.entries(state.adam)) {
      this.events.histogram(
        name === LATENTS ? name : `parameters/${name}`,
        (await parameter.data()) as Float32Array,
        state.step,
      );
    }
    this.events.flush();
    this.lastLogged = { step: state.step, at: performance.now() };
    return psnr;
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
    const shown = enlarge(sheet.pixels, sheet.width, sheet.height, Math.max(1, Math.floor(768 / sheet.width)));
    const png = await pngOf(shown);
    const path = join(run.samples, `${name}-${String(step).padStart(6, '0')}.png`);
    await writeFileAtomically(path, png).catch((error: unknown) => {
      throw fileError('write', path, error);
    });
    this.events.image(name, png, shown.width, shown.height, step);
  }
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
