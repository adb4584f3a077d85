/** A device that goes away in the middle of a run. In a file of its own: there is no other afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadExperiment } from '../../../src/config/load.ts';
import type { ImageSet } from '../../../src/data/imageSet.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { webgpuDevice } from '../../../src/engine/webgpu/webgpu.ts';
import { RunError } from '../../../src/errors.ts';
import { tf } from '../../../src/tf.ts';
import { CheckpointStore } from '../../../src/train/checkpoints.ts';
import { train } from '../../../src/train/loop.ts';
import { RunFolder } from '../../../src/train/runFolder.ts';
import { availableEngines } from '../../support/engines.ts';

const settings = [
  'data.size=8',
  'model.encoding={kind: gaussian, frequencies: 8, sigma: 2}',
  'model.field={width: 8, depth: 1}',
  'model.conditioner={kind: hypernetwork, latent: 4, mapping: [8]}',
  'train.steps=1000000',
  'train.batch=4',
  'train.points=24',
  'train.logEverySteps=50',
  'train.checkpointEverySteps=20',
  'train.sampleEverySteps=1000000',
];

function greyImages(count = 6, size = 8): ImageSet {
  const pixels = Uint8Array.from({ length: count * size * size * 3 }, (_, i) => (i * 40) % 256);
  return { count, width: size, height: size, pixels, names: [], skipped: [], nativeScale: 1, digest: 'grey' };
}

describe.skipIf(!availableEngines.includes('webgpu'))('a GPU that is lost', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chladni-lost-'));
    await startEngine('webgpu');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('ends a run with the last checkpoint intact, and one line that says so', async () => {
    const experiment = await loadExperiment(undefined, settings);
    const run = await RunFolder.create(join(folder, 'run'));
    const store = new CheckpointStore(run.checkpoints);
    const training = train({ experiment, images: greyImages(), run, resume: false, engine: 'test' }).catch(
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
    await expect(tf.add(tf.ones([2]), 1).data()).rejects.toThrow('the GPU was lost');
  });
});
