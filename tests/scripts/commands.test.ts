/** The commands as a user runs them: processes, exit codes, files. */
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/random.ts';
import { readSummary } from '../../src/run/evaluations.ts';
import { readMetrics } from '../../src/run/metricsLog.ts';
import { at, decodeFields, readRecords, textAt } from '../run/tensorboard/eventFile.ts';
import { launch, run } from '../support/commands.ts';

let folder: string;
let config: string;

const lossesOf = async (path: string) =>
  (await readMetrics(join(path, 'metrics.jsonl'))).flatMap((entry) =>
    'train/loss' in entry ? [[entry.step, entry['train/loss']]] : [],
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-commands-'));
  const photos = join(folder, 'photos');
  await mkdir(join(photos, 'ünïcode'), { recursive: true });
  for (let n = 0; n < 6; n++) {
    const pixels = new Random(n, 'synthetic').uniforms(4 * 3 * 3, 0, 256);
    const small = sharp(Uint8Array.from(pixels), { raw: { width: 4, height: 3, channels: 3 } }).resize(64, 48);
    await small.toFile(join(photos, n % 2 ? 'ünïcode' : '.', `image-${n}.${['png', 'jpg', 'webp'][n % 3]}`));
  }
  await writeFile(join(photos, 'text.png'), 'not an image');
  await writeFile(join(photos, 'empty.jpg'), '');
  config = join(folder, 'tiny.yaml');
  await writeFile(
    config,
    `data: {source: folder, path: ${photos}, size: 16, cache: ${join(folder, 'cache')}}
model:
  encoding: {kind: gaussian, frequencies: 8, sigma: 2}
  field: {width: 8, depth: 1}
  conditioner: {kind: lowRank, latent: 4, mapping: [8], rank: 2}
train: {steps: 60, batch: 4, points: 64, logEverySteps: 1, checkpointEverySteps: 3, sampleEverySteps: 30}
`,
  );
});
afterAll(() => rm(folder, { recursive: true }));

