/** `prior` and what `sample` makes of it, as a user runs them. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadExperiment } from '../../src/config/load.ts';
import type { ImageSet } from '../../src/data/imageSet.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { sampleLatents } from '../../src/render/model.ts';
import { disposeModel, openModel } from '../../src/run/openModel.ts';
import { RunFolder } from '../../src/run/runFolder.ts';
import { train } from '../../src/train/trainRun.ts';
import { launch, run } from '../support/commands.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-prior-command-'));
  await startEngine('auto');
});
afterAll(() => rm(folder, { recursive: true }));

/** A run of so many images of one colour each, to that step. */
async function smallRun(name: string, images: number, steps: number, resume = false): Promise<string> {
  const pixels = Uint8Array.from(
    { length: images * 64 * 3 },
    (_, i) => (Math.floor(i / 192) * 37 + (i % 3) * 80) % 256,
  );
  const set: ImageSet = {
    count: images,
    width: 8,
    height: 8,
    pixels,
    names: Array.from({ length: images }, (_, n) => `colour-${n}`),
    skipped: [],
    nativeScale: 1,
    digest: `colours ${images}`,
  };
  const experiment = await loadExperiment(undefined, [
    'data.size=8',
    'objective=vae',
    'model.encoding={kind: gaussian, frequencies: 4, sigma: 1}',
    'model.field={width: 8, depth: 1}',
    'model.conditioner={kind: lowRank, latent: 4, mapping: [8], rank: 2}',
    `train.steps=${steps}`,
    'train.batch=8',
    'train.points=16',
    'train.encoderSize=4',
    'train.encoderWidths=[8]',
    'train.sampleEverySteps=100',
  ]);
  const path = join(folder, name);
  const runFolder = await RunFolder.create(path, { resume });
  try {
    await train({ experiment, images: set, run: runFolder, resume, engine: 'test' });
  } finally {
    await runFolder.close();
  }
  return path;
}

describe('a prior', () => {
  it('is asked for, fitted, kept, drawn from and found stale, each in one line', async () => {
    const path = await smallRun('run', 80, 10);
    const out = join(folder, 'out.png');
    const sample = (...more: string[]) => run('sample', '--run', path, '--size', '8', '--out', out, ...more);

    const early = await sample('--prior', 'flow');
    expect(early.code).toBe(2);
    expect(early.err.trim().split('\n')).toHaveLength(1);
    expect(early.err).toContain(
      `prior "flow" has not been fitted to this run yet; fit it: npm run prior -- --run ${path}`,
    );
    expect((await sample()).err).toMatch(/^prior neighbours$/m);

    const fitted = await run('prior', '--run', path, '--steps', '20');
    expect(fitted.code, fitted.err).toBe(0);
    expect(fitted.out).toMatch(
      /prior flow fitted to 80 latents of step 10, held-out loss \d\.\d+ at step 20, \d+ Heun steps/,
    );
    expect(await readdir(join(path, 'priors'))).toEqual(['flow.safetensors']);
    const drawn = await sample();
    expect(drawn.code, drawn.err).toBe(0);
    expect(drawn.err).toMatch(/^prior flow: fitted to 80 latents of step 10/m);

    // Of the closed forms too, the newest is taken; the others by their names.
    expect((await run('prior', '--run', path, '--kind', 'mixture')).code).toBe(0);
    expect((await sample()).err).toMatch(/^prior mixture: fitted to 80 latents/m);
    expect((await sample('--prior', 'flow')).err).toMatch(/^prior flow: fitted/m);
    expect((await sample('--prior', 'gaussian')).err).toMatch(/^prior gaussian$/m);

    await smallRun('run', 80, 14, true);
    const stale = await sample('--prior', 'flow');
    expect(stale.code).toBe(2);
    expect(stale.err).toContain('prior "flow" was fitted to other latents, those of step 10; fit it again');
    const instead = await sample();
    expect(instead.code).toBe(0);
    expect(instead.err).toContain('prior neighbours instead of mixture, which was fitted to other latents (step 10)');

    // One that is damaged is left out, and said.
    await writeFile(join(path, 'priors', 'flow.safetensors'), 'no tensors');
    const damaged = await sample();
    expect(damaged.code).toBe(0);
    expect(damaged.err).toContain('this prior is left out');
  }, 120_000);

  it('is refused for what it can not serve, in one line', async () => {
    const path = await smallRun('few', 5, 4);
    const refusals: [string[], string][] = [
      [[], 'needs 64 images or more'],
      [['--kind', 'mixtures'], 'prior "mixtures" is unknown; choose one of neighbours, gaussian, mixture, flow'],
      [['--kind', 'gaussian', '--steps', '5'], '--steps: prior "gaussian" is not trained'],
      [['--steps', '0'], '--steps: expected a whole number above 0'],
    ];
    for (const [words, line] of refusals) {
      const refused = await run('prior', '--run', path, ...words);
      expect(refused.code).toBe(2);
      expect(refused.err).toContain(line);
    }
    expect(existsSync(join(path, 'priors', 'flow.safetensors'))).toBe(false);
  }, 60_000);

  it('goes on after Ctrl-C, with the same file in the end', async () => {
    const [whole, part] = [await smallRun('whole', 80, 6), await smallRun('part', 80, 6)];
    expect((await run('prior', '--run', whole, '--steps', '300')).code).toBe(0);
    const { child, result } = launch('prior', ['--run', part, '--steps', '300']);
    const folderOfTraining = join(part, 'priors', 'flow-training', 'latest');
    // It is training once its first checkpoint is there, at step 250 of 300.
    while (!existsSync(folderOfTraining) && child.exitCode === null) await new Promise((done) => setTimeout(done, 5));
    child.kill('SIGINT');
    const stopped = await result;
    expect(stopped.code, stopped.err).toBe(130);
    expect(stopped.err).toMatch(/stopped at step \d+, which is kept; the same command goes on from there/);
    const resumed = await run('prior', '--run', part, '--steps', '300');
    expect(resumed.err).toMatch(/going on from step \d+/);
    const models = await Promise.all([whole, part].map(async (path) => openModel(await RunFolder.open(path))));
    const [a, b] = models.map((model) => model.priors?.[0]);
    expect(b?.fitted).toEqual(a?.fitted);
    expect(await readFile(join(part, 'priors', 'flow.safetensors'))).toBeDefined();
    // What is drawn without a name is drawn from it, in the library too.
    expect(await sampleLatents(models[1], { seed: 1, count: 3 })).toEqual(
      await sampleLatents(models[0], { seed: 1, count: 3, prior: 'flow' }),
    );
    models.forEach(disposeModel);
  }, 120_000);
});
