/** Parts of a user's own, as docs/extending.md shows them: its files are taken from there, loaded and used. */
import { execFile } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadExperiment } from '../src/config/load.ts';
import { loadPlugins } from '../src/config/plugins.ts';
import type { ImageSet } from '../src/data/imageSet.ts';
import { loadImages } from '../src/data/loadImages.ts';
import { startEngine } from '../src/engine/engine.ts';
import { makeGenerator } from '../src/models/generator.ts';
import { parameterCount } from '../src/models/parameters.ts';
import { PRIORS } from '../src/models/priors/registry.ts';
import { makeObjective } from '../src/objectives/registry.ts';
import { Random } from '../src/random.ts';
import { sampleLatents } from '../src/render/model.ts';
import { CheckpointStore } from '../src/run/checkpoints.ts';
import { readEvaluation, readSummary } from '../src/run/evaluations.ts';
import { readMetrics } from '../src/run/metricsLog.ts';
import { disposeModel, openModel } from '../src/run/openModel.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { tf } from '../src/tf.ts';
import { lossAndGradients } from '../src/train/gradients.ts';
import { disposeState, initialState } from '../src/train/state.ts';
import { Stepper } from '../src/train/stepper.ts';
import { train } from '../src/train/trainRun.ts';
import { run } from './support/commands.ts';
import { availableEngines } from './support/engines.ts';

const root = resolve(import.meta.dirname, '..');
let folder: string;
let config: string;

/** Code blocks of the page that begin with the name of a file, by that name. */
async function filesOfPage(): Promise<Map<string, string>> {
  const page = await readFile(join(root, 'docs/extending.md'), 'utf8');
  const blocks = [...page.matchAll(/```(?:ts|yaml)\n((?:\/\/|#) (\S+\.(?:ts|yaml))\n[\s\S]*?)```/g)];
  return new Map(blocks.map(([, text, name]) => [name, text]));
}

/** 24 images of one colour each, but for noise. */
function images(): ImageSet {
  const [count, size] = [24, 16];
  const pixels = new Uint8Array(count * size * size * 3);
  for (let image = 0; image < count; image++) {
    const random = new Random(image, 'synthetic');
    const colour = random.uniforms(3, 30, 220);
    const at = image * size * size * 3;
    for (let i = 0; i < size * size * 3; i++) pixels[at + i] = colour[i % 3] + random.integer(30);
  }
  const names = Array.from({ length: count }, (_, i) => `${i}`);
  return { count, width: size, height: size, pixels, names, skipped: [], nativeScale: 1, digest: 'plain' };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-plugins-'));
  for (const [name, text] of await filesOfPage()) await writeFile(join(folder, name), text);
  config = join(folder, 'mine.yaml');
  await startEngine('auto');
});
afterAll(() => rm(folder, { recursive: true }));

it('are written as the types of the library say', async () => {
  const types = { chladni: [join(root, 'src/index.ts')] };
  const base = JSON.parse(await readFile(join(root, 'tsconfig.json'), 'utf8'));
  const compilerOptions = { ...base.compilerOptions, paths: types, typeRoots: [join(root, 'node_modules/@types')] };
  const names = [...(await filesOfPage()).keys()].filter((name) => name.endsWith('.ts'));
  expect(names).toEqual(['shift.ts', 'gains.ts', 'adversarial.ts', 'parzen.ts', 'colour.ts', 'stripes.ts']);
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: names }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, '--noEmit', '-p', folder]).catch((e) => e);
  expect(stdout).toBe('');
});

describe('a source of a plugin', () => {
  it('brings its keys to the config, and its images to the cache and to what is held out', async () => {
    const path = join(folder, 'stripes.yaml');
    const cache = join(folder, 'stripes');
    const data = (extra: string) =>
      `plugins: [./stripes.ts]\ndata: { source: stripes, size: 8, cache: ${cache}${extra} }`;
    await writeFile(path, data(', bars: 2, heldOut: 6'));
    const { data: config } = await loadExperiment(path);
    expect(config).toMatchObject({ bars: 2, heldOut: 6 });
    const [training, held] = [await loadImages(config), await loadImages(config, { part: 'heldOut' })];
    expect(held.names).toEqual([0, 60, 120, 180, 240, 300].map((hue) => `hue-${String(hue).padStart(3, '0')}`));
    expect(training.count).toBe(30);
    expect([...held.pixels.subarray(0, 9)]).toEqual([230, 26, 26, 230, 26, 26, 255, 255, 255]);
    await writeFile(path, data(', bar: 2'));
    await expect(loadExperiment(path)).rejects.toThrow('unknown key "data.bar"; did you mean "bars"?');
    expect(Object.keys((await loadExperiment(undefined)).data)).not.toContain('bars');
  });
});

