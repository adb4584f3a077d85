/**
 * Makes updates, one after another. On an engine that can record (a GPU), a step is recorded once and repeated, several
 * at a time under way, so that the device is never left waiting; elsewhere each step is computed as it is written.
 */
import type { Experiment } from '../config/schema.ts';
import type { Generator } from '../models/generator.ts';
import { type Recorder, type Recording, recorderInUse } from '../ops/recording.ts';
import { type Tensor, type Tensor1D, tf, tidy } from '../tf.ts';
import { type Batch, type BatchInputs, type BatchTensors, type InputArray, uploaded } from './batch.ts';
import type { TrainState } from './state.ts';
import { applyGradients, lossAndGradients, type StepResult, type UpdateNumbers, updateNumbers } from './step.ts';

/** Where batches come from (`Batches`). */
export interface BatchSource {
  inputsAt(step: number): BatchInputs;
  assemble(tensors: BatchTensors): Batch;
  visitsAfter(step: number): number;
}

/** The loss of an update, by the number of updates made with it. Not finite: that update was not made. */
export interface StepLoss {
  step: number;
  loss: number;
}

/** An update looked at closely. */
export interface StepDetails {
  loss: number;
  meanSquaredError: number;
  /** Euclidean norms over all parameters; the gradient's of the batch's latents alone. */
  gradientNorm: number;
  parametersNorm: number;
  updateNorm: number;
}

/** Repetitions under way at once: enough to keep a device busy while JavaScript prepares the next. */
const UNDER_WAY = 3;
/** Steps computed as written before one is recorded: by then all shaders exist and the state has its final place. */
const FIRST_STEPS = 2;

/** Losses that have become known, and the details of the step that was looked at closely. */
interface Outcome {
  losses: StepLoss[];
  details?: StepDetails;
}

export class Stepper {
  private readonly underWay: { step: number; report: Promise<Float32Array> }[] = [];
  /** A step that is looked at closely is another recording than one that isn't. */
  private readonly recorded = new Map<boolean, { recording: Recording; inputs: Record<string, Tensor> }>();
  private made = 0;

  constructor(
    private readonly experiment: Experiment,
    private readonly generator: Generator,
    private readonly state: TrainState,
    private readonly source: BatchSource,
  ) {}

  /** Makes one update; returns the losses that have become known since: this one's may come later. */
  async step(): Promise<StepLoss[]> {
    const record = recorderInUse();
    if (!record || this.made < FIRST_STEPS) return (await this.stepAsWritten(false)).losses;
    this.start(record, false);
    return this.underWay.length > UNDER_WAY ? [(await this.oldest()).loss] : [];
  }

  /** As `step`, waiting for it and all before, with details; without them, where the loss is not finite. */
  async stepClosely(): Promise<Outcome> {
    const record = recorderInUse();
    if (!record || this.made < FIRST_STEPS) return this.stepAsWritten(true);
    this.start(record, true);
    const losses: StepLoss[] = [];
    for (;;) {
      const { loss, report } = await this.oldest();
      losses.push(loss);
      if (this.underWay.length === 0)
        return { losses, details: Number.isFinite(loss.loss) ? asDetails(report) : undefined };
    }
  }

  /** Waits for all updates under way; their losses. */
  async settle(): Promise<StepLoss[]> {
    const losses: StepLoss[] = [];
    while (this.underWay.length > 0) losses.push((await this.oldest()).loss);
    return losses;
  }

  dispose(): void {
    for (const { recording, inputs } of this.recorded.values()) {
      recording.dispose();
      tf.dispose(inputs as never);
    }
  }

  /** Sets a recorded step off, recording it first where it has not been. */
  private start(record: Recorder, closely: boolean): void {
    const { numbers, inputs } = this.inputs();
    const known = this.recorded.get(closely);
    let report: Promise<Float32Array>;
    if (known) report = known.recording.repeat(Object.values(inputs).map(({ values }) => values));
    else {
      const tensors = uploaded(inputs);
      const recording = record(Object.values(tensors), () => {
        const before = closely ? copies(this.state) : undefined;
        const result = this.computed(tensors);
        this.apply(result, numbers, tensors);
        return before ? reportOf(result, this.state, before) : result.loss;
      });
      this.recorded.set(closely, { recording, inputs: tensors });
      report = recording.first;
    }
    report.catch(() => {}); // looked at when its turn comes
    this.counted();
    this.underWay.push({ step: this.state.step, report });
  }

