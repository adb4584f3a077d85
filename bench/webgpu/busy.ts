/** How busy the GPU is while a run trains: the real loop, with its batches, its log and its run folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Experiment, experimentSchema } from '../../src/config/schema.ts';
import type { ImageSet } from '../../src/data/imageSet.ts';
import { RunFolder } from '../../src/run/runFolder.ts';
import { train } from '../../src/train/trainRun.ts';
import type { Gpu } from './gpu.ts';
import { busyTime } from './timeline.ts';
import { traced } from './trace.ts';

const IMAGES = 256;

/** Images of the wanted size, no two alike; what they show doesn't matter here. */
function noiseImages(size: number): ImageSet {
  const pixels = new Uint8Array(IMAGES * size * size * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = Math.imul(i + 1, 0x9e3779b1) >>> 24;
  const names = Array.from({ length: IMAGES }, (_, i) => `noise ${i}`);
  const origin = { skipped: [], nativeScale: 1, digest: `bench ${size}` };
  return { count: IMAGES, width: size, height: size, pixels, names, ...origin };
}

export interface BusyFigure {
  /** Seconds in which some compute pass ran, over those from the first to the last. */
  fraction: number;
  milliseconds: { traced: number; step: number };
}

/**
 * Trains for some seconds and looks at the GPU in the later of them.
 *
 * @param size of the training images in pixels.
 * @throws Error where the device keeps no timestamps, or no step ended in time.
 */
export async function busyDuringTraining(gpu: Gpu, experiment: Experiment, size: number): Promise<BusyFigure> {
  const folder = await mkdtemp(join(tmpdir(), 'chladni-bench-'));
  const run = await RunFolder.create(join(folder, 'run'), { resume: false });
  const never = 1e8;
  const settings = { ...experiment.train, steps: never, sampleEverySteps: never, checkpointEverySteps: never };
  const stop = new AbortController();
  const training = train({
    experiment: experimentSchema().parse({ ...experiment, train: settings }),
    images: noiseImages(size),
    run,
    resume: false,
    engine: 'webgpu',
    signal: stop.signal,
  });
  try {
    const warm = gpu.isSoftware ? 4000 : 2000;
    await Promise.race([sleep(warm), training]);
    const intervals = await traced(gpu, 'pass', () => Promise.race([sleep(warm), training]).then(() => {}));
    stop.abort();
    const { step, trainingSeconds } = await training;
    const { busy, span } = busyTime(intervals);
    if (span === 0) throw new Error('no pass of a training step was seen in time');
    return { fraction: busy / span, milliseconds: { traced: 1000 * span, step: (1000 * trainingSeconds) / step } };
  } finally {
    stop.abort();
    await training.catch(() => {});
    await run.close();
    await rm(folder, { recursive: true, force: true });
  }
}
