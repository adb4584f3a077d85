import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RunError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';
import { CheckpointStore, checkpointName } from '../../src/run/checkpoints.ts';
import { readMetrics } from '../../src/run/metricsLog.ts';
import { encodeSafetensors, type SafeTensors } from '../../src/run/safetensors.ts';
import { failureOf, temporaryFolder } from '../support/temporaryFolder.ts';

function tensorsOf(step: number): SafeTensors {
  return { x: { dtype: 'F32', shape: [4], data: new Float32Array(4).fill(step) } };
}

/** A store that has saved these steps; `best` among them are marked so. */
async function storeWith(steps: readonly number[], best: readonly number[] = []): Promise<CheckpointStore> {
  const store = new CheckpointStore(join(await temporaryFolder(), 'checkpoints'));
  for (const step of steps) await store.save(step, tensorsOf(step), { config: 'c' }, { best: best.includes(step) });
  return store;
}

const pathOf = (store: CheckpointStore, step: number) => join(store.folder, checkpointName(step));

test('a checkpoint comes back with its tensors, metadata and step', async () => {
  const store = await storeWith([250]);
  expect(readdirSync(store.folder).sort()).toEqual(['latest', 'step-000250.safetensors']);
  expect(readFileSync(join(store.folder, 'latest'), 'utf8')).toBe('step-000250.safetensors\n');
  const metadata = { config: 'c', step: '250' };
  expect(await store.load('latest')).toEqual({
    step: 250,
    path: pathOf(store, 250),
    tensors: tensorsOf(250),
    metadata,
  });
});

test('the latest two and the best are kept', async () => {
  const store = await storeWith([1, 2, 3, 1_234_567, 1_234_568], [2]);
  expect(await store.steps()).toEqual([2, 1_234_567, 1_234_568]);
  expect((await store.load('best')).step).toBe(2);
  expect((await store.load('latest')).step).toBe(1_234_568);
  expect((await store.load(1_234_567)).tensors).toEqual(tensorsOf(1_234_567));
});

test('a better one replaces the best', async () => {
  const store = await storeWith([1, 2, 3, 4], [1, 3]);
  expect(await store.steps()).toEqual([3, 4]);
  expect((await store.load('best')).step).toBe(3);
});

test('saving goes on from an earlier step: what came after it is dropped', async () => {
  const store = await storeWith([10, 20]);
  await store.save(15, tensorsOf(15), {});
  expect(await store.steps()).toEqual([10, 15]);
  expect((await store.load('latest')).step).toBe(15);
});

test('calls that overlap are served one after the other', async () => {
  const store = await storeWith([]);
  await Promise.all([1, 2, 3, 4].map((step) => store.save(step, tensorsOf(step), {})));
  expect(await store.steps()).toEqual([3, 4]);
  expect((await store.load('latest')).step).toBe(4);
});

test('files that a killed process left half-written are cleared away, others are left alone', async () => {
  const store = await storeWith([1]);
  writeFileSync(join(store.folder, 'step-000002.safetensors.77-abcd.tmp'), 'half');
  writeFileSync(join(store.folder, 'notes.txt'), 'mine');
  await store.save(3, tensorsOf(3), {});
  expect(readdirSync(store.folder).sort()).toEqual(['latest', 'notes.txt', checkpointName(1), checkpointName(3)]);
});

test.each([
  ['cut short', (path: string) => truncateSync(path, 100), /not a complete safetensors file/],
  ['gone', (path: string) => rmSync(path), /cannot read .* it does not exist/],
  ['damaged', (path: string) => flipLastBit(path), /does not match its checksum/],
  ['another program’s', (path: string) => writeFileSync(path, foreignFile()), /it has no checksum/],
  [
    'another step’s',
    (path: string) => writeFileSync(path, encodeSafetensors(tensorsOf(7), { step: '7' })),
    /is of step 7/,
  ],
])('where the latest is %s, the one before is used and a warning says so', async (_, spoil, reason) => {
  const store = await storeWith([1, 2], [2]);
  spoil(pathOf(store, 2));
  const checkpoint = await store.load('latest');
  expect(checkpoint.step).toBe(1);
  expect(checkpoint.tensors).toEqual(tensorsOf(1));
  expect(checkpoint.warning).toMatch(reason);
  expect(checkpoint.warning).toContain(`using ${pathOf(store, 1)} instead`);
  expect(checkpoint.warning).not.toContain('\n');
  const error = await failureOf(() => store.load('best'));
  expect(error).toBeInstanceOf(RunError);
  expect(error.message).toMatch(reason);
});

