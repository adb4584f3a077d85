/** The whole training step on whichever engine runs, as the PyTorch peer takes it: from the same start, on the same batch. */
import { type Experiment, experimentSchema } from '../../src/config/schema.ts';
import { makeGenerator } from '../../src/models/generator.ts';
import { makeObjective } from '../../src/objectives/registry.ts';
import { Random } from '../../src/random.ts';
import { writeSafetensors } from '../../src/run/safetensors.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../src/tf.ts';
import { disposeState, initialState, stateTensors, type TrainState } from '../../src/train/state.ts';
import { Stepper } from '../../src/train/stepper.ts';
import type { StepReport } from '../../src/train/stepReport.ts';
import type { BenchSession } from './session.ts';

/** Latent 128 → mapping 256, 256 → hypernetwork → field 128→H→H→H→3. */
export function stepExperiment(hidden: number, batch: number, points: number, mapping = [256, 256]): Experiment {
  return experimentSchema().parse({
    model: {
      encoding: { kind: 'gaussian', frequencies: 64, sigma: 5 },
      field: { width: hidden, depth: 3, activation: 'relu', output: 'sigmoid' },
      conditioner: { kind: 'hypernetwork', latent: 128, mapping },
    },
    train: { batch, points, schedule: { kind: 'constant' } },
  });
}

/** The models whose steps are measured; `key` begins their figures' names. */
export const MODELS = [
  { key: 'step', hidden: 64, points: 1024 },
  { key: 'step_large', hidden: 128, points: 16_384 },
] as const;
export type StepModel = (typeof MODELS)[number];

/** The model to train; on a software adapter a much smaller one. */
export function modelExperiment(session: BenchSession, { hidden, points }: StepModel): Experiment {
  return session.size(stepExperiment(hidden, 64, points), stepExperiment(hidden / 8, 4, 64, [16]));
}

export function experimentLabel({ model, train }: Experiment): string {
  return `hidden ${model.field.width}, B=${train.batch}, P=${train.points}`;
}

const IMAGES = 1400;

/** How many losses are compared with the peer's. */
export const LOSSES = 5;

/**
 * A model being trained on one batch that lies on the device; only the indices of its images change from step to step.
 * Dispose it when done.
 */
export class StepWork {
  private readonly state: TrainState;
  private readonly stepper: Stepper;
  private readonly features: Tensor2D;
  private readonly targets: Tensor3D;
  private readonly values: { features: Float32Array; targets: Float32Array };

  constructor(private readonly experiment: Experiment) {
    const { batch, points } = experiment.train;
    const generator = makeGenerator(experiment.model, 0);
    const objective = makeObjective(experiment, generator, { count: IMAGES, width: 64, height: 64 });
    this.state = initialState(objective, experiment.seed, true);
    const random = new Random(2, 'synthetic');
    const inputs = generator.spec.layers[0].inputs;
    this.values = {
      features: random.uniforms(points * inputs, -1, 1),
      targets: random.uniforms(batch * points * 3, 0, 1),
    };
    this.features = tf.tensor2d(this.values.features, [points, inputs]);
    this.targets = tf.tensor3d(this.values.targets, [batch, points, 3]);
    const batches = {
      size: batch,
      inputsAt: (step: number) => ({
        images: { values: Int32Array.from({ length: batch }, (_, b) => (b * 7 + step) % IMAGES), shape: [batch] },
      }),
      assemble: (inputs: Record<string, Tensor>) => ({ ...inputs, features: this.features, targets: this.targets }),
      dispose() {},
    };
    this.stepper = new Stepper({ objective, state: this.state, batches, settings: experiment.train });
  }

  /** Writes what the peer starts from: call it before the first step. */
  async save(path: string): Promise<void> {
    const { train } = this.experiment;
    const tensors = await stateTensors(this.state);
    const parameters = Object.entries(tensors).filter(([name]) => name.startsWith('parameter/'));
    const batch = {
      features: { dtype: 'F32', shape: this.features.shape, data: this.values.features },
      targets: { dtype: 'F32', shape: this.targets.shape, data: this.values.targets },
    } as const;
    await writeSafetensors(path, { ...Object.fromEntries(parameters), ...batch }, { settings: JSON.stringify(train) });
  }

  /** Trains for some steps and waits for them; their losses. */
  async steps(count: number): Promise<number[]> {
    const reports: StepReport[] = [];
    for (let i = 0; i < count; i++) reports.push(...(await this.stepper.step()));
    reports.push(...(await this.stepper.drain()));
    return reports.flatMap(({ losses }) => Object.values(losses));
  }

  /** The losses of the first steps. */
  losses(): Promise<number[]> {
    return this.steps(LOSSES);
  }

  /** Milliseconds of a step, for some blocks of steps. */
  async blocks(count: number, steps: number): Promise<number[]> {
    const times: number[] = [];
    for (let block = 0; block < count; block++) {
      const start = performance.now();
      await this.steps(steps);
      times.push((performance.now() - start) / steps);
    }
    return times;
  }

  dispose(): void {
    this.stepper.dispose();
    disposeState(this.state);
    tf.dispose([this.features, this.targets]);
  }
}