describe('on the command line', () => {
  it('train, resume, draw, measure and report a run with nothing but parts of plugins', async () => {
    const path = join(folder, 'run');
    const cache = `data.cache=${join(folder, 'cache')}`;
    const trained = await run('train', '--config', config, '--run', path, '--set', cache, 'train.logEverySteps=1');
    expect(trained.err).toContain('gains encoding, shift conditioner');
    expect(trained.code).toBe(0);
    const entries = (await readMetrics(join(path, 'metrics.jsonl'))).filter((entry) => 'train/psnr_db' in entry);
    expect(entries).toHaveLength(40);
    // The critic is trained in every second step; in between its last loss is logged.
    const critic = entries.map((entry) => entry['train/loss_critic']);
    expect(critic[0]).toBeUndefined();
    for (let i = 2; i < 40; i++) expect(critic[i] === critic[i - 1], `step ${i + 1}`).toBe(i % 2 === 0);
    expect(Number(entries.at(-1)?.['train/psnr_db'])).toBeGreaterThan(Number(entries[0]['train/psnr_db']));

    const more = await run('train', '--run', path, '--resume', '--set', 'train.steps=44');
    expect(more.code).toBe(0);
    const sheet = join(folder, 'mine.png');
    expect(
      (await run('sample', '--run', path, '--prior', 'parzen', '--count', '4', '--grid', '--out', sheet)).code,
    ).toBe(0);
    expect((await sharp(sheet).metadata()).width).toBeGreaterThan(32);
    const unknown = await run('sample', '--run', path, '--prior', 'parson', '--out', sheet);
    expect(unknown).toMatchObject({ code: 2 });
    expect(unknown.err).toContain(
      'prior "parson" is unknown; choose one of neighbours, gaussian, mixture, flow, parzen',
    );

    expect((await run('evaluate', '--run', path)).code).toBe(0);
    const summary = await readSummary(join(path, 'eval'));
    expect(summary.samples_colour_n24).toBeGreaterThan(0);
    expect(summary.samples_colour_n24).toBeLessThan(0.5);
    const samples = await readEvaluation(join(path, 'eval/samples.json'));
    expect(samples?.findings?.find(({ key }) => key === 'colour')).toMatchObject({
      label: 'Mean colour',
      better: 'low',
    });
    expect((await run('report', '--run', path)).code).toBe(0);
    expect(await readFile(join(path, 'report.html'), 'utf8')).toContain('Mean colour');
  });

  it('are named by --set too, from the working folder, and the run goes on from anywhere', async () => {
    const path = join(folder, 'set');
    const cache = `data.cache=${join(folder, 'cache')}`;
    const settings = [
      'plugins=[tests/fixtures/encoding.mjs]',
      'model.encoding={kind: lattice, size: 3}',
      'data.size=16',
    ];
    const small = [
      'data.limit=4',
      'train.steps=4',
      'model.field.width=8',
      'model.conditioner={kind: lowRank, latent: 4, mapping: [8], rank: 2}',
    ];
    expect((await run('train', '--run', path, '--set', ...settings, ...small, cache)).err).toContain(
      'lattice encoding',
    );
    expect((await run('train', '--run', path, '--resume', '--set', 'train.steps=6')).code).toBe(0);
  });

  it.each([
    ['export default { encodings: { e: {} } }', 'encodings.e has no "keys"'],
    [
      'export default { encoders: {} }',
      '"encoders" is none of sources, encodings, conditioners, objectives, priors, metrics',
    ],
    [
      'export default { priors: { gaussian: { fit() {}, sample() {} } } }',
      'prior "gaussian" is taken by the project itself',
    ],
    ['export default 3', 'its default export is no plugin'],
    ['export default (', "can't be loaded"],
  ])('are refused in one line where they are none: %s', async (text, message) => {
    const path = join(folder, 'wrong.ts');
    await writeFile(path, text);
    const refusal = loadPlugins([path], 'test');
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toMatchObject({ name: 'UsageError' });
  });

  it('are loaded anew where they changed, without what they brought before', async () => {
    const path = join(folder, 'changing.ts');
    const prior = (name: string, value: number) =>
      `export default { priors: { ${name}: { hasTemperature: false, fit: () => ({}), sample: () => Float32Array.of(${value}) } } }`;
    await writeFile(path, prior('one', 1));
    await loadPlugins([path], 'test');
    await writeFile(path, prior('one', 2));
    await loadPlugins([path], 'test');
    expect(await PRIORS.get('one').sample({}, 1, { seed: 0, count: 1, temperature: 1 })).toEqual(Float32Array.of(2));
    await writeFile(path, prior('other', 3));
    await loadPlugins([path], 'test');
    expect(PRIORS.names()).toContain('other');
    expect(PRIORS.names()).not.toContain('one');
  });

  it('measure folders with a metric of --plugin', async () => {
    const folders = ['a', 'b'].map((name) => join(folder, name));
    for (const [i, path] of folders.entries()) {
      await mkdir(path);
      for (const n of [0, 1, 2]) {
        const image = sharp({ create: { width: 9, height: 9, channels: 3, background: { r: 51 * i, g: 9, b: n } } });
        await image.png().toFile(join(path, `${n}.png`));
      }
    }
    const out = join(folder, 'ab.json');
    const plugin = ['--plugin', join(folder, 'colour.ts'), '--metrics', 'colour'];
    const done = await run(
      'evaluate',
      'images',
      '--generated',
      folders[0],
      '--reference',
      folders[1],
      ...plugin,
      '--out',
      out,
    );
    expect(done.code).toBe(0);
    expect((await readEvaluation(out))?.metrics.colour_n3).toBeCloseTo(0.2, 12);
  });

  it.each([
    [['plugins=[nowhere.ts]'], 'nowhere.ts: no such file'],
    [['train.adversarialWieght=1'], 'did you mean "adversarialWeight"?'],
    [
      ['model.conditioner={kind: direct}'],
      'objective adversarial needs a conditioner with latents, such as "hypernetwork"; "direct" has none',
    ],
  ])('say what is wrong in one line and exit with 2 (%s)', async (settings, message) => {
    const { code, err } = await run('train', '--config', config, '--dry-run', '--set', ...settings);
    expect(err).toContain(message);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  });
});

