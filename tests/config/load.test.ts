import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { experimentJsonSchema } from '../../src/config/jsonSchema.ts';
import { formatExperiment, loadExperiment, parseExperiment } from '../../src/config/load.ts';
import { trainingSize } from '../../src/data/schema.ts';

const configs = resolve(import.meta.dirname, '../../configs');
let folder: string;

const write = async (name: string, text: string) => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chladni-config-'));
});

describe('loading an experiment', () => {
  it('fills in defaults and applies overrides in order', async () => {
    const file = await write('a.yaml', 'train: {steps: 7}\nmodel: {field: {width: 8}}\n');
    const experiment = await loadExperiment(file, ['train.batch=3', 'train.steps=9', 'data.size=64x32']);
    expect(experiment.train).toMatchObject({ steps: 9, batch: 3, beta1: 0.9 });
    expect(experiment.model.field).toMatchObject({ width: 8, depth: 3 });
    expect(trainingSize(experiment.data)).toEqual({ width: 64, height: 32 });
  });

  it('lets a config extend another, through several files', async () => {
    await write('base.yaml', 'seed: 4\nmodel: {field: {width: 8, depth: 1}}\n');
    await write('middle.yaml', 'extends: base.yaml\nmodel: {field: {depth: 2}}\n');
    const experiment = await loadExperiment(await write('leaf.yaml', 'extends: ./middle.yaml\nseed: 5\n'));
    expect(experiment.seed).toBe(5);
    expect(experiment.model.field).toMatchObject({ width: 8, depth: 2 });
  });

  it("drops the other kind's keys when a kind changes, and keeps them when it doesn't", async () => {
    const file = await write('kind.yaml', 'model: {encoding: {kind: gaussian, sigma: 3}}\n');
    expect((await loadExperiment(file, ['model.encoding.frequencies=9'])).model.encoding).toEqual({
      kind: 'gaussian',
      sigma: 3,
      frequencies: 9,
    });
    expect((await loadExperiment(file, ['model.encoding.kind=positional'])).model.encoding).toEqual({
      kind: 'positional',
      frequencies: 128,
      maxLog2: 6,
    });
  });

  it('takes direct weights for granted with objective fit', async () => {
    expect((await loadExperiment(undefined, ['objective=fit'])).model.conditioner).toEqual({ kind: 'direct' });
  });

  it('gives the same experiment back from its own YAML', async () => {
    const experiment = await loadExperiment(undefined, ['model.conditioner.kind=lowRank', 'data.limit=5']);
    expect(await parseExperiment(formatExperiment(experiment), 'x')).toEqual(experiment);
  });

  it.each([
    [['trian.steps=5'], 'unknown key "trian"; did you mean "train"?'],
    [['train.step=5'], 'unknown key "train.step"; did you mean "steps"?'],
    [['model.encoding.sgima=3'], 'unknown key "model.encoding.sgima"; did you mean "sigma"?'],
    [
      ['model.encoding={kind: positional, sigma: 3}'],
      'unknown key "model.encoding.sigma"; known here: kind, frequencies, maxLog2',
    ],
    [['train.steps=abc'], 'train.steps: Invalid input: expected number, received string, got "abc"'],
    [['train.steps=0'], 'train.steps: Too small'],
    [['model.encoding.kind=foo'], "model.encoding.kind: Invalid discriminator value. Expected 'none' | 'basic'"],
    [['data.source=folder'], 'data.path: source "folder" needs a path'],
    [['data.size=12xx'], 'data.size: must be a whole number or WIDTHxHEIGHT, got "12xx"'],
    [['train.steps'], '--set train.steps: expected key.path=value'],
    [['model.field.width=[1'], 'the value is not valid YAML'],
    [['model.field.skip=3'], 'model.field.skip: must be below model.field.depth (3): a hidden layer has to follow'],
    [
      ['objective=fit', 'model.conditioner.kind=hypernetwork'],
      'objective fit needs a conditioner without latents, such as "direct"; "hypernetwork" has some',
    ],
  ])('refuses %j in one clear line', async (overrides, message) => {
    const error = await loadExperiment(undefined, overrides).catch((e: Error) => e);
    expect(error).toMatchObject({ name: 'UsageError' });
    expect((error as Error).message).toContain(message);
    expect((error as Error).message.split('\n')).toHaveLength(1);
  });

  it('names file and line of broken YAML, missing files and circles', async () => {
    await expect(loadExperiment(await write('broken.yaml', 'a: 1\nb: [1,\n'))).rejects.toThrow(
      /broken\.yaml:\d+: not valid YAML/,
    );
    await expect(loadExperiment(join(folder, 'absent.yaml'))).rejects.toThrow('absent.yaml: no such config');
    await write('one.yaml', 'extends: two.yaml\n');
    await write('two.yaml', 'extends: one.yaml\n');
    await expect(loadExperiment(join(folder, 'one.yaml'))).rejects.toThrow('goes in a circle');
    await expect(loadExperiment(await write('list.yaml', '- 1\n'))).rejects.toThrow('must be a mapping');
    await expect(loadExperiment(await write('lost.yaml', 'extends: gone.yaml\n'))).rejects.toThrow('extended by');
  });
});

describe('the configs that come with the project', async () => {
  const files = (await readdir(configs)).filter((name) => name.endsWith('.yaml'));

  it.each(files)('%s loads, and says in its header how to run it and what to expect', async (name) => {
    await loadExperiment(join(configs, name));
    const header = (await readFile(join(configs, name), 'utf8')).split('\n').filter((line) => line.startsWith('#'));
    expect(header.join('\n')).toContain(`configs/${name}`);
    expect(header.join('\n')).toMatch(/dB|Not measured yet/);
  });

  it('are checked in editors by a JSON Schema that is up to date', async () => {
    const stored = JSON.parse(await readFile(join(configs, 'schema.json'), 'utf8'));
    expect(stored).toEqual(JSON.parse(JSON.stringify(experimentJsonSchema())));
  });
});