describe('training from the command line', () => {
  it('trains on a folder of images, lists what it skipped, then samples and evaluates', async () => {
    const path = join(folder, 'run');
    const trained = await run('train', '--config', config, '--run', path);
    expect(trained.err).toContain('skipped 2 of 8 files');
    expect(trained.err).toContain('text.png');
    expect(trained.code).toBe(0);

    const sheet = join(folder, 'sheet.png');
    const drawnSheet = await run(
      'sample',
      '--run',
      path,
      '--out',
      sheet,
      ...'--size 20x10 --window=-0.5,0,1.5,1 --count 4 --grid --columns 2'.split(' '),
    );
    expect(drawnSheet.code).toBe(0);
    expect(await sharp(sheet).metadata()).toMatchObject({ width: 2 * 20 + 6, height: 2 * 10 + 6, format: 'png' });
    const frame = join(folder, 'frame.webp');
    const drawnFrame = await run(
      'sample',
      '--run',
      path,
      '--out',
      frame,
      ...'--size 16 --image 0 --image 1 --interpolate 3'.split(' '),
    );
    expect(drawnFrame.code).toBe(0);
    for (const n of [0, 1, 2])
      expect(await sharp(join(folder, `frame-00${n}.webp`)).metadata()).toMatchObject({ width: 16 });

    const evaluated = await run('evaluate', '--run', path);
    expect(evaluated.code).toBe(0);
    expect(evaluated.out).toMatch(/samples_lsd_r7_n6_db +[\d.]+/);
    const summary = await readSummary(join(path, 'eval'));
    expect(summary).toMatchObject({ samples_images_generated: 6, samples_images_reference: 6 });
    expect(summary).toHaveProperty('scale_consistency_x4_n6_psnr_db');
    // TensorBoard has the same numbers, at the checkpoint's step.
    const events = readdirSync(join(path, 'eval')).filter((name) => name.startsWith('events.out.tfevents.'));
    const logged = readRecords(join(path, 'eval', events[0])).flatMap((event) =>
      (decodeFields((at(event, 5) as Uint8Array | undefined) ?? new Uint8Array())[1] ?? []).map((value) => ({
        tag: textAt(value as Uint8Array, 1),
        step: at(event, 2),
      })),
    );
    expect(logged).toContainEqual({ tag: 'evaluation/samples_fwd_haar2_c3_n6', step: 60 });
    // Followed during training, octave by octave.
    const followed = (await readMetrics(join(path, 'metrics.jsonl'))).filter((entry) => 'spectrum/snr_db_2-4' in entry);
    expect(followed.map(({ step }) => step)).toEqual([30, 60]);
    expect(summary.reconstruction_psnr_db).toBeGreaterThan(5);
    expect(summary.reconstruction_images).toBe(6);
    expect(summary.reconstruction_x2_psnr_n6_db).toBeGreaterThan(5); // 48 rows hold two times 16
    expect(existsSync(join(path, 'eval', 'reconstruction_x4.json'))).toBe(false);
    expect(evaluated.err).toContain('no ground truth at 4x');
  });

  it.each([
    ['npm run NAME --', ['report'], ['train']],
    ['npx chladni NAME', ['chladni', 'report'], ['chladni', 'train']],
  ])('names commands as "%s" where it was called so: in a report, in help', async (form, [report, ...words], train) => {
    const path = join(folder, 'run');
    expect((await run(report, ...words, '--run', path)).code).toBe(0);
    const page = await readFile(join(path, 'report.html'), 'utf8');
    const named = (name: string) => form.replace('NAME', name);
    for (const name of ['train', 'sample', 'evaluate']) expect(page).toContain(`${named(name)} --`);
    const help = await run(train[0], ...train.slice(1), '--help');
    expect(help.out).toContain(`${named('train')} --config`);
    for (const text of [page, help.out]) {
      expect(text).not.toContain(form.startsWith('npm') ? 'npx chladni' : 'npm run');
    }
  });

  it('survives SIGKILL at any moment: a resumed run has the losses of one that was never killed', async () => {
    const whole = join(folder, 'whole');
    expect((await run('train', '--config', config, '--run', whole)).code).toBe(0);
    const killed = join(folder, 'killed');
    let kills = 0;
    for (let attempt = 0; attempt < 4; attempt++) {
      const { child, result } = launch(
        'train',
        attempt === 0 ? ['--config', config, '--run', killed] : ['--run', killed, '--resume'],
      );
      // Some way into the run: as soon as its metrics have grown past a step that differs each time.
      const aim = 10 + 13 * attempt;
      const timer = setInterval(() => {
        readMetrics(join(killed, 'metrics.jsonl'))
          .then((entries) => (entries.at(-1)?.step ?? 0) >= aim && child.kill('SIGKILL'))
          .catch(() => undefined);
      }, 3);
      const { signal } = await result;
      clearInterval(timer);
      if (signal === 'SIGKILL') kills++;
    }
    const last = await run('train', '--run', killed, '--resume');
    expect(last.code).toBe(0);
    expect(kills).toBeGreaterThan(0);
    expect(await lossesOf(killed)).toEqual(await lossesOf(whole));
  });

  it('checkpoints on Ctrl-C and exits with 130', async () => {
    const path = join(folder, 'interrupted');
    const { child, result } = launch('train', ['--config', config, '--set', 'train.steps=100000', '--run', path]);
    const timer = setInterval(() => {
      if (!existsSync(join(path, 'checkpoints', 'latest'))) return;
      child.kill('SIGINT'); // once: the second would stop it without a checkpoint
      clearInterval(timer);
    }, 20);
    const { code, err } = await result;
    clearInterval(timer);
    expect(code).toBe(130);
    expect(err).toMatch(/stopped at step \d+, checkpoint saved; go on with --run .* --resume/);
    const step = Number(/stopped at step (\d+)/.exec(err)![1]);
    const resumed = await run('train', '--run', path, '--resume', '--set', `train.steps=${step + 2}`);
    expect(resumed.code).toBe(0);
    expect((await lossesOf(path)).at(-1)![0]).toBe(step + 2);
  });

  it('prints the resolved config with --dry-run and writes nothing', async () => {
    const path = join(folder, 'dry');
    const { code, out } = await run('train', '--config', config, '--set', 'seed=5', '--run', path, '--dry-run');
    expect(code).toBe(0);
    expect(out).toContain('seed: 5');
    expect(out).toContain('lowRank conditioner');
    expect(existsSync(path)).toBe(false);
  });
});

