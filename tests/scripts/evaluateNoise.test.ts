/** `evaluate noise` and `evaluate perturb` as a user runs them. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from '../../scripts/evaluate.ts';
import { evaluateNoise } from '../../scripts/evaluateNoise.ts';
import { evaluatePerturb } from '../../scripts/evaluatePerturb.ts';
import { report } from '../../scripts/report.ts';
import { experimentSchema } from '../../src/config/schema.ts';
import { UsageError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';
import { readEvaluation } from '../../src/run/evaluations.ts';
import { trainSession } from '../../src/train/session.ts';
import { launch, run } from '../support/commands.ts';

let folder: string;
let photo: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-noise-'));
  await mkdir(join(folder, 'photos'));
  photo = join(folder, 'photos', 'photo.png');
  const pixels = Uint8Array.from(new Random(0, 'synthetic').uniforms(9 * 7 * 3, 0, 256));
  await sharp(pixels, { raw: { width: 9, height: 7, channels: 3 } })
    .resize(40, 30)
    .toFile(photo);
  await sharp(photo)
    .flip()
    .toFile(join(folder, 'photos', 'flipped.png'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('evaluate noise', () => {
  it('studies an image file, as a sub-command of either program, and writes numbers and a page', async () => {
    const out = join(folder, 'study');
    const tiny = ['--size', '16x12', '--steps', '6', '--draws', '2', '--sigma', '0.1', '--impulses', '1', '--out', out];
    const one = await run('evaluate', 'noise', '--image', photo, '--encodings', 'gaussian,basic', ...tiny);
    expect(one.err).not.toContain('unexpected');
    expect(one.code).toBe(0);
    const result = await readEvaluation(join(out, 'noise.json'));
    expect(result?.metrics['noise_basic_s0.1_16x12px_adam6_m2_clean_psnr_final_db']).toBeGreaterThan(0);
    expect(result?.bands?.[0]).toMatchObject({ encoding: 'gaussian', sigma: 0.1, modes: 1 });
    expect(await readFile(join(out, 'noise.html'), 'utf8')).toContain(`npm run evaluate -- noise --image ${photo}`);
    const other = await run(
      'chladni',
      'evaluate',
      'noise',
      '--spectrum',
      '2',
      '--encodings',
      'none',
      '--optimizer',
      'gd',
      ...tiny,
    );
    expect(other.code).toBe(0);
    expect(await readFile(join(out, 'noise.html'), 'utf8')).toContain('npx chladni evaluate noise --spectrum 2');
    const gradientDescent = await readEvaluation(join(out, 'noise.json'));
    expect(gradientDescent?.metrics['noise_none_s0.1_16x12px_gd6_m2_clean_psnr_final_db']).toBeGreaterThan(0);
  });

  it('refuses what makes no sense, in one line', async () => {
    const out = join(folder, 'refused');
    for (const [args, message] of [
      [{ encodings: 'gausian', out }, '--encodings gausian: expected some of none,basic,positional,gaussian'],
      [{ sigma: '0', out }, '--sigma 0: expected'],
      [{ draws: 1, out }, '--draws: expected a whole number, 2 or more'],
      [{ image: join(folder, 'missing.png'), out }, 'missing.png: no such file'],
      [{ config: 'configs/quickstart.yaml', out }, 'noise is studied on fits'],
      [{ clean: folder }, '--clean RUN and --noisy RUN go together'],
      [{}, '--out: say in which folder'],
    ] as const) {
      const defaults = {
        encodings: 'none',
        sigma: '0.1',
        draws: 2,
        impulses: 0,
        impulseAmplitude: 1,
        which: '0',
        set: [],
      };
      const error = await evaluateNoise.handler({ ...defaults, ...args }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toContain(message);
      expect((error as Error).message).not.toContain('\n');
    }
  });
});

describe('Ctrl-C', () => {
  it('ends a noise study at once with 130 and nothing half-written', async () => {
    const out = join(folder, 'interrupted');
    const long = ['--size', '12', '--steps', '100000', '--encodings', 'basic'];
    const { child, result } = launch('evaluate', ['noise', '--image', photo, '--out', out, ...long]);
    child.stderr!.on('data', (data) => {
      if (String(data).includes('noise study:')) child.kill('SIGINT');
    });
    expect((await result).code).toBe(130);
    expect(await readdir(out)).toEqual([]);
  });
});

/** The newest event file of a folder. */
async function logged(path: string): Promise<string> {
  const names = (await readdir(path)).filter((name) => name.startsWith('events.')).sort();
  return readFile(join(path, names.at(-1)!), 'latin1');
}