function flipLastBit(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] ^= 1;
  writeFileSync(path, bytes);
}

function foreignFile(): Buffer {
  return Buffer.concat([Buffer.of(2, 0, 0, 0, 0, 0, 0, 0), Buffer.from('{}')]);
}

test.each([
  ['missing', (path: string) => rmSync(path)],
  ['nonsense', (path: string) => writeFileSync(path, '../../etc/passwd')],
])('a pointer that is %s is replaced by the newest checkpoint, with a warning', async (_, spoil) => {
  const store = await storeWith([1, 2]);
  spoil(join(store.folder, 'latest'));
  const checkpoint = await store.load('latest');
  expect([checkpoint.step, checkpoint.warning]).toEqual([
    2,
    expect.stringContaining('is missing or names no checkpoint'),
  ]);
});

test('nothing usable is an error that names the folder', async () => {
  const nowhere = new CheckpointStore(join(await temporaryFolder(), 'none'));
  await expect(nowhere.load('latest')).rejects.toThrow(`${nowhere.folder} holds no checkpoint`);
  const store = await storeWith([1, 2]);
  await expect(store.load(3)).rejects.toThrow(`${store.folder} holds no checkpoint of step 3; it has 1, 2`);
  await expect(store.load('best')).rejects.toThrow('has no best checkpoint yet');
  for (const step of [1, 2]) truncateSync(pathOf(store, step), 0);
  const error = await failureOf(() => store.load('latest'));
  expect(error).toBeInstanceOf(RunError);
  expect(error.message).toMatch(/holds no complete checkpoint: .*000002.*; .*000001/);
});

test('killed at any moment, a run has a latest checkpoint that is whole and no older than was promised', async () => {
  const folder = await temporaryFolder();
  const store = new CheckpointStore(join(folder, 'checkpoints'));
  const random = new Random(5, 'evaluation');
  const script = join(import.meta.dirname, 'savingLoop.ts');
  let next = 1;
  let interrupted = 0;
  for (let round = 0; round < 15; round++) {
    const child = spawn(process.execPath, ['--import', 'tsx', script, folder, String(next)]);
    let output = '';
    let complaints = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data;
    });
    child.stderr.on('data', (data: Buffer) => {
      complaints += data;
    });
    await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
    await delay(40 * random.uniform());
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(complaints.replaceAll(/npm warn.*\n/g, '')).toBe('');

    const promised = Number(output.trim().split('\n').at(-1));
    const names = readdirSync(store.folder);
    if (names.some((name) => name.endsWith('.tmp'))) interrupted++;
    const { step, tensors, metadata, warning } = await store.load('latest');
    expect(warning).toBeUndefined();
    expect(step).toBeGreaterThanOrEqual(promised);
    expect(metadata).toEqual({ origin: `step ${step}`, step: String(step) });
    for (const { data } of Object.values(tensors)) expect(data.every((value) => value === step)).toBe(true);
    if (existsSync(join(store.folder, 'best'))) expect((await store.load('best')).step % 5).toBe(0);
    const steps = (await readMetrics(join(folder, 'metrics.jsonl'))).map((entry) => entry.step);
    expect(steps.slice(0, step)).toEqual(Array.from({ length: step }, (_, i) => i + 1));
    next = step + 1;
  }
  // Otherwise the kills missed what they were for.
  expect(interrupted).toBeGreaterThan(0);
});
