/** What an objective must be, and what is said where it isn't. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { makeGenerator } from '../../src/models/generator.ts';
import { normal } from '../../src/models/parameters.ts';
import type { Batches, Group, Objective, Phase } from '../../src/objectives/objective.ts';
import { makeObjective, OBJECTIVES, objectiveKeys } from '../../src/objectives/registry.ts';
import { type Scalar, type Tensor, tf } from '../../src/tf.ts';
import { trainLoop } from '../../src/train/loop.ts';
import { disposeState, initialState } from '../../src/train/state.ts';
import { Stepper } from '../../src/train/stepper.ts';
import { availableEngines } from '../support/engines.ts';

const settings = {
  steps: 20,
  schedule: { kind: 'constant', warmupSteps: 0, finalFraction: 1 },
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  emaDecay: 0.9,
} as const;

const group = (name: string, more: Partial<Group> = {}): Group => ({
  initial: { [name]: { shape: [3], draw: normal(1) } },
  learningRate: 0.1,
  averaged: true,
  ...more,
});
const phase = (name: string, more: Partial<Phase> = {}): Phase => ({
  name,
  trains: [name],
  loss: (p, { target }) => ({ minimise: tf.mean(tf.squaredDifference(p[name], target)) as Scalar }),
  ...more,
});
const batches: Batches = {
  size: 1,
  inputsAt: (step) => ({ target: { values: Float32Array.of(step, 1, -step), shape: [3] } }),
  assemble: (inputs) => inputs,
  dispose() {},
};

/** Two groups, each with a phase; the second takes part in every third update. */
const two: Pick<Objective, 'groups' | 'phases'> = {
  groups: { a: group('a'), b: group('b') },
  phases: [phase('a'), phase('b', { every: 3 })],
};

describe.each(availableEngines)('phases on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  const valuesOf = async (tensors: Record<string, Tensor>) =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(tensors).map(async ([name, tensor]) => [name, [...(await tensor.data())]] as const),
      ),
    );

  it('of every third update take part in the third, sixth, …, wherever a session begins', async () => {
    const run = async (sessions: number[]) => {
      const state = initialState(two, 0, true);
      const losses: string[] = [];
      for (const steps of sessions) {
        const stepper = new Stepper({ objective: two, state, batches, settings });
        const reports = [];
        for (let i = 0; i < steps; i++) reports.push(...(await stepper.step()));
        reports.push(...(await stepper.drain()));
        losses.push(...reports.map((report) => Object.keys(report.losses).join()));
        stepper.dispose();
      }
      const found = { losses, parameters: await valuesOf(state.parameters), averages: await valuesOf(state.averages) };
      disposeState(state);
      return found;
    };
    const before = tf.memory().numTensors;
    const whole = await run([15]);
    expect(whole.losses).toEqual(Array.from({ length: 15 }, (_, i) => ((i + 1) % 3 === 0 ? 'a,b' : 'a')));
    expect(await run([4, 7, 4])).toEqual(whole);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('start from different numbers, though their groups name no stream', async () => {
    const state = initialState(two, 0, false);
    const [a, b] = await Promise.all([state.parameters.a.data(), state.parameters.b.data()]);
    for (const [i, value] of a.entries()) expect(value).not.toBe(b[i]);
    disposeState(state);
  });

  it('leave nothing behind where the loss of one is no function of what it trains, and say which', async () => {
    const wrong = { groups: two.groups, phases: [phase('a', { trains: ['a', 'b'] })] };
    const state = initialState(wrong, 0, false);
    const stepper = new Stepper({ objective: wrong, state, batches, settings });
    const before = tf.memory().numTensors;
    await expect(stepper.step()).rejects.toThrow('the loss of phase "a" does not depend on all that it trains: a, b');
    expect(tf.memory().numTensors).toBe(before);
    stepper.dispose();
    disposeState(state);
  });

  it('end training where a loss is not finite, whoever watches', async () => {
    const objective = { groups: { a: group('a', { learningRate: 1e30, optimizer: 'gd' }) }, phases: [phase('a')] };
    const state = initialState(objective, 0, false);
    const seen: number[] = [];
    const watcher = { onStep: ({ step }: { step: number }) => void seen.push(step) };
    await expect(trainLoop({ objective, batches, state, settings, watcher })).rejects.toThrow(
      'a loss is not finite at step',
    );
    expect(seen.length).toBeLessThan(10);
    disposeState(state);
  });
});

describe('an objective', () => {
  const context = {
    generator: makeGenerator(
      {
        encoding: { kind: 'basic' },
        field: { width: 2, depth: 1, activation: 'relu', omega: 1, output: 'linear' },
        conditioner: { kind: 'hypernetwork', latent: 2, mapping: [] },
      },
      0,
    ),
    images: { count: 2, width: 4, height: 4 },
  };
  const tables = group('t', { rows: 'images' });
  const full = { latents: () => tf.zeros([1, 2]), batches: () => batches };

  it.each<[string, Partial<Objective>]>([
    ['two phases are named "a"', { ...two, phases: [phase('a'), phase('a', { trains: ['b'] })] }],
    ['two phases train the group "a"', { ...two, phases: [phase('a'), phase('b', { trains: ['b', 'a'] })] }],
    ['a phase trains "c", which is no group', { ...two, phases: [...two.phases, phase('c')] }],
    ['no phase trains the group "b"', { ...two, phases: [phase('a')] }],
    [
      'one phase at least must take part in every step',
      { ...two, phases: [phase('a', { every: 2 }), phase('b', { every: 3 })] },
    ],
    ['"every" of phase "b" is no whole number', { ...two, phases: [phase('a'), phase('b', { every: 0.5 })] }],
    ['two groups have a parameter "a"', { ...two, groups: { a: group('a'), b: group('a') } }],
    ['the group "b" has no parameters', { ...two, groups: { a: group('a'), b: group('b', { initial: {} }) } }],
    [
      'the group "t" is of tables, which "gd" can\'t train',
      { groups: { t: { ...tables, optimizer: 'gd' } }, phases: [phase('t')] },
    ],
    ['its images have latents, and it has no "latents"', { ...two, latents: undefined }],
  ])('is refused where %s', (message, parts) => {
    const make = () => ({ ...full, ...two, ...parts }) as Objective;
    const name = `wrong ${message}`;
    OBJECTIVES.add(name, { about: 'wrong', keys: {}, conditioning: 'latents', make });
    const config = { objective: name, seed: 0, train: settings as never, data: { noise: 0 } };
    expect(() => makeObjective(config, context.generator, context.images)).toThrow(message);
  });

  it('can bring no key that the loop or another objective has', () => {
    expect(Object.keys(objectiveKeys(['steps']))).toContain('latentPenalty');
    expect(() => objectiveKeys(['latentPenalty'])).toThrow(
      "brings train.latentPenalty, which is the loop's; rename it",
    );
  });
});
