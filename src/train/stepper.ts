/**
 * Makes updates, one after another. On an engine that can record (a GPU), a step is recorded once and repeated, several
 * at a time under way, so that the device is never left waiting; elsewhere each step is computed as it is written.
 */
import type { Parameters } from '../models/parameters.ts';
import type { Batches, InputArray, Objective, Phase } from '../objectives/objective.ts';
import { alone, type Collective } from '../ops/collective.ts';
import { type Recorder, type Recording, recorderInUse } from '../ops/recording.ts';
import { type Tensor, type Tensor1D, type Tensor2D, tf, tidy } from '../tf.ts';
import { lossAndGradients, type PhaseResult } from './gradients.ts';
import type { TrainState } from './state.ts';
import { packReport, type StepReport, unpackReport } from './stepReport.ts';
import { applyGradients, type UpdateNumbers, type UpdateSettings, updateNumbers } from './update.ts';

/** Repetitions under way at once: enough to keep a device busy while JavaScript prepares the next. */
const UNDER_WAY = 3;
/** Steps of the same phases that are computed as written before one is recorded: by then their state has its final place. */
const FIRST_STEPS = 2;

export interface StepperOptions {
  objective: Pick<Objective, 'groups' | 'phases'>;
  state: TrainState;
  batches: Batches;
  settings: UpdateSettings;
  /** Who trains along; one process where left out. */
  collective?: Collective;
}

/** A step that was recorded. */
interface RecordedStep {
  recording: Recording;
  inputs: Record<string, Tensor>;
  /** What its values mean. */
  unpack(step: number, values: Float32Array): StepReport;
}

export class Stepper {
  private readonly options: Required<StepperOptions>;
  private readonly underWay: Promise<StepReport>[] = [];
  /** By the phases that take part and whether norms are taken: each is another recording. */
  private readonly recorded = new Map<string, RecordedStep>();
  /** How often a step of the same phases was computed as it is written. */
  private readonly written = new Map<string, number>();

  constructor(options: StepperOptions) {
    this.options = { ...options, collective: options.collective ?? alone };
  }

  /** Makes one update; returns the reports that have become known since: this one's may come later. */
  async step(): Promise<StepReport[]> {
    const record = this.recorder();
    if (!record) return this.stepAsWritten(false);
    this.begin(record, false);
    return this.underWay.length > UNDER_WAY ? [await this.oldest()] : [];
  }

  /** As `step`, waiting for it and all before it; the last report has norms unless its loss is not finite. */
  async stepWithNorms(): Promise<StepReport[]> {
    const record = this.recorder();
    if (!record) return this.stepAsWritten(true);
    this.begin(record, true);
    return this.drain();
  }

  /** Waits for all updates under way; their reports. */
  async drain(): Promise<StepReport[]> {
    const reports: StepReport[] = [];
    while (this.underWay.length > 0) reports.push(await this.oldest());
    return reports;
  }

  dispose(): void {
    for (const { recording, inputs } of this.recorded.values()) {
      recording.dispose();
      tf.dispose(Object.values(inputs));
    }
  }

  /**
   * The engine's recorder, once steps of the next one's phases may be recorded. Gradients that go to other members leave
   * the device in between, and plain descent moves its parameters to new places: such steps are computed as written.
   */
  private recorder(): Recorder | undefined {
    const { objective, collective } = this.options;
    const isFixed = Object.values(objective.groups).every(({ optimizer }) => optimizer !== 'gd');
    const written = this.written.get(namesOf(this.phases())) ?? 0;
    return written < FIRST_STEPS || collective.size > 1 || !isFixed ? undefined : recorderInUse();
  }

  /** The phases of the next step: those of every k-th take part in update k, 2k, … */
  private phases(): Phase[] {
    const { objective, state } = this.options;
    return objective.phases.filter(({ every = 1 }) => (state.step + 1) % every === 0);
  }

  /** Sets a recorded step off, recording it first where it has not been. */
  private begin(record: Recorder, withNorms: boolean): void {
    const { phases, numbers, inputs } = this.plan();
    const key = JSON.stringify([namesOf(phases), withNorms]);
    const { step } = this.options.state;
    const known = this.recorded.get(key);
    const recorded = known ?? this.record(record, phases, numbers, inputs, withNorms);
    this.recorded.set(key, recorded);
    // By the names that were recorded, in their order.
    const values = known
      ? known.recording.repeat(Object.keys(known.inputs).map((name) => inputs[name].values))
      : recorded.recording.first;
    const report = values.then((read) => recorded.unpack(step + 1, read));
    report.catch(() => {}); // thrown where it is awaited
    this.underWay.push(report);
    this.count(numbers);
  }

  private record(
    record: Recorder,
    phases: readonly Phase[],
    numbers: Record<string, UpdateNumbers>,
    inputs: Record<string, InputArray>,
    withNorms: boolean,
  ): RecordedStep {
    const tensors = toDevice(inputs);
    let reported: { report: object }[] = [];
    const recording = record(Object.values(tensors), () => {
      const before = withNorms ? this.copies() : undefined;
      const results = phases.map((phase) => {
        const result = this.compute(phase, tensors);
        this.apply(phase, result.gradients, result.loss, numbers, tensors);
        return result;
      });
      reported = results;
      return packReport(results, before && { before, after: Object.values(this.options.state.parameters) });
    });
    return {
      recording,
      inputs: tensors,
      unpack: (step, values) => unpackReport(step, phases, reported, values),
    };
  }

