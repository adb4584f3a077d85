/** A whole training step and the drawing of a large image, on whichever engine is in use. */
import { type Experiment, experimentSchema } from '../src/config/schema.ts';
import { fullView } from '../src/grid.ts';
import { fieldWeights, type Generator, makeGenerator } from '../src/models/generator.ts';
import { parameterCount } from '../src/models/parameters.ts';
import type { Objective } from '../src/objectives/objective.ts';
import { makeObjective } from '../src/objectives/registry.ts';
import { Random } from '../src/random.ts';
import { renderRows } from '../src/render/render.ts';
import { type Tensor, type Tensor2D, tf, tidy } from '../src/tf.ts';
import { disposeState, initialState, type TrainState } from '../src/train/state.ts';
import { Stepper } from '../src/train/stepper.ts';

/** Latent 128 → mapping 256, 256 → hypernetwork → field 128→64→64→64→3: 4.6 million values to train, as the peers have. */
export const STEP_EXPERIMENT: Experiment = experimentSchema().parse({
  model: {
    encoding: { kind: 'gaussian', frequencies: 64, sigma: 5 },
    field: { width: 64, depth: 3, activation: 'relu', output: 'sigmoid' },
    conditioner: { kind: 'hypernetwork', latent: 128, mapping: [256, 256] },
  },
  train: { batch: 64, points: 1024 },
});
export const IMAGES = 1400;

/** The benched model, untrained. */
function untrained(): { generator: Generator; objective: Objective; state: TrainState } {
  const generator = makeGenerator(STEP_EXPERIMENT.model, 0);
  const objective = makeObjective(STEP_EXPERIMENT, generator, { count: IMAGES, width: 64, height: 64 });
  return { generator, objective, state: initialState(objective, 0, true) };
}

/** Seconds of each of some steps, after one that doesn't count, and the loss of the first. */
export async function trainSteps(steps: number): Promise<{ seconds: number[]; firstLoss: number; values: number }> {
  const { batch: fields, points } = STEP_EXPERIMENT.train;
  const { objective, state } = untrained();
  const random = new Random(2, 'synthetic');
  const features = random.uniforms(points * 128, -1, 1);
  const targets = random.uniforms(fields * points * 3, 0, 1);
  const seconds: number[] = [];
  let firstLoss = Number.NaN;
  const batches = {
    size: fields,
    inputsAt: (step: number) => ({
      images: { values: Int32Array.from({ length: fields }, (_, i) => (i * 7 + step) % IMAGES), shape: [fields] },
      features: { values: features, shape: [points, 128] },
      targets: { values: targets, shape: [fields, points, 3] },
    }),
    assemble: (tensors: Record<string, Tensor>) => tensors,
    dispose() {},
  };
  const stepper = new Stepper({ objective, state, batches, settings: STEP_EXPERIMENT.train });
  for (let step = 0; step <= steps; step++) {
    const start = performance.now();
    const [{ losses }] = await stepper.step();
    if (step === 0) [firstLoss] = Object.values(losses);
    else seconds.push((performance.now() - start) / 1000);
  }
  stepper.dispose();
  const values = parameterCount(state.parameters);
  disposeState(state);
  return { seconds, firstLoss, values };
}

/** Seconds to draw one latent's image of size × size as uint8. */
export async function renderSeconds(size: number): Promise<number> {
  const { generator, state } = untrained();
  const weights = tidy(() => fieldWeights(generator, state.parameters, tf.zeros([1, 128]) as Tensor2D));
  const field = { encoding: generator.encoding, spec: generator.spec, training: fullView(64, 64), weights };
  const start = performance.now();
  let bytes = 0;
  for await (const { images } of renderRows(field, fullView(size, size))) bytes += images[0].length;
  const seconds = (performance.now() - start) / 1000;
  if (bytes !== size * size * 3) throw new Error(`the image of ${size}² has ${bytes} bytes`);
  disposeState(state);
  tf.dispose(weights as never);
  return seconds;
}
