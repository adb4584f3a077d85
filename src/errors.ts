/** The command was given something it can't use: one line, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The work was well specified and failed: one line, exit code 1. */
export class RunError extends Error {
  override name = 'RunError';
}

/** The user stopped the command, and what had to be saved is saved: one line, exit code 130. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
