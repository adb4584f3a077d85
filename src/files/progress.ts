/**
 * How far long work has come: on a terminal one line that updates itself, elsewhere one line every few seconds and a
 * last one. For training, data preparation and evaluation alike. (Why no library: CONTRIBUTING.md.)
 */

/** What of a stream is used. */
export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface ProgressOptions {
  label: string;
  /** Leave it out where unknown: then there is no percentage and no time to go. */
  total?: number;
  /** How much had been done before, by an earlier session: it doesn't count for the rate. */
  start?: number;
  /** What is counted, as in `12.3 steps/s`. */
  unit?: string;
  /** Between lines where the stream is no terminal. */
  intervalSeconds?: number;
  stream?: ProgressStream;
  /** Seconds, from any origin. */
  now?: () => number;
}

const REDRAW_SECONDS = 0.1;
/** Memory of the rate: a change of pace is mostly taken in after this time. */
const RATE_SECONDS = 15;

/** A duration in the two units that matter: `42s`, `3m05s`, `1h02m`, `3d04h`; `?` where it isn't a number. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '?';
  const whole = Math.round(seconds);
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86400)}d${two((whole % 86400) / 3600)}h`;
}

/** Four significant digits at most, whatever the number. */
function formatBriefly(value: number): string {
  return String(Number(value.toPrecision(4)));
}

export class Progress {
  private readonly options: Required<Omit<ProgressOptions, 'total'>> & { total?: number };
  private readonly startedAt: number;
  private done: number;
  private extras: Readonly<Record<string, number | string>> = {};
  private shownAt: number;
  private measuredAt: number;
  private measuredDone: number;
  // Average of the rate with weights that decay over time, and the sum of those weights.
  private weightedRate = 0;
  private weight = 0;
  private finished = false;

  constructor({ label, total, start = 0, unit = 'steps', intervalSeconds = 5, stream, now }: ProgressOptions) {
    const clock = now ?? (() => performance.now() / 1000);
    this.options = { label, total, start, unit, intervalSeconds, stream: stream ?? process.stderr, now: clock };
    this.done = this.measuredDone = start;
    this.startedAt = this.measuredAt = clock();
    this.shownAt = this.options.stream.isTTY ? Number.NEGATIVE_INFINITY : this.startedAt;
  }

  /** Says that `done` of the total is done, with what to show beside it, such as the loss. Cheap: call it every step. */
  update(done: number, extras?: Readonly<Record<string, number | string>>): void {
    this.done = done;
    if (extras) this.extras = extras;
    const { stream, now, intervalSeconds } = this.options;
    const seconds = now();
    if (this.finished || seconds - this.shownAt < (stream.isTTY ? REDRAW_SECONDS : intervalSeconds)) return;
    this.shownAt = seconds;
    this.measureRate(seconds);
    this.draw(this.line());
  }

  /** Prints a line of its own, above the progress line. */
  message(text: string): void {
    const { stream } = this.options;
    stream.write(stream.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`);
    if (stream.isTTY && !this.finished && this.shownAt > this.startedAt) this.draw(this.line());
  }

  /** Prints the last line: how much was done, in what time, at what average rate. Later calls do nothing. */
  finish(): void {
    if (this.finished) return;
    this.finished = true;
    const { start, now, unit, stream } = this.options;
    const seconds = now() - this.startedAt;
    const rate = seconds > 0 ? ` (${formatBriefly((this.done - start) / seconds)} ${unit}/s)` : '';
    this.draw([`${this.count()} in ${formatDuration(seconds)}${rate}`, ...this.extraTexts()].join(', '));
    if (stream.isTTY) stream.write('\n');
  }

  private measureRate(seconds: number): void {
    const elapsed = seconds - this.measuredAt;
    if (!(elapsed > 0)) return;
    const decay = Math.exp(-elapsed / RATE_SECONDS);
    this.weightedRate = decay * this.weightedRate + ((1 - decay) * (this.done - this.measuredDone)) / elapsed;
    this.weight = decay * this.weight + (1 - decay);
    this.measuredAt = seconds;
    this.measuredDone = this.done;
  }

  private count(): string {
    const { label, total } = this.options;
    return `${label}: ${this.done}${total === undefined ? '' : `/${total}`}`;
  }

  private extraTexts(): string[] {
    return Object.entries(this.extras).map(([name, value]) => {
      return `${name} ${typeof value === 'number' ? formatBriefly(value) : value}`;
    });
  }

  private line(): string {
    const { total, unit } = this.options;
    const rate = this.weight > 0 ? this.weightedRate / this.weight : Number.NaN;
    const parts = [this.count()];
    if (total) parts[0] += ` (${Math.floor((100 * this.done) / total)}%)`;
    if (Number.isFinite(rate)) parts.push(`${formatBriefly(rate)} ${unit}/s`);
    if (total !== undefined && rate > 0) parts.push(`ETA ${formatDuration(Math.max(0, total - this.done) / rate)}`);
    // Last, because a narrow terminal cuts the end off.
    return [...parts, ...this.extraTexts()].join(', ');
  }

  private draw(text: string): void {
    const { stream } = this.options;
    if (!stream.isTTY) {
      stream.write(`${text}\n`);
      return;
    }
    // One column is left free: some terminals wrap when the last is filled. Zero columns means unknown.
    const width = (stream.columns || 80) - 1;
    stream.write(`\r\x1b[2K${text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text}`);
  }
}
