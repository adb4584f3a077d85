/** Reads a trace: how busy the GPU was, with what, and one step drawn in text. */
import type { Interval } from './trace.ts';

/** Seconds that the GPU computed (overlaps counted once), and seconds from the first start to the last end. */
export function busyTime(intervals: readonly Interval[]): { busy: number; span: number } {
  let [busy, end, first] = [0, -Infinity, Infinity];
  for (const { start, seconds } of [...intervals].sort((a, b) => a.start - b.start)) {
    busy += Math.max(0, start + seconds - Math.max(start, end));
    end = Math.max(end, start + seconds);
    first = Math.min(first, start);
  }
  return { busy, span: intervals.length > 0 ? end - first : 0 };
}

/** The intervals that lie within a part of the trace, from `from` to `to` of its span (0 to 1). */
export function within(intervals: readonly Interval[], from: number, to: number): Interval[] {
  const { span } = busyTime(intervals);
  return intervals.filter(({ start, seconds }) => start >= from * span && start + seconds <= to * span);
}

export interface Share {
  label: string;
  count: number;
  seconds: number;
}

/** Time by name, most first. */
export function timeByLabel(intervals: readonly Interval[]): Share[] {
  const shares = new Map<string, Share>();
  for (const { labels, seconds } of intervals) {
    const label = labels.join(' + ') || '(unnamed)';
    const share = shares.get(label) ?? { label, count: 0, seconds: 0 };
    shares.set(label, { label, count: share.count + 1, seconds: share.seconds + seconds });
  }
  return [...shares.values()].sort((a, b) => b.seconds - a.seconds);
}

const BAR = 40;

/** A trace as lines of text: start and duration in microseconds, where it lies in the whole, and what ran. */
export function timelineText(intervals: readonly Interval[]): string {
  const { busy, span } = busyTime(intervals);
  const microseconds = (seconds: number) => (1e6 * seconds).toFixed(1).padStart(10);
  const lines = intervals.map(({ labels, start, seconds }) => {
    const from = Math.min(BAR - 1, Math.floor((BAR * start) / span));
    const length = Math.max(1, Math.min(BAR - from, Math.round((BAR * seconds) / span)));
    const bar = `${' '.repeat(from)}${'#'.repeat(length)}`.padEnd(BAR);
    return `${microseconds(start)} ${microseconds(seconds)}  |${bar}| ${labels.join(' + ')}`;
  });
  const shares = timeByLabel(intervals).map(({ label, count, seconds }) => {
    return `${microseconds(seconds)} ${String(count).padStart(10)}  ${((100 * seconds) / busy).toFixed(1).padStart(5)} %  ${label}`;
  });
  return [
    `${intervals.length} dispatches, busy ${(1e3 * busy).toFixed(3)} ms of ${(1e3 * span).toFixed(3)} ms`,
    '',
    '  start µs  length µs',
    ...lines,
    '',
    '  total µs      count    share  label',
    ...shares,
    '',
  ].join('\n');
}
