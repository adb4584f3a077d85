import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { cpus, hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatExperiment } from '../../src/config/load.ts';
import { experimentSchema } from '../../src/config/schema.ts';
import { RunError, UsageError } from '../../src/errors.ts';
import type { Environment } from '../../src/run/environment.ts';
import { RunFolder } from '../../src/run/runFolder.ts';
import { failureOf, temporaryFolder } from '../support/temporaryFolder.ts';

const EXPERIMENT = experimentSchema().parse({ name: 'test', train: { steps: 7 } });

/** A folder that holds a run of which nobody has the lock. */
async function folderWithRun(): Promise<string> {
  const path = join(await temporaryFolder(), 'runs/mine');
  const run = await RunFolder.create(path, { resume: false });
  await run.writeConfig(formatExperiment(EXPERIMENT));
  await run.close();
  return path;
}

test('a new run folder has its parts and the config, and can be opened', async () => {
  const path = await folderWithRun();
  expect(readdirSync(path).sort()).toEqual(['checkpoints', 'config.yaml', 'eval', 'samples']);
  const run = await RunFolder.open(path);
  expect(await run.readExperiment()).toEqual(EXPERIMENT);
  const places = [run.environment, run.metrics, run.checkpoints, run.samples, run.evaluation, run.report];
  expect(places).toEqual(
    ['env.json', 'metrics.jsonl', 'checkpoints', 'samples', 'eval', 'report.html'].map((name) => join(path, name)),
  );
});

test('a folder that holds a run is refused, with the two ways out, and not locked by that', async () => {
  const path = await folderWithRun();
  const error = await failureOf(() => RunFolder.create(path, { resume: false }));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(
    `${path} already holds a run; continue it with --resume, remove it with --overwrite, or choose another folder with --run`,
  );
  const run = await RunFolder.create(path, { resume: true });
  expect(await run.readExperiment()).toEqual(EXPERIMENT);
  await run.close();
});

test('overwriting removes the run and nothing else', async () => {
  const path = await folderWithRun();
  for (const name of [
    'metrics.jsonl',
    'env.json',
    'report.html',
    'events.out.tfevents.1.h.2.3',
    'notes.md',
    'samples/a.png',
  ]) {
    writeFileSync(join(path, name), '');
  }
  const run = await RunFolder.create(path, { resume: false, overwrite: true });
  await run.close();
  expect(readdirSync(path, { recursive: true }).sort()).toEqual(['checkpoints', 'eval', 'notes.md', 'samples']);
});

test('a folder with other files, or one left before the config was written, becomes a run', async () => {
  const path = join(await temporaryFolder(), 'run');
  mkdirSync(path);
  writeFileSync(join(path, 'notes.md'), '');
  await (await RunFolder.create(path, { resume: true })).close();
  const run = await RunFolder.create(path, { resume: false });
  await run.close();
  expect(run.holdsRun()).toBe(false);
});

test('what is no run folder is refused, naming what is missing', async () => {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  for (const [path, reason] of [
    [join(folder, 'none'), `run folder ${join(folder, 'none')} does not exist`],
    [join(folder, 'file/none'), `run folder ${join(folder, 'file/none')} does not exist`],
    [join(folder, 'file'), `${join(folder, 'file')} is a file, not a run folder`],
    [folder, `${folder} is not a run folder: it has no config.yaml`],
  ]) {
    const error = await failureOf(() => RunFolder.open(path));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(reason);
  }
});

test('env.json describes the session, and keeps those before', async () => {
  const path = await folderWithRun();
  const run = await RunFolder.open(path);
  const first = await run.writeEnvironment('wasm (4 threads)');
  const stored = () => JSON.parse(readFileSync(run.environment, 'utf8')) as Environment & { earlierSessions: unknown };
  expect(stored()).toEqual({ ...first, earlierSessions: [] });
  expect(first.engine).toBe('wasm (4 threads)');
  expect(first.node).toBe(process.versions.node);
  expect(first.cpu.count).toBe(cpus().length);
  expect(Math.abs(Date.now() - Date.parse(first.startedAt))).toBeLessThan(60_000);
  const packageJson = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  expect(first.packages).toMatchObject({
    chladni: packageJson.version,
    '@tensorflow/tfjs': packageJson.dependencies['@tensorflow/tfjs'],
    sharp: packageJson.dependencies.sharp,
  });
  if (first.git) expect(first.git.commit).toMatch(/^[0-9a-f]{40,64}$/);
  const second = await run.writeEnvironment('native');
  const third = await run.writeEnvironment('javascript');
  expect(stored()).toEqual({ ...third, earlierSessions: [first, second] });
});