  private async stepAsWritten(closely: boolean): Promise<Outcome> {
    const losses = await this.settle();
    if (losses.some(({ loss }) => !Number.isFinite(loss))) return { losses };
    const { numbers, inputs } = this.inputs();
    const tensors = uploaded(inputs);
    const before = closely ? copies(this.state) : [];
    const result = this.computed(tensors);
    try {
      const [loss] = await result.loss.data();
      losses.push({ step: this.state.step + 1, loss });
      if (!Number.isFinite(loss)) return { losses };
      this.apply(result, numbers, tensors);
      this.counted();
      if (!closely) return { losses };
      const report = reportOf(result, this.state, before);
      const details = asDetails((await report.data()) as Float32Array);
      report.dispose();
      return { losses, details };
    } finally {
      tf.dispose([tensors, before, result.loss, result.meanSquaredError, result.gradients] as never);
    }
  }

  /** Everything that goes to the device in the next step. */
  private inputs() {
    const { experiment, source } = this;
    const { step } = this.state;
    const numbers = updateNumbers(experiment, step, source.visitsAfter(step));
    const inputs: Record<string, InputArray> = {
      ...source.inputsAt(step),
      [PARAMETERS]: asInput(numbers.parameters.values),
      [LATENTS]: asInput(numbers.latents.values),
    };
    return { numbers, inputs };
  }

  private computed(tensors: Record<string, Tensor>): StepResult {
    return tidy(() => {
      const batch = this.source.assemble(tensors as BatchTensors);
      return lossAndGradients(this.experiment, this.generator, this.state, batch);
    });
  }

  private apply(result: StepResult, numbers: UpdateNumbers, tensors: Record<string, Tensor>): void {
    applyGradients(this.state, result, tensors.images as Tensor1D, numbers, {
      parameters: tensors[PARAMETERS] as Tensor1D,
      latents: tensors[LATENTS] as Tensor1D,
    });
  }

  private counted(): void {
    this.state.step++;
    this.made++;
  }

  private async oldest(): Promise<{ loss: StepLoss; report: Float32Array }> {
    const { step, report } = this.underWay.shift() as (typeof this.underWay)[number];
    const values = await report;
    return { loss: { step, loss: values[0] }, report: values };
  }
}

/** Names of the inputs that hold the numbers of an update. */
const PARAMETERS = 'updateOfParameters';
const LATENTS = 'updateOfLatents';

const asInput = (values: Float32Array): InputArray => ({ values, shape: [values.length] });

/** Copies of the parameters, to see how far an update moves them: not clones, for engines update in place. */
function copies({ adam }: TrainState): Tensor[] {
  return Object.values(adam).map(({ parameter }) => tf.add(parameter, 0));
}

/** Loss, mean squared error and squared norms, [5], in the order in which `asDetails` reads them. */
function reportOf({ loss, meanSquaredError, gradients }: StepResult, { adam }: TrainState, before: readonly Tensor[]) {
  return tf.tidy(() => {
    const after = Object.values(adam).map(({ parameter }) => parameter);
    const squares = (tensors: readonly Tensor[]) =>
      tf.sum(tf.stack(tensors.map((tensor) => tf.sum(tf.square(tensor)))));
    const changes = after.map((parameter, i) => tf.sub(parameter, before[i]));
    return tf.stack([loss, meanSquaredError, squares(Object.values(gradients)), squares(after), squares(changes)]);
  });
}

function asDetails([loss, meanSquaredError, gradient, parameters, update]: Float32Array): StepDetails {
  return {
    loss,
    meanSquaredError,
    gradientNorm: Math.sqrt(gradient),
    parametersNorm: Math.sqrt(parameters),
    updateNorm: Math.sqrt(update),
  };
}
