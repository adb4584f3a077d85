/** A whole training step and the drawing of a large image, on whichever engine is in use. */
import { type Experiment, experimentSchema } from '../src/config/schema.ts';
import { fullView } from '../src/grid.ts';
import { fieldWeights, makeGenerator } from '../src/models/generator.ts';
import { Random } from '../src/random.ts';
import { renderRows } from '../src/render/render.ts';
import { type Tensor2D, tf } from '../src/tf.ts';
import type { Batch } from '../src/train/batch.ts';
import { initialState } from '../src/train/state.ts';
import { Stepper } from '../src/train/stepper.ts';

/** Latent 128 → mapping 256, 256 → hypernetwork → field 128→64→64→64→3: 4.6 million values to train, as the peers have. */
export const STEP_EXPERIMENT: Experiment = experimentSchema.parse({
  model: {
    encoding: { kind: 'gaussian', frequencies: 64, sigma: 5 },
    field: { width: 64, depth: 3, activation: 'relu', output: 'sigmoid' },
    conditioner: { kind: 'hypernetwork', latent: 128, mapping: [256, 256] },
  },
  train: { batch: 64, points: 1024 },
});
export const IMAGES = 1400;

/** Seconds of each of some steps, after one that doesn't count, and the loss of the first. */
export async function trainSteps(steps: number): Promise<{ seconds: number[]; firstLoss: number; values: number }> {
  const { batch: fields, points } = STEP_EXPERIMENT.train;
  const generator = makeGenerator(STEP_EXPERIMENT.model, 0);
  const state = initialState(STEP_EXPERIMENT, generator, IMAGES);
  const random = new Random(2, 'synthetic');
  const features = random.uniforms(points * 128, -1, 1);
  const targets = random.uniforms(fields * points * 3, 0, 1);
  const seconds: number[] = [];
  let firstLoss = Number.NaN;
  const stepper = new Stepper(STEP_EXPERIMENT, generator, state, {
    inputsAt: (step) => ({
      images: { values: Int32Array.from({ length: fields }, (_, i) => (i * 7 + step) % IMAGES), shape: [fields] },
      features: { values: features, shape: [points, 128] },
      targets: { values: targets, shape: [fields, points, 3] },
    }),
    assemble: (tensors) => tensors as unknown as Batch,
    visitsAfter: () => 1,
  });
  for (let step = 0; step <= steps; step++) {
    const start = performance.now();
    const [{ loss }] = await stepper.step();
    if (step === 0) firstLoss = loss;
    else seconds.push((performance.now() - start) / 1000);
  }
  stepper.dispose();
  const values = Object.values(state.adam).reduce((sum, { parameter }) => sum + parameter.size, 0);
  tf.dispose([state.adam, state.averages] as never);
  return { seconds, firstLoss, values };
}

/** Seconds to draw one latent's image of size × size as uint8. */
export async function renderSeconds(size: number): Promise<number> {
  const generator = makeGenerator(STEP_EXPERIMENT.model, 0);
  const state = initialState(STEP_EXPERIMENT, generator, IMAGES);
  const parameters = Object.fromEntries(Object.entries(state.adam).map(([name, { parameter }]) => [name, parameter]));
  const weights = fieldWeights(generator, parameters, tf.zeros([1, 128]) as Tensor2D);
  const field = { encoding: generator.encoding, spec: generator.spec, training: fullView(64, 64), weights };
  const start = performance.now();
  let bytes = 0;
  for await (const { images } of renderRows(field, fullView(size, size))) bytes += images[0].length;
  const seconds = (performance.now() - start) / 1000;
  if (bytes !== size * size * 3) throw new Error(`the image of ${size}² has ${bytes} bytes`);
  tf.dispose([state.adam, state.averages, weights] as never);
  return seconds;
}
