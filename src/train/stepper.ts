/**
 * Makes updates, one after another. On an engine that can record (a GPU), a step is recorded once and repeated, several
 * at a time under way, so that the device is never left waiting; elsewhere each step is computed as it is written.
 */
import type { Experiment } from '../config/schema.ts';
import { type Recording, recorderInUse } from '../engine/recording.ts';
import type { Generator } from '../models/generator.ts';
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

/** An update looked at closely; `dispose` it. */
export interface StepDetails extends StepResult {
  /** Copies of the parameters before the update, in the order of the state's. */
  before: Tensor[];
}

/** Repetitions under way at once: enough to keep a device busy while JavaScript prepares the next. */
const UNDER_WAY = 3;
/** Steps computed as written before one is recorded: by then all shaders exist and the state has its final place. */
const FIRST_STEPS = 2;

export class Stepper {
  private readonly underWay: { step: number; loss: Promise<Float32Array> }[] = [];
  private recorded?: { recording: Recording; inputs: Record<string, Tensor> };
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
    if (!record || this.made < FIRST_STEPS) {
      const { losses, details } = await this.stepAsWritten(false);
      disposeDetails(details);
      return losses;
    }
    const { numbers, inputs } = this.inputs();
    let loss: Promise<Float32Array>;
    if (this.recorded) loss = this.recorded.recording.repeat(Object.values(inputs).map(({ values }) => values));
    else {
      const tensors = uploaded(inputs);
      const recording = record(Object.values(tensors), () => {
        const result = this.computed(tensors);
        this.apply(result, numbers, tensors);
        return result.loss;
      });
      this.recorded = { recording, inputs: tensors };
      loss = recording.first;
    }
    loss.catch(() => {}); // looked at when its turn comes
    this.counted();
    this.underWay.push({ step: this.state.step, loss });
    return this.underWay.length > UNDER_WAY ? [await this.oldest()] : [];
  }

  /** Waits for all updates under way; their losses. */
  async settle(): Promise<StepLoss[]> {
    const losses: StepLoss[] = [];
    while (this.underWay.length > 0) losses.push(await this.oldest());
    return losses;
  }

  /** As `step`, at once, with everything that there is to know about the update; without, where the loss is not finite. */
  stepWithDetails(): Promise<{ losses: StepLoss[]; details?: StepDetails }> {
    return this.stepAsWritten(true);
  }

  private async stepAsWritten(withBefore: boolean): Promise<{ losses: StepLoss[]; details?: StepDetails }> {
    const losses = await this.settle();
    if (losses.some(({ loss }) => !Number.isFinite(loss))) return { losses };
    const { numbers, inputs } = this.inputs();
    const tensors = uploaded(inputs);
    // Copies, not clones: engines update in place.
    const before = withBefore ? Object.values(this.state.adam).map(({ parameter }) => tf.add(parameter, 0)) : [];
    const result = this.computed(tensors);
    try {
      const [loss] = await result.loss.data();
      losses.push({ step: this.state.step + 1, loss });
      if (!Number.isFinite(loss)) {
        disposeDetails({ ...result, before });
        return { losses };
      }
      this.apply(result, numbers, tensors);
      this.counted();
      return { losses, details: { ...result, before } };
    } finally {
      tf.dispose(tensors as never);
    }
  }

  dispose(): void {
    this.recorded?.recording.dispose();
    tf.dispose(this.recorded?.inputs as never);
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

  private async oldest(): Promise<StepLoss> {
    const { step, loss } = this.underWay.shift() as (typeof this.underWay)[number];
    return { step, loss: (await loss)[0] };
  }
}

/** Names of the inputs that hold the numbers of an update. */
const PARAMETERS = 'updateOfParameters';
const LATENTS = 'updateOfLatents';

const asInput = (values: Float32Array): InputArray => ({ values, shape: [values.length] });

export function disposeDetails(details?: StepDetails): void {
  if (details) tf.dispose([details.loss, details.meanSquaredError, details.gradients, details.before] as never);
}