describe.each(availableEngines)('in the library, on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it('are trained group by group: a phase moves what it trains and nothing else, and leaks nothing', async () => {
    const { seed, train: settings, ...experiment } = await loadExperiment(config);
    const generator = makeGenerator(experiment.model, seed);
    const objective = makeObjective({ ...experiment, seed, train: settings }, generator, images());
    const state = initialState(objective, seed, true);
    expect(Object.keys(state.averages)).not.toContain('critic.0');
    expect(Object.keys(state.averages)).toContain('encoding.gains');
    const batches = objective.batches(images());
    const valuesOf = async (name: string) => Float32Array.from(await state.parameters[name].data());
    const stepper = new Stepper({ objective, state, batches, settings });
    for (let i = 0; i < 2; i++) await stepper.step();
    await stepper.drain();
    const before = { critic: await valuesOf('critic.0'), gains: await valuesOf('encoding.gains') };
    await stepper.step(); // the third step has no phase of the critic
    await stepper.drain();
    expect(await valuesOf('critic.0')).toEqual(before.critic);
    expect(await valuesOf('encoding.gains')).not.toEqual(before.gains);
    await stepper.step();
    await stepper.drain();
    expect(await valuesOf('critic.0')).not.toEqual(before.critic);
    for (let i = 0; i < 3; i++) await stepper.step(); // whatever is recorded is recorded by now
    await stepper.drain();
    const tensors = tf.memory().numTensors;
    for (let i = 0; i < 4; i++) await stepper.step();
    await stepper.drain();
    expect(tf.memory().numTensors).toBe(tensors);
    stepper.dispose();
    batches.dispose();
    disposeState(state);
  });

  it('give the gradients of finite differences, a trained encoding and shared kernels included', async () => {
    const {
      seed,
      train: settings,
      ...experiment
    } = await loadExperiment(config, ['model.field.activation=sine', 'model.field.omega=2']);
    const generator = makeGenerator(experiment.model, seed);
    const objective = makeObjective({ ...experiment, seed, train: settings }, generator, images());
    const state = initialState(objective, seed, false);
    const batches = objective.batches(images());
    const inputs = Object.entries(batches.inputsAt(0)).map(([name, { values, shape }]) => [
      name,
      tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32'),
    ]);
    const batch = batches.assemble(Object.fromEntries(inputs));
    const phase = objective.phases[1];
    const { gradients } = lossAndGradients(objective, phase, state, batch);
    const lossWith = async (name: string, change: Float32Array) => {
      const moved = tf.add(state.parameters[name], tf.tensor(change, state.parameters[name].shape));
      const parameters = { ...state.parameters, [name]: moved };
      const { loss } = lossAndGradients(objective, phase, { parameters }, batch);
      return (await loss.data())[0];
    };
    for (const name of ['encoding.gains', 'shift.0', 'shift.kernel', 'field.0.kernel', 'field.1.bias']) {
      const gradient = (await gradients[name].data()) as Float32Array;
      const direction = Float32Array.from(gradient, (value) => Math.sign(value));
      const expected = gradient.reduce((sum, value, i) => sum + value * direction[i], 0);
      const h = 2e-3;
      const [above, below] = [
        await lossWith(
          name,
          direction.map((value) => h * value),
        ),
        await lossWith(
          name,
          direction.map((value) => -h * value),
        ),
      ];
      expect((above - below) / (2 * h) / expected, name).toBeCloseTo(1, 1);
    }
    batches.dispose();
    disposeState(state);
  });
});

