import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MetricsLog, readMetrics } from '../../src/run/metricsLog.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const LINES = [1, 2, 3].map((step) => `{"step":${step},"wallSeconds":${step / 2},"loss":${1 / step}}\n`);

async function fileOf(content: string): Promise<string> {
  const path = join(await temporaryFolder(), 'metrics.jsonl');
  writeFileSync(path, content);
  return path;
}

test('an entry is one line, step and time first, there as soon as append returns', async () => {
  const path = join(await temporaryFolder(), 'metrics.jsonl');
  const log = await MetricsLog.open(path);
  log.append({ loss: 0.25, step: 20, wallSeconds: 1.5, 'psnr/train': 30 });
  expect(readFileSync(path, 'utf8')).toBe('{"step":20,"wallSeconds":1.5,"loss":0.25,"psnr/train":30}\n');
  log.close();
  log.close();
  expect(await readMetrics(path)).toEqual([{ step: 20, wallSeconds: 1.5, loss: 0.25, 'psnr/train': 30 }]);
});

test('NaN and infinities are written as strings and read back as numbers', async () => {
  const path = join(await temporaryFolder(), 'metrics.jsonl');
  const log = await MetricsLog.open(path);
  const entry = { step: 1, wallSeconds: 0, a: Number.NaN, b: Infinity, c: -Infinity };
  log.append(entry);
  log.close();
  expect(readFileSync(path, 'utf8')).toBe('{"step":1,"wallSeconds":0,"a":"NaN","b":"Infinity","c":"-Infinity"}\n');
  expect(await readMetrics(path)).toEqual([entry]);
});

test('resuming drops the entries of later steps and goes on after the rest', async () => {
  const path = await fileOf(LINES.join(''));
  const log = await MetricsLog.open(path, { resumeAtStep: 2 });
  log.append({ step: 3, wallSeconds: 9, loss: 7 });
  log.close();
  expect(readFileSync(path, 'utf8')).toBe(`${LINES[0]}${LINES[1]}{"step":3,"wallSeconds":9,"loss":7}\n`);
});

test('a last line cut off anywhere is ignored by readers and removed on opening', async () => {
  for (let length = 0; length < LINES[2].length; length++) {
    const path = await fileOf(LINES[0] + LINES[1] + LINES[2].slice(0, length));
    expect(await readMetrics(path)).toHaveLength(2);
    (await MetricsLog.open(path)).close();
    expect(readFileSync(path, 'utf8')).toBe(LINES[0] + LINES[1]);
  }
});

test('a file with nothing to drop is not rewritten', async () => {
  const path = await fileOf(LINES.join(''));
  const { ino } = statSync(path);
  (await MetricsLog.open(path, { resumeAtStep: 3 })).close();
  expect(statSync(path).ino).toBe(ino);
});

test.each([
  'nonsense',
  '[]',
  'null',
  '{"step":1.5,"wallSeconds":0}',
  '{"step":1}',
  '{"step":1,"wallSeconds":0,"loss":"low"}',
  '{"step":1,"wallSeconds":0,"loss":null}',
])('a line in the middle such as %s is refused by its number', async (line) => {
  const path = await fileOf(`${LINES[0]}${line}\n${LINES[1]}`);
  await expect(readMetrics(path)).rejects.toThrow(`${path}:2: not a line of metrics`);
  await expect(MetricsLog.open(path)).rejects.toThrow(`${path}:2: not a line of metrics`);
});

test('a missing file reads as an error and opens as a new one', async () => {
  const path = join(await temporaryFolder(), 'metrics.jsonl');
  await expect(readMetrics(path)).rejects.toThrow(`cannot read ${path}: it does not exist`);
  (await MetricsLog.open(path, { resumeAtStep: 5 })).close();
  expect(await readMetrics(path)).toEqual([]);
  await expect(MetricsLog.open(join(path, 'x'))).rejects.toThrow('a part of the path is a file');
});
