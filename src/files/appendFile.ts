import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { fileError } from './fileErrors.ts';

// Without O_APPEND, which ignores positions: they let a write after a failed one overwrite what that one left.
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT;

/**
 * A log file that only grows. Each `append` is handed to the operating system before it returns, so that killing the
 * process loses nothing of it, and is written whole or not at all: when the disk fills up in the middle, the part is
 * cut off again, and what is in the file stays readable.
 */
export class AppendFile {
  private constructor(
    readonly path: string,
    private descriptor: number | undefined,
    private length: number,
  ) {}

  /**
   * @param mustBeNew fail where the file exists, instead of appending to it.
   * @throws RunError where it can't be opened for writing.
   */
  static open(path: string, { mustBeNew = false } = {}): AppendFile {
    try {
      const descriptor = openSync(path, WRITE_FLAGS | (mustBeNew ? constants.O_EXCL : 0), 0o666);
      return new AppendFile(path, descriptor, fstatSync(descriptor).size);
    } catch (error) {
      throw fileError('write', path, error);
    }
  }

  /** @throws RunError where nothing more can be written; the file is then as it was before. */
  append(bytes: Uint8Array): void {
    const descriptor = this.requireOpen();
    try {
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(descriptor, bytes, written, bytes.length - written, this.length + written);
      }
    } catch (error) {
      try {
        ftruncateSync(descriptor, this.length);
      } catch {
        // Readers of both our log formats ignore an incomplete last record anyway.
      }
      throw fileError('write', this.path, error);
    }
    this.length += bytes.length;
  }

  /** Syncs the file to the disk, against a power cut, and closes it. A second call does nothing. */
  close(): void {
    if (this.descriptor === undefined) return;
    const descriptor = this.descriptor;
    this.descriptor = undefined;
    try {
      fsyncSync(descriptor);
    } catch (error) {
      throw fileError('write', this.path, error);
    } finally {
      closeSync(descriptor);
    }
  }

  private requireOpen(): number {
    if (this.descriptor === undefined) throw new Error(`${this.path} is closed`);
    return this.descriptor;
  }
}