describe('runs with plugins', () => {
  /** Trains in process, `upTo` steps or until told to stop. */
  async function trained(path: string, { stopAfter, resume = false }: { stopAfter?: number; resume?: boolean } = {}) {
    let asked = 0;
    const signal = {
      get aborted() {
        return stopAfter !== undefined && ++asked > stopAfter;
      },
    } as AbortSignal;
    const experiment = await loadExperiment(config);
    const runFolder = await RunFolder.create(path, { resume });
    try {
      await train({ experiment, images: images(), run: runFolder, resume, engine: 'test', signal });
    } finally {
      await runFolder.close();
    }
  }

  it('go on after an interruption bit for bit, and count parameters without making them', async () => {
    const [whole, part] = [join(folder, 'whole'), join(folder, 'part')];
    await trained(whole);
    await trained(part, { stopAfter: 23 });
    await trained(part, { resume: true });
    const [a, b] = await Promise.all(
      [whole, part].map((path) => new CheckpointStore(join(path, 'checkpoints')).load(40)),
    );
    expect(Object.keys(a.tensors)).toContain('adam.v/critic.0');
    for (const [name, { data }] of Object.entries(a.tensors)) expect(b.tensors[name].data, name).toEqual(data);
    const { model, seed, ...rest } = await loadExperiment(config);
    const before = tf.memory().numTensors;
    const { groups } = makeObjective({ ...rest, seed }, makeGenerator(model, seed), images());
    expect(parameterCount(groups.critic.initial)).toBe(8 * 16 + 16 + 16);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('open in the library, with their prior', async () => {
    const path = join(folder, 'opened');
    await trained(path, { stopAfter: 3 });
    const model = await openModel(await RunFolder.open(path));
    expect(model.warning).toBeUndefined();
    const latents = await sampleLatents(model, { seed: 1, count: 5, prior: 'parzen' });
    expect(latents).toHaveLength(5 * 8);
    expect(await sampleLatents(model, { seed: 1, count: 2, prior: 'parzen' })).toEqual(latents.slice(0, 16));
    disposeModel(model);
  });

  it('are not resumed with a plugin that has changed, and say so when they are opened', async () => {
    const [path, changed] = [join(folder, 'changed'), join(folder, 'copy')];
    await mkdir(changed);
    for (const [name, text] of await filesOfPage()) await writeFile(join(changed, name), text);
    const copy = join(changed, 'mine.yaml');
    const cache = `data.cache=${join(folder, 'cache')}`;
    expect((await run('train', '--config', copy, '--run', path, '--set', cache, 'train.steps=4')).err).not.toContain(
      'failure',
    );
    await appendFile(join(changed, 'gains.ts'), '// otherwise\n');
    const resumed = await run('train', '--run', path, '--resume', '--set', 'train.steps=8');
    expect(resumed.err).toContain('gains.ts has changed since');
    expect(resumed.code).toBe(1);
    const drawn = await run('sample', '--run', path, '--out', join(folder, 'changed.png'));
    expect(drawn.err).toContain('gains.ts has changed since');
    expect(drawn.code).toBe(0);
  });
});
