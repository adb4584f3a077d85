import { expect, test } from 'vitest';
import { formatDuration, Progress, type ProgressOptions } from '../../src/files/progress.ts';

/** A progress reporter on a stream and a clock that the test holds. */
function setUp(options: Partial<ProgressOptions> & { isTTY?: boolean; columns?: number } = {}) {
  const { isTTY = false, columns, ...rest } = options;
  const clock = { seconds: 1000 };
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  const progress = new Progress({ label: 'train', total: 100, stream, now: () => clock.seconds, ...rest });
  return { progress, clock, written };
}

test('off a terminal there is one line per interval and a last one', () => {
  const { progress, clock, written } = setUp();
  for (let step = 1; step <= 100; step++) {
    clock.seconds += 0.12;
    progress.update(step, { loss: 1 / step });
  }
  progress.finish();
  progress.finish();
  progress.update(7);
  expect(written).toEqual([
    'train: 42/100 (42%), 8.333 steps/s, ETA 7s, loss 0.02381\n',
    'train: 84/100 (84%), 8.333 steps/s, ETA 2s, loss 0.0119\n',
    'train: 100/100 in 12s (8.333 steps/s), loss 0.01\n',
  ]);
});

test('on a terminal one line is redrawn at most ten times a second, and ends with the last', () => {
  const { progress, clock, written } = setUp({ isTTY: true, columns: 200 });
  for (let step = 1; step <= 100; step++) {
    clock.seconds += 0.01;
    progress.update(step);
  }
  progress.finish();
  expect(written.length).toBeLessThanOrEqual(13);
  expect(written[0]).toBe('\r\x1b[2Ktrain: 1/100 (1%), 100 steps/s, ETA 1s');
  expect(written.slice(-2)).toEqual(['\r\x1b[2Ktrain: 100/100 in 1s (100 steps/s)', '\n']);
  expect(written.slice(0, -1).join('')).not.toContain('\n');
});

test('the rate is the average weighted by exp(−age/15 s), so a constant pace is shown from the start', () => {
  const { progress, clock, written } = setUp({ total: 1e6, intervalSeconds: 1 });
  let done = 0;
  for (let second = 0; second < 60; second++) {
    clock.seconds += 1;
    done += second < 30 ? 10 : 40;
    progress.update(done);
  }
  const rates = written.map((line) => Number(/([\d.]+) steps/.exec(line)![1]));
  expect(rates.slice(0, 30).every((rate) => rate === 10)).toBe(true);
  // The closed form: intervals of one second, the newest of weight 1, each older one less by exp(−1/15).
  const weights = Array.from({ length: 60 }, (_, age) => Math.exp(-age / 15));
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const expected = (40 * sum(weights.slice(0, 30)) + 10 * sum(weights.slice(30))) / sum(weights);
  expect(rates[59]).toBeCloseTo(expected, 2);
});

test('work done by an earlier session does not count for the rate', () => {
  const { progress, clock, written } = setUp({ start: 50 });
  clock.seconds += 10;
  progress.update(60);
  progress.finish();
  expect(written).toEqual(['train: 60/100 (60%), 1 steps/s, ETA 40s\n', 'train: 60/100 in 10s (1 steps/s)\n']);
});

test('an unknown total has neither percentage nor time to go', () => {
  const { progress, clock, written } = setUp({ total: undefined, label: 'scan', unit: 'files' });
  clock.seconds += 5;
  progress.update(20, { skipped: '2 (see list)' });
  expect(written).toEqual(['scan: 20, 4 files/s, skipped 2 (see list)\n']);
});

test('nothing done, NaN, overshoot and a clock that stands still are shown as they are', () => {
  const { progress, clock, written } = setUp();
  clock.seconds += 5;
  progress.update(0, { loss: Number.NaN });
  clock.seconds += 5;
  progress.update(120, { loss: Infinity });
  progress.update(Number.NaN);
  expect(written).toEqual([
    'train: 0/100 (0%), 0 steps/s, loss NaN\n',
    'train: 120/100 (120%), 13.98 steps/s, ETA 0s, loss Infinity\n',
  ]);
  const still = setUp({ isTTY: true, total: 0 });
  still.progress.update(0);
  still.progress.finish();
  expect(still.written).toEqual(['\r\x1b[2Ktrain: 0/0', '\r\x1b[2Ktrain: 0/0 in 0s', '\n']);
});

test('a line never fills the width of the terminal', () => {
  for (const columns of [10, 20, 40, 0, undefined]) {
    const { progress, clock, written } = setUp({ isTTY: true, columns });
    clock.seconds += 1;
    progress.update(10, Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`metric${i}`, 0.5])));
    const text = written[0].replace('\r\x1b[2K', '');
    expect(text).toHaveLength((columns || 80) - 1);
    expect(text).toMatch(/^train: .*…$/);
  }
});

test('a message stands on a line of its own above the progress line', () => {
  const { progress, clock, written } = setUp({ isTTY: true });
  clock.seconds += 1;
  progress.update(10);
  progress.message('saved samples');
  const line = '\r\x1b[2Ktrain: 10/100 (10%), 10 steps/s, ETA 9s';
  expect(written).toEqual([line, '\r\x1b[2Ksaved samples\n', line]);
  const plain = setUp();
  plain.progress.message('saved samples');
  expect(plain.written).toEqual(['saved samples\n']);
});

test.each([
  [0, '0s'],
  [59.4, '59s'],
  [59.6, '1m00s'],
  [3599, '59m59s'],
  [3600, '1h00m'],
  [86_399, '23h59m'],
  [100_000, '1d03h'],
  [1e7, '115d17h'],
  [Infinity, '?'],
  [Number.NaN, '?'],
  [-1, '?'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
