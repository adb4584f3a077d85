/** Steps that are recorded once and repeated, against the same steps each computed as it is written; and a lost device. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadExperiment } from '../../../src/config/load.ts';
import type { ImageSet } from '../../../src/data/imageSet.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import type { WebgpuBackend } from '../../../src/engine/webgpu/backend.ts';
import { webgpuDevice } from '../../../src/engine/webgpu/webgpu.ts';
import { RunError } from '../../../src/errors.ts';
import { makeGenerator } from '../../../src/models/generator.ts';
import { makeObjective } from '../../../src/objectives/registry.ts';
import { recorderInUse } from '../../../src/ops/recording.ts';
import { CheckpointStore } from '../../../src/run/checkpoints.ts';
import { RunFolder } from '../../../src/run/runFolder.ts';
import { tf } from '../../../src/tf.ts';
import { disposeState, initialState, stateTensors, type TrainState } from '../../../src/train/state.ts';
import { Stepper } from '../../../src/train/stepper.ts';
import type { StepReport } from '../../../src/train/stepReport.ts';
import { train } from '../../../src/train/trainRun.ts';
import { availableEngines } from '../../support/engines.ts';

const small = [
  'data.size=8',
  'model.encoding={kind: gaussian, frequencies: 8, sigma: 2}',
  'model.field={width: 8, depth: 1}',
  'model.conditioner={kind: hypernetwork, latent: 4, mapping: [8]}',
  'train.steps=40',
  'train.batch=4',
  'train.points=24',
  'train.latentNoise=0.01',
];

function noisyImages(count = 10, size = 8): ImageSet {
  const pixels = Uint8Array.from({ length: count * size * size * 3 }, (_, i) => (i * i * 31 + (i >> 3)) % 256);
  return { count, width: size, height: size, pixels, names: [], skipped: [], nativeScale: 1, digest: 'some' };
}

/** Everything of a run, `restart` to go on with a stepper that has recorded nothing yet, and `end` to dispose all. */
async function open(settings: string[]) {
  const experiment = await loadExperiment(undefined, [...small, ...settings]);
  const images = noisyImages();
  const generator = makeGenerator(experiment.model, experiment.seed);
  const objective = makeObjective(experiment, generator, images);
  const state = initialState(objective, experiment.seed, experiment.train.emaDecay > 0);
  const batches = objective.batches(images);
  const newStepper = () => new Stepper({ objective, state, batches, settings: experiment.train });
  const stepper = newStepper();
  const end = () => {
    stepper.dispose();
    batches.dispose();
    disposeState(state);
  };
  return { state, stepper, newStepper, end };
}

/** What lies on the device: updates are counted here when they are set off, before their losses are known. */
const valuesOf = async (state: TrainState) => {
  const tensors = Object.entries(await stateTensors(state)).filter(([name]) => !name.startsWith('adam.n/'));
  return Object.fromEntries(tensors.map(([name, { data }]) => [name, [...(data as Float32Array)]]));
};

/** So many steps, each computed as it is written: the first of a stepper of its own. */
async function asWritten(settings: string[], steps: number) {
  const { state, newStepper, end } = await open(settings);
  const reports: StepReport[] = [];
  for (let i = 0; i < steps; i++) reports.push(...(await newStepper().stepWithNorms()));
  const values = await valuesOf(state);
  end();
  return { reports, values };
}

const backend = () => tf.backend() as unknown as WebgpuBackend;