  /** Where a loss is not finite, the update is not made; of the phases before it, it is: the state is then to be left. */
  private async stepAsWritten(withNorms: boolean): Promise<StepReport[]> {
    const reports = await this.drain();
    if (reports.some(({ wasMade }) => !wasMade)) return reports;
    const { state } = this.options;
    const { phases, numbers, inputs } = this.plan();
    const results: PhaseResult[] = [];
    const losses: Record<string, number> = {};
    const step = state.step + 1;
    const tensors = toDevice(inputs);
    let before: Tensor[] | undefined;
    try {
      before = withNorms ? this.copies() : undefined;
      for (const phase of phases) {
        const result = this.compute(phase, tensors);
        results.push(result);
        losses[phase.name] = await this.reduce(result);
        if (!Number.isFinite(losses[phase.name])) return [...reports, { step, losses, wasMade: false }];
        this.apply(phase, result.gradients, result.loss, numbers, tensors);
      }
      this.count(numbers);
      this.written.set(namesOf(phases), (this.written.get(namesOf(phases)) ?? 0) + 1);
      if (!before || phases.length === 0) return [...reports, { step, losses, wasMade: true }];
      const packed = packReport(results, { before, after: Object.values(state.parameters) });
      try {
        return [...reports, unpackReport(step, phases, results, (await packed.data()) as Float32Array)];
      } finally {
        packed.dispose();
      }
    } finally {
      tf.dispose([tensors, before ?? [], ...results] as never);
    }
  }

  /** The phases of the next step, and everything that goes to the device for them. */
  private plan() {
    const { objective, batches, settings, state } = this.options;
    const { step } = state;
    const phases = this.phases();
    const inputs = batches.inputsAt(step);
    const numbers: Record<string, UpdateNumbers> = {};
    for (const { trains, every = 1 } of phases) {
      for (const name of trains) {
        const group = objective.groups[name];
        const rows =
          group.rows === undefined
            ? undefined
            : { indices: inputs[group.rows].values as Int32Array, updates: state.rowUpdates[name] };
        numbers[name] = updateNumbers(group, settings, step, (step + 1) / every, rows);
        const { values, rows: ofRows } = numbers[name];
        inputs[NUMBERS_OF + name] = { values, shape: [values.length] };
        if (ofRows) {
          inputs[CORRECTIONS_OF + name] = { values: ofRows.corrections, shape: [ofRows.counts.length, 2] };
        }
      }
    }
    return { phases, numbers, inputs };
  }

  private compute(phase: Phase, tensors: Record<string, Tensor>): PhaseResult {
    const { objective, state, batches } = this.options;
    return tidy(() => lossAndGradients(objective, phase, state, batches.assemble(tensors)));
  }

  /**
   * Puts the mean over all members in place of this member's gradients.
   *
   * @returns the loss; of several members the mean of theirs, so that all of them see where one is not finite.
   */
  private async reduce({ loss, gradients }: PhaseResult): Promise<number> {
    const { collective } = this.options;
    if (collective.size === 1) return (await loss.data())[0];
    const all = [loss, ...Object.values(gradients)];
    const flat = tf.tidy(() => tf.concat(all.map((tensor) => tf.reshape(tensor, [-1]))));
    let values: Float32Array;
    try {
      values = await collective.allReduce((await flat.data()) as Float32Array);
    } finally {
      flat.dispose();
    }
    let at = 1;
    for (const [name, gradient] of Object.entries(gradients)) {
      gradients[name] = tf.tensor(values.subarray(at, at + gradient.size), gradient.shape);
      at += gradient.size;
      gradient.dispose();
    }
    return values[0];
  }

  private apply(
    phase: Phase,
    gradients: Parameters,
    loss: Tensor,
    numbers: Record<string, UpdateNumbers>,
    tensors: Record<string, Tensor>,
  ): void {
    const { objective, state } = this.options;
    for (const name of phase.trains) {
      const group = objective.groups[name];
      const rows =
        group.rows === undefined
          ? undefined
          : { indices: tensors[group.rows] as Tensor1D, corrections: tensors[CORRECTIONS_OF + name] as Tensor2D };
      const onDevice = { values: tensors[NUMBERS_OF + name] as Tensor1D, guard: loss, rows };
      applyGradients(state, group, gradients, numbers[name], onDevice);
    }
  }

  /** Copies of the parameters, to see how far an update moves them: not clones, for engines update in place. */
  private copies(): Tensor[] {
    return Object.values(this.options.state.parameters).map((parameter) => tf.add(parameter, 0));
  }

  /** Notes that an update was made, or is under way. */
  private count(numbers: Record<string, UpdateNumbers>): void {
    const { state } = this.options;
    for (const [group, { rows }] of Object.entries(numbers)) {
      for (const row of rows?.indices ?? []) state.rowUpdates[group][row]++;
    }
    state.step++;
  }

  private async oldest(): Promise<StepReport> {
    return this.underWay.shift() as Promise<StepReport>;
  }
}

const namesOf = (phases: readonly Phase[]) => phases.map(({ name }) => name).join();

/** Before a group's name: the inputs that hold the numbers of its update, and of its rows' corrections. */
const NUMBERS_OF = 'update.';
const CORRECTIONS_OF = 'corrections.';

/** Tensors of inputs, by the same names. */
function toDevice(inputs: Record<string, InputArray>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { values, shape }]) => [
      name,
      tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32'),
    ]),
  );
}