describe('the quickstart', () => {
  const tiny = [
    'data.limit=12',
    'data.size=16',
    'train.steps=10',
    'train.batch=4',
    'train.points=64',
    'train.sampleEverySteps=5',
    'evaluate.images=4',
    'evaluate.samples=8',
    'model.field.width=8',
    'model.conditioner.latent=8',
    'model.conditioner.mapping=[16]',
  ];

  it('goes all the way to a report, does it again, and leaves other runs alone', async () => {
    const path = join(folder, 'quickstart');
    const cache = `data.cache=${join(folder, 'cache')}`;
    const first = await run('start', '--run', path, '--set', ...tiny, cache);
    expect(first.code, first.err).toBe(0);
    for (const picture of ['samples.png', 'large-2048.png'])
      expect(existsSync(join(path, 'samples', picture))).toBe(true);
    const page = await readFile(join(path, 'report.html'), 'utf8');
    for (const title of [
      'Reconstructions',
      'One image at any size',
      'Samples',
      'Interpolation',
      'Fidelity per frequency',
      'Training',
    ]) {
      expect(page).toContain(`<h2>${title}</h2>`);
    }
    expect(page).not.toMatch(/(src|href)="http/);
    expect((await run('start', '--run', path, '--set', ...tiny, cache)).code).toBe(0);
    const other = await run('start', '--run', path, '--set', ...tiny, cache, 'seed=1');
    expect(other.code).toBe(2);
    expect(other.err).toContain('already holds a run');
  });
});

describe('mistakes', () => {
  const cases: [string, string, string[], number, RegExp][] = [
    ['a typo in a key', 'train', ['--set', 'trian.steps=1'], 2, /^--set: unknown key "trian"; did you mean "train"\?$/],
    ['a missing config', 'train', ['--config', 'nowhere.yaml'], 2, /^nowhere\.yaml: no such config; see configs\//],
    ['nothing to train', 'train', [], 2, /^say what to train/],
    ['an unknown option', 'train', ['--stesp', '3'], 2, /Unknown argument: stesp/],
    [
      'an unknown engine',
      'train',
      ['--set', 'train.steps=1', '--engine', 'abacus'],
      2,
      /^engine "abacus" is unknown; choose one of auto/,
    ],
    [
      'a missing folder of images',
      'train',
      ['--set', 'data.source=folder', 'data.path=/no/such/folder'],
      2,
      /\/no\/such\/folder/,
    ],
    [
      'a folder that is no run',
      'sample',
      ['--run', 'src', '--out', 'x.png'],
      2,
      /^src is not a run folder: it has no config\.yaml$/,
    ],
    ['a size that is none', 'sample', ['--run', 'x', '--size', '12xx', '--out', 'x.png'], 2, /--size/],
    ['an unknown image format', 'sample', ['--run', 'x', '--out', 'x.bmp2'], 2, /use one of \.png/],
    ['a missing option', 'evaluate', [], 2, /--run DIR/],
    // yargs itself would make 2 of it.
    [
      'an option given twice',
      'sample',
      ['--run', 'x', '--out', 'x.png', '--seed', '1', '--seed', '1'],
      2,
      /^--seed is given twice$/,
    ],
    ['a number left out', 'sample', ['--run', 'x', '--seed', '--out', 'x.png'], 2, /^--seed: expected a number$/],
  ];
  it.each(cases)('%s ends in one clear line', async (_, script, args, code, line) => {
    const result = await run(script, ...args);
    expect(result.code).toBe(code);
    expect(result.err.trim().split('\n')).toHaveLength(1);
    expect(result.err.trim()).toMatch(line);
  });

  it('does not train over a run by accident', async () => {
    const path = join(folder, 'run');
    const result = await run('train', '--config', config, '--run', path);
    expect(result.code).toBe(2);
    expect(result.err).toContain('already holds a run; continue it with --resume');
  });

  it('refuses a run whose checkpoints are damaged, naming the file', async () => {
    const path = join(folder, 'damaged');
    await cp(join(folder, 'run'), path, { recursive: true });
    for (const step of ['000060', '000057', '000030']) {
      const file = join(path, 'checkpoints', `step-${step}.safetensors`);
      if (existsSync(file)) await writeFile(file, 'garbage');
    }
    const result = await run('sample', '--run', path, '--size', '8', '--out', join(folder, 'never.png'));
    expect(result.code).toBe(1);
    expect(result.err.trim()).toMatch(/step-0000\d\d\.safetensors/);
    expect(existsSync(join(folder, 'never.png'))).toBe(false);
  });
});