describe.skipIf(!availableEngines.includes('webgpu'))('recorded steps', () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  it.each([
    ['sampled points, latent noise, averages', []],
    ['all points of noisy images, no averages', ['train.points=64', 'data.noise=0.1', 'train.emaDecay=0']],
    ['a field for each image', ['objective=fit', 'train.latentNoise=0', 'model.conditioner={kind: direct}']],
  ])('change the state as steps that are computed as written, bit for bit (%s)', async (_, settings) => {
    expect(recorderInUse()).toBeDefined();
    const { state, stepper, end } = await open(settings);
    const reports: StepReport[] = [];
    const step = async (count: number) => {
      for (let i = 0; i < count; i++) reports.push(...(await stepper.step()));
    };
    await step(3); // two as written, one recorded
    const spy = vi.spyOn(backend(), 'run');
    await step(6);
    reports.push(...(await stepper.drain()));
    expect(spy).not.toHaveBeenCalled(); // repeated, not computed once more
    spy.mockRestore();
    const withNorms = async () => {
      reports.push(...(await stepper.stepWithNorms()));
    };
    await withNorms(); // recorded
    await step(3);
    await withNorms(); // repeated
    await withNorms();
    const values = await valuesOf(state);
    end();
    const expected = await asWritten(settings, 15);
    expect(state.step).toBe(15);
    const lossesOf = (of: StepReport[]) => of.map(({ step: at, losses }) => ({ at, losses }));
    expect(lossesOf(reports)).toEqual(lossesOf(expected.reports));
    expect(values).toEqual(expected.values);
    const details = reports.filter(({ norms }) => norms);
    expect(details).toEqual([10, 14, 15].map((at) => expected.reports[at - 1]));
  });

  it('let parameters be read between them, with what the steps so far made of them', async () => {
    const { state, stepper, end } = await open([]);
    for (const steps of [4, 7]) {
      while (state.step < steps) await stepper.step();
      // Not drained: the read waits its turn on the device.
      const values = await valuesOf(state);
      expect(values).toEqual((await asWritten([], steps)).values);
    }
    end();
  });

  it('tell by their losses where a value is no number, and then change nothing', async () => {
    const { state, stepper, end } = await open([]);
    while (state.step < 6) await stepper.step();
    await stepper.drain();
    const [name] = Object.keys(state.parameters).filter((key) => key !== 'latents');
    const { buffer, offset } = backend().bindingOf(state.parameters[name]);
    backend().queue.writeBuffer(buffer, offset ?? 0, Float32Array.of(Number.NaN));
    const before = await valuesOf(state);
    expect(before[`parameter/${name}`][0]).toBeNaN();
    const reports: StepReport[] = [];
    for (let i = 0; i < 5; i++) reports.push(...(await stepper.step()));
    reports.push(...(await stepper.drain()));
    expect(reports.map(({ step }) => step)).toEqual([7, 8, 9, 10, 11]);
    expect(reports.every(({ wasMade, losses }) => !wasMade && Number.isNaN(losses.reconstruction))).toBe(true);
    expect(await valuesOf(state)).toEqual(before);
    const further = await stepper.stepWithNorms();
    expect(further).toEqual([{ step: 12, losses: { reconstruction: Number.NaN }, wasMade: false }]);
    expect(await valuesOf(state)).toEqual(before);
    end();
  });

  it('are refused where something else holds a parameter, which they would change under it', async () => {
    const { state, stepper, end } = await open([]);
    while (state.step < 2) await stepper.step();
    const [name] = Object.keys(state.parameters);
    const clone = tf.clone(state.parameters[name]);
    await expect(stepper.step()).rejects.toThrow('one of them is a clone');
    clone.dispose();
    end();
    expect([...(await tf.add(tf.ones([2000]), 1).data())]).toEqual(Array(2000).fill(2)); // the engine is none the worse
  });

  it('leave no tensor and no memory of the GPU behind, even where some are still under way', async () => {
    const bytes = () => (tf.memory() as unknown as { numBytesInGPU: number }).numBytesInGPU;
    const one = async (underWay: boolean) => {
      const { state, stepper, end } = await open([]);
      while (state.step < 9) await stepper.step();
      if (!underWay) await stepper.drain();
      end();
      const something = tf.tidy(() => tf.add(tf.scalar(1), 1)); // what was disposed is free after the next submit
      await something.data();
      something.dispose();
    };
    await one(false);
    const made: GPUBuffer[] = [];
    const destroyed = new Set<GPUBuffer>();
    const create = backend().device.createBuffer.bind(backend().device);
    const spy = vi.spyOn(backend().device, 'createBuffer').mockImplementation((descriptor) => {
      const buffer = create(descriptor);
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        destroyed.add(buffer);
        return destroy();
      };
      made.push(buffer);
      return buffer;
    });
    const before = { tensors: tf.memory().numTensors, bytes: bytes() };
    await one(false);
    await one(true);
    spy.mockRestore();
    expect({ tensors: tf.memory().numTensors, bytes: bytes() }).toEqual(before);
    expect(made.length).toBeGreaterThan(20);
    // Idle ones are in the pool, and what is in use was in use before; the waves of a grid, bound for reading alone, go with
    // the grid when it is collected.
    backend().trim();
    const { usedBuffers } = backend().bufferManager as unknown as { usedBuffers: Map<string, GPUBuffer[]> };
    const used = new Set([...usedBuffers.values()].flat());
    const kept = made.filter((buffer) => {
      return !destroyed.has(buffer) && !used.has(buffer) && buffer.usage !== GPUBufferUsage.STORAGE;
    });
    expect(kept.map(({ size, usage }) => [size, usage])).toEqual([]);
  });
});

// Last in this file: there is no device afterwards.
describe.skipIf(!availableEngines.includes('webgpu'))('a GPU that is lost', () => {
  const endless = [
    'train.steps=1000000',
    'train.logEverySteps=50',
    'train.checkpointEverySteps=20',
    'train.sampleEverySteps=1000000',
  ];
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chladni-lost-'));
    await startEngine('webgpu');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('ends a run with the last checkpoint intact, and one line that says so', async () => {
    const experiment = await loadExperiment(undefined, [...small, ...endless]);
    const run = await RunFolder.create(join(folder, 'run'), { resume: false });
    const store = new CheckpointStore(run.checkpoints);
    const training = train({ experiment, images: noisyImages(), run, resume: false, engine: 'test' }).catch(
      (thrown: unknown) => thrown,
    );
    while ((await store.steps()).length === 0) await wait(5);
    webgpuDevice().destroy();
    const error = await training;
    await run.close();
    expect(error).toBeInstanceOf(RunError);
    expect((error as RunError).message).toMatch(/^the GPU was lost \(.+\): what was saved is kept, --resume goes on$/);
    const { step, tensors } = await store.load('latest');
    expect(step % 20).toBe(0);
    expect(Object.values(tensors).every(({ data }) => (data as Float32Array).every(Number.isFinite))).toBe(true);
  });

  it('lets nothing be read any more', async () => {
    await expect(tf.add(tf.ones([2000]), 1).data()).rejects.toThrow('the GPU was lost');
  });
});
