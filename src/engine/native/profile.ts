/** Where the time of the native engine goes, op by op, and which ops fell back to JavaScript (CHLADNI_PROFILE_OPS=1). */

export type Implementation = 'native' | 'javascript';

export interface OpProfile {
  op: string;
  implementation: Implementation;
  calls: number;
  milliseconds: number;
}

const profiles = new Map<string, OpProfile>();

export const PROFILING = process.env.CHLADNI_PROFILE_OPS === '1';

/** Runs a native operation, timed where profiling is on. */
export function profile(op: string, work: () => void): void {
  const start = PROFILING ? performance.now() : 0;
  work();
  if (PROFILING) recordCall(op, 'native', performance.now() - start);
}

export function recordCall(op: string, implementation: Implementation, milliseconds: number): void {
  const key = `${op} ${implementation}`;
  const entry = profiles.get(key) ?? { op, implementation, calls: 0, milliseconds: 0 };
  profiles.set(key, entry);
  entry.calls++;
  entry.milliseconds += milliseconds;
}

/** What was recorded since the last `clearProfile`, the most time first. */
export function opProfile(): OpProfile[] {
  return [...profiles.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

export function clearProfile(): void {
  profiles.clear();
}

/** The profile as a table, one op a line. */
export function formatProfile(rows: readonly OpProfile[] = opProfile()): string {
  const total = rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const lines = rows.map(({ op, implementation, calls, milliseconds }) => {
    const share = ((100 * milliseconds) / total).toFixed(1).padStart(5);
    return `${milliseconds.toFixed(1).padStart(10)} ms ${share} % ${String(calls).padStart(8)} calls  ${implementation.padEnd(10)}  ${op}`;
  });
  return ['ops of the native engine, most time first:', ...lines].join('\n');
}

/** Prints the profile when the process ends. */
export function printProfileAtExit(): void {
  process.once('exit', () => process.stderr.write(`${formatProfile()}\n`));
}