describe('evaluate perturb, and noise of runs', () => {
  it('measure a trained generator, and how much noise it learned', async () => {
    const experiment = experimentSchema().parse({
      data: { source: 'folder', path: join(folder, 'photos'), size: 16, cache: join(folder, 'cache') },
      model: {
        encoding: { kind: 'gaussian', frequencies: 8, sigma: 2 },
        field: { width: 8, depth: 1 },
        conditioner: { kind: 'lowRank', latent: 4, mapping: [8], rank: 2 },
      },
      train: { steps: 10, batch: 4, points: 64 },
    });
    const [clean, noisy] = [join(folder, 'clean'), join(folder, 'noisy')];
    const session = { resume: false, say: () => {} };
    await trainSession({ ...session, experiment, runPath: clean });
    await trainSession({
      ...session,
      experiment: { ...experiment, data: { ...experiment.data, noise: 0.1 } },
      runPath: noisy,
    });

    const options = {
      images: 2,
      repeats: 1,
      sizes: '0.1,0.01',
      jitter: '0.5',
      frequencies: '0.1',
      epsilon: 0.01,
      seed: 0,
    };
    await evaluatePerturb.handler({ run: clean, checkpoint: 'latest', ...options });
    const { metrics = {}, bands = [] } = (await readEvaluation(join(clean, 'eval', 'perturb.json'))) ?? {};
    const latent = (size: number, band = '4-8') => metrics[`perturb_latent_${size}_n2x1_change_${band}`];
    expect(latent(0.1)).toBeGreaterThan(latent(0.01));
    expect(latent(0.1, 'corner')).toBeGreaterThan(latent(0.01, 'corner'));
    expect(await logged(join(clean, 'eval', 'perturb'))).toContain('evaluation/perturb_latent_0.1_n2x1_change_4-8');
    const jitter = bands.filter(({ perturbation }) => perturbation === 'jitter');
    expect(jitter.some(({ predictedTransfer }) => Number(predictedTransfer) > 0)).toBe(true);

    // Evaluating the run disturbs it too; the report shows what was found, TensorBoard and the summary have the numbers.
    await evaluate.handler({ run: clean, checkpoint: 'latest', disturbed: 4 });
    const perturbed = await readEvaluation(join(clean, 'eval', 'perturb.json'));
    const { modes } = perturbed!.rings!.find(({ kind }) => kind === 'ring')!;
    expect(modes).toBeGreaterThan(0);
    expect(perturbed?.protocol).toContain('2 training images, 2 random disturbances of each');
    const summary = JSON.parse(await readFile(join(clean, 'eval', 'summary.json'), 'utf8'));
    expect(summary).toMatchObject(perturbed!.metrics);
    expect(await logged(join(clean, 'eval'))).toContain('evaluation/perturb_jitter_0.25_n2x2_change_4-8');

    // Fewer disturbances of the same checkpoint do not replace more; as many do.
    await evaluatePerturb.handler({ run: clean, checkpoint: 'latest', ...options, repeats: 3 });
    const study = await readFile(join(clean, 'eval', 'perturb.json'), 'utf8');
    await evaluate.handler({ run: clean, checkpoint: 'latest', disturbed: 4 });
    expect(await readFile(join(clean, 'eval', 'perturb.json'), 'utf8')).toBe(study);
    const kept = JSON.parse(await readFile(join(clean, 'eval', 'summary.json'), 'utf8'));
    expect(kept).toMatchObject(JSON.parse(study).metrics);
    expect(Object.keys(kept).some((name) => name.includes('_n2x2_'))).toBe(false);
    await evaluate.handler({ run: clean, checkpoint: 'latest', disturbed: 6 });
    const replaced = await readEvaluation(join(clean, 'eval', 'perturb.json'));
    expect(replaced?.metrics).toHaveProperty('perturb_jitter_0.25_n2x3_change_4-8');
    await report.handler({ run: clean, checkpoint: 'latest' });
    const page = await readFile(join(clean, 'report.html'), 'utf8');
    expect(page).toContain('What small disturbances change');
    expect(page).toContain('alt="photo.png, 4–8"');
    expect(page).not.toContain('Noise learned');

    await evaluateNoise.handler({ clean, noisy });
    const dataset = await readEvaluation(join(noisy, 'eval', 'dataset_noise.json'));
    expect(dataset?.bands?.every(({ noiseGain, noiseCopy }) => Number(noiseGain) >= Number(noiseCopy) ** 2)).toBe(true);
    expect(await logged(join(noisy, 'eval', 'dataset_noise'))).toContain('evaluation/dataset_noise_s0.1_n2_gain_4-8');
    await report.handler({ run: noisy, checkpoint: 'latest' });
    expect(await readFile(join(noisy, 'report.html'), 'utf8')).toContain('Noise learned from the training images');
    await expect(evaluateNoise.handler({ clean: noisy, noisy: clean })).rejects.toThrow(
      /--clean: that run was trained with/,
    );
  });
});
