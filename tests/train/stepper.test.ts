import { beforeAll, describe, expect, it } from 'vitest';
import { loadExperiment } from '../../src/config/load.ts';
import type { ImageSet } from '../../src/data/imageSet.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { makeGenerator } from '../../src/models/generator.ts';
import { makeObjective } from '../../src/objectives/registry.ts';
import { alone, type Collective } from '../../src/ops/collective.ts';
import { Random } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { disposeState, initialState } from '../../src/train/state.ts';
import { Stepper } from '../../src/train/stepper.ts';
import { availableEngines } from '../support/engines.ts';

function noise(count: number, from = 0): ImageSet {
  const pixels = Uint8Array.from(new Random(3, 'synthetic').uniforms((from + count) * 192, 0, 256)).slice(from * 192);
  const names = Array.from({ length: count }, (_, i) => `${from + i}`);
  return { count, width: 8, height: 8, pixels, names, skipped: [], nativeScale: 1, digest: 'noise' };
}

/** So many members of a group, each of which waits for the others' gradients. */
function members(size: number): Collective[] {
  let waiting: { values: Float32Array; done: (mean: Float32Array) => void }[] = [];
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    allReduce: (values) =>
      new Promise((done) => {
        waiting.push({ values, done });
        if (waiting.length < size) return;
        const mean = values.map((_, i) => waiting.reduce((sum, one) => sum + one.values[i] / size, 0));
        for (const one of waiting) one.done(mean);
        waiting = [];
      }),
  }));
}

describe.each(availableEngines)('the stepper on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  /** Everything of one member that fits single fields to its images; all start alike. */
  async function open(images: ImageSet, collective: Collective) {
    const { model, seed, ...rest } = await loadExperiment(undefined, [
      'objective=fit',
      'model.encoding={kind: gaussian, frequencies: 6, sigma: 2}',
      'model.field={width: 8, depth: 1}',
      'train.steps=20',
      'train.points=64',
    ]);
    const generator = makeGenerator(model, seed);
    const objective = makeObjective({ ...rest, seed }, generator, images);
    const state = initialState(objective, seed, true);
    const batches = objective.batches(images);
    const stepper = new Stepper({ objective, state, batches, settings: rest.train, collective });
    const end = () => {
      stepper.dispose();
      batches.dispose();
      disposeState(state);
    };
    return { state, stepper, end };
  }

  it('puts the mean of all members between gradient and update: members with the same images train as one alone', async () => {
    const before = tf.memory().numTensors;
    const single = await open(noise(1), alone);
    for (let i = 0; i < 6; i++) await single.stepper.step();
    await single.stepper.drain();
    const pair = await Promise.all(members(2).map((member) => open(noise(1), member)));
    for (let i = 0; i < 6; i++) await Promise.all(pair.map(({ stepper }) => stepper.step()));
    for (const [name, parameter] of Object.entries(single.state.parameters)) {
      const expected = await parameter.data();
      for (const { state } of pair) {
        const values = await state.parameters[name].data();
        for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 5);
      }
    }
    for (const { end } of [single, ...pair]) end();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('keeps members with different images at the same parameters', async () => {
    const pair = await Promise.all(members(2).map((member) => open(noise(1, member.rank), member)));
    for (let i = 0; i < 3; i++) await Promise.all(pair.map(({ stepper }) => stepper.step()));
    const [a, b] = pair.map(({ state }) => state.parameters);
    const alike = await open(noise(1), alone);
    for (const name of Object.keys(a)) {
      expect(await a[name].data()).toEqual(await b[name].data());
      expect(await a[name].data()).not.toEqual(await alike.state.parameters[name].data());
    }
    for (const { end } of [alike, ...pair]) end();
  });
});