test('only one can train in a folder, and after it the next', async () => {
  const path = await folderWithRun();
  const run = await RunFolder.create(path, { resume: true });
  const error = await failureOf(() => RunFolder.create(path, { resume: true }));
  expect(error).toBeInstanceOf(RunError);
  expect(error.message).toMatch(
    new RegExp(
      `^${path} is in use by process ${process.pid} on ${hostname()}; wait until it is done, or choose another`,
    ),
  );
  await run.close();
  await run.close();
  expect(existsSync(join(path, 'lock'))).toBe(false);
  await (await RunFolder.create(path, { resume: true })).close();
});

test('of several that want a folder at once exactly one gets it, also over a stale lock', async () => {
  for (const stale of [undefined, { pid: 2 ** 22 + 1, host: hostname(), processStart: '', token: 'old' }]) {
    const path = await folderWithRun();
    if (stale) writeFileSync(join(path, 'lock'), JSON.stringify(stale));
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => RunFolder.create(path, { resume: true })));
    const got = results.filter((result) => result.status === 'fulfilled');
    expect(got).toHaveLength(1);
    await got[0].value.close();
    expect(readdirSync(path).sort()).toEqual(['checkpoints', 'config.yaml', 'eval', 'samples']);
  }
});

test('while another process trains its folder is locked; when it has been killed the lock is taken over', async () => {
  const path = await folderWithRun();
  const module = join(import.meta.dirname, '../../src/run/runFolder.ts');
  const script = `import { RunFolder } from ${JSON.stringify(module)};
    await RunFolder.create(${JSON.stringify(path)}, { resume: true }); console.log('locked'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  await once(child.stdout, 'data');
  await expect(RunFolder.create(path, { resume: true })).rejects.toThrow(`in use by process ${child.pid}`);
  child.kill('SIGKILL');
  await once(child, 'close');
  await (await RunFolder.create(path, { resume: true })).close();
});

test.each([
  ['of this process number, by a process of an earlier start', { pid: process.pid, processStart: 'boot:1' }, 0, true],
  ['of another machine, renewed just now', { host: 'elsewhere' }, 10, false],
  ['of another machine, not renewed for long', { host: 'elsewhere' }, 1000, true],
  ['without content, just made', undefined, 0, false],
  ['without content, old', undefined, 60, true],
])('a lock %s', async (_, holder, ageSeconds, stale) => {
  const path = await folderWithRun();
  const content = { pid: 1, host: hostname(), processStart: '', token: 'x', ...holder };
  writeFileSync(join(path, 'lock'), holder ? JSON.stringify(content) : '');
  const changed = Date.now() / 1000 - ageSeconds;
  utimesSync(join(path, 'lock'), changed, changed);
  if (stale) await (await RunFolder.create(path, { resume: true })).close();
  else await expect(RunFolder.create(path, { resume: true })).rejects.toThrow('is in use by');
});

test('a place that is no folder is refused in one line', async () => {
  const file = join(await temporaryFolder(), 'file');
  writeFileSync(file, '');
  const error = await failureOf(() => RunFolder.create(join(file, 'run'), { resume: false }));
  expect(error).toBeInstanceOf(RunError);
  expect(error.message).toBe(
    `cannot create the run folder ${join(file, 'run')}: a part of the path is a file, not a folder`,
  );
});

test('a folder without the permission to write is refused in one line', async () => {
  const folder = await temporaryFolder();
  chmodSync(folder, 0o555);
  // Root may write anywhere, so the test takes another user's place for a moment.
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  try {
    const error = await failureOf(() => RunFolder.create(join(folder, 'run'), { resume: false }));
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toMatch(/^cannot create the run folder .*: permission denied; change its permissions or use/);
    const locked = await failureOf(() => RunFolder.create(folder, { resume: false }));
    expect(locked).toBeInstanceOf(RunError);
    expect(locked.message).toMatch(/^cannot write .*lock: permission denied/);
  } finally {
    if (root) process.seteuid?.(0);
    chmodSync(folder, 0o755);
  }
});
