/**
 * `metrics.jsonl`: one line `{"step":…,"wallSeconds":…,"name":value,…}` per logged step. JSON has no NaN and no
 * infinities: they are written as the strings "NaN", "Infinity" and "-Infinity".
 */
import { readFile } from 'node:fs/promises';
import { RunError } from '../errors.ts';
import { AppendFile } from '../files/appendFile.ts';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { fileError, hasCode } from '../files/fileErrors.ts';

export interface MetricsEntry {
  step: number;
  /** Seconds of training so far, over all sessions of the run. */
  wallSeconds: number;
  [name: string]: number;
}

const NON_FINITE = ['NaN', 'Infinity', '-Infinity'];

function formatEntry(entry: MetricsEntry): string {
  const { step, wallSeconds, ...values } = entry;
  // As the strings from which Number() makes the values again.
  return `${JSON.stringify({ step, wallSeconds, ...values }, (_, v) => (Number.isFinite(v) || typeof v !== 'number' ? v : String(v)))}\n`;
}

function parseEntry(line: string, origin: string): MetricsEntry {
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    const values = Object.entries(entry).map(([name, value]): [string, number] => {
      if (typeof value !== 'number' && !NON_FINITE.includes(value as string)) throw new TypeError(name);
      return [name, Number(value)];
    });
    const result = Object.fromEntries(values) as MetricsEntry;
    if (Number.isInteger(result.step) && typeof result.wallSeconds === 'number') return result;
  } catch {
    // Falls through: not JSON, or not numbers.
  }
  throw new RunError(`${origin}: not a line of metrics ({"step":…,"wallSeconds":…,…}); remove it`);
}

/** The file's complete lines with their entries, and how many bytes an incomplete last line has. */
async function readLines(path: string): Promise<{ lines: string[]; entries: MetricsEntry[]; restBytes: number }> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fileError('read', path, error);
  });
  const lines = text.split('\n');
  const rest = lines.pop()!;
  const entries = lines.map((line, i) => parseEntry(line, `${path}:${i + 1}`));
  return { lines, entries, restBytes: Buffer.byteLength(rest) };
}

/**
 * The entries of a metrics file, in order. A last line without its end, which a crash can leave, is ignored.
 *
 * @throws RunError where the file can't be read, or naming the line that is no entry.
 */
export async function readMetrics(path: string): Promise<MetricsEntry[]> {
  return (await readLines(path)).entries;
}

/** Appends to a metrics file; every entry is with the operating system when `append` returns. */
export class MetricsLog {
  private constructor(private readonly file: AppendFile) {}

  /**
   * Opens a file, new or not. An incomplete last line is removed, and so are entries of steps after `resumeAtStep`,
   * the step of the checkpoint a run resumes from.
   */
  static async open(path: string, { resumeAtStep = Infinity }: { resumeAtStep?: number } = {}): Promise<MetricsLog> {
    try {
      const { lines, entries, restBytes } = await readLines(path);
      const kept = lines.filter((_, i) => entries[i].step <= resumeAtStep);
      if (kept.length < lines.length || restBytes > 0) {
        await writeFileAtomically(path, kept.map((line) => `${line}\n`).join(''));
      }
    } catch (error) {
      if (!hasCode(error instanceof Error ? error.cause : undefined, 'ENOENT')) throw fileError('write', path, error);
    }
    return new MetricsLog(AppendFile.open(path));
  }

  append(entry: MetricsEntry): void {
    this.file.append(Buffer.from(formatEntry(entry)));
  }

  /** Syncs to the disk and closes. */
  close(): void {
    this.file.close();
  }
}
