/** A disk that really fills up: a file system of 256 KiB in memory. Needs the right to mount; says so where it hasn't. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { RunError } from '../../src/errors.ts';
import { CheckpointStore, checkpointName } from '../../src/run/checkpoints.ts';
import { MetricsLog, readMetrics } from '../../src/run/metricsLog.ts';
import { RunFolder } from '../../src/run/runFolder.ts';
import type { SafeTensors } from '../../src/run/safetensors.ts';
import { EventWriter } from '../../src/run/tensorboard/eventWriter.ts';
import { failureOf } from '../support/temporaryFolder.ts';
import { readRecords } from './tensorboard/eventFile.ts';

const FULL = /^cannot write .*: the disk is full; free some space or use another folder$/;

function mountSmallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'chladni-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=700', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmdirSync(folder);
    console.warn('a small file system cannot be mounted here (it takes root on Linux): skipped filling a disk');
    return undefined;
  }
}

const disk = mountSmallDisk();

/** Leaves about `bytes` free. */
function fillUp(bytes: number): void {
  const { bavail, bsize } = JSON.parse(
    execFileSync('stat', ['-f', '-c', '{"bavail":%a,"bsize":%S}', disk!], { encoding: 'utf8' }),
  ) as { bavail: number; bsize: number };
  writeFileSync(join(disk!, 'filling'), Buffer.alloc(bavail * bsize - bytes));
}

const tensorsOf = (step: number): SafeTensors => ({
  x: { dtype: 'F32', shape: [10_000], data: new Float32Array(10_000).fill(step) },
});

describe.skipIf(disk === undefined)('on a full disk', () => {
  beforeEach(() => {
    for (const name of readdirSync(disk!)) rmSync(join(disk!, name), { recursive: true });
  });

  afterAll(() => {
    // Lazily: a test that failed may have left a file open.
    execFileSync('umount', ['-l', disk!]);
    rmdirSync(disk!);
  });

  test('a checkpoint fails in one line, leaves nothing behind, and the last good one stays', async () => {
    const store = new CheckpointStore(join(disk!, 'checkpoints'));
    await store.save(1, tensorsOf(1), {});
    fillUp(20_000);
    const before = readdirSync(store.folder);
    const error = await failureOf(() => store.save(2, tensorsOf(2), {}));
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toMatch(FULL);
    expect(error.message).toContain(checkpointName(2));
    expect(readdirSync(store.folder)).toEqual(before);
    const checkpoint = await store.load('latest');
    expect([checkpoint.step, checkpoint.warning]).toEqual([1, undefined]);
    expect(checkpoint.tensors).toEqual(tensorsOf(1));
    rmSync(join(disk!, 'filling'));
    await store.save(2, tensorsOf(2), {});
    expect((await store.load('latest')).step).toBe(2);
  });

  test('a metrics log keeps its whole lines, and goes on when there is space again', async () => {
    const path = join(disk!, 'metrics.jsonl');
    const log = await MetricsLog.open(path);
    const entry = (step: number) => ({ step, wallSeconds: step, ['m'.repeat(1000)]: 1 });
    log.append(entry(0));
    fillUp(10_000);
    let written = 1;
    const error = await failureOf(() => {
      for (; written < 1000; written++) log.append(entry(written));
    });
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toMatch(FULL);
    expect(readFileSync(path, 'utf8').endsWith('}\n')).toBe(true);
    expect(await readMetrics(path)).toHaveLength(written);
    rmSync(join(disk!, 'filling'));
    log.append(entry(written));
    log.close();
    expect((await readMetrics(path)).map(({ step }) => step)).toEqual(Array.from({ length: written + 1 }, (_, i) => i));
  });

  test('an event file keeps its whole records, and nothing buffered is lost when there is space again', async () => {
    const writer = await EventWriter.open(disk!);
    fillUp(6_000);
    writer.text('long', 'x'.repeat(50_000), 1);
    const error = await failureOf(() => writer.flush());
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toMatch(FULL);
    expect(readRecords(writer.path)).toHaveLength(2);
    rmSync(join(disk!, 'filling'));
    writer.scalar('loss', 1, 2);
    writer.close();
    expect(readRecords(writer.path)).toHaveLength(4);
  });

  test('a run folder fails in one line, and is not locked', async () => {
    fillUp(0);
    const error = await failureOf(() => RunFolder.create(join(disk!, 'run'), { resume: false }));
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toMatch(/^cannot [^\n]*: the disk is full; free some space or use another folder$/);
    rmSync(join(disk!, 'filling'));
    const run = await RunFolder.create(join(disk!, 'run'), { resume: false });
    await run.writeConfig('name: x\n');
    fillUp(0);
    await expect(run.writeConfig(`name: ${'y'.repeat(9000)}\n`)).rejects.toThrow(FULL);
    expect(readFileSync(run.config, 'utf8')).toBe('name: x\n');
    expect(readdirSync(run.path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(statSync(run.config).size).toBe(8);
    await run.close();
  });
});
