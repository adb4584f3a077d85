import { messageOf, RunError } from '../errors.ts';

const REASONS: Record<string, string> = {
  ENOSPC: 'the disk is full; free some space or use another folder',
  EDQUOT: 'the disk quota is used up; free some space or use another folder',
  EFBIG: 'the file would be larger than the system allows; raise the limit or use another folder',
  EROFS: 'the file system is read-only; use another folder',
  EACCES: 'permission denied; change its permissions or use another folder',
  EPERM: 'permission denied; change its permissions or use another folder',
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'something of that name is in the way',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many files are open',
  EIO: 'the disk reports an input/output error',
};

/** Whether `error` is the system's error of that code, such as ENOENT. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

/**
 * What a failed file operation tells the user, in one line: `cannot ACTION PATH: REASON`.
 * An error that is not the system's (it speaks to the user already, or is a fault of the program) stays as it is.
 */
export function fileError(action: string, path: string, error: unknown): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined) return error;
  const reason = REASONS[code] || messageOf(error).split('\n')[0];
  return new RunError(`cannot ${action} ${path}: ${reason}`, { cause: error });
}
