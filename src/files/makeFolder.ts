import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { RunError } from '../errors.ts';
import { hasCode } from './fileErrors.ts';

/**
 * Makes a folder and those above it that are missing. Unlike Node's recursive `mkdir`, which tries for ever where a
 * folder exists but nothing can be made in it (/proc), this makes each folder once.
 *
 * @throws RunError there; otherwise the system's error.
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = resolve(path); !(await isFolder(at)); at = dirname(at)) missing.push(at);
  for (const folder of missing.reverse()) {
    await mkdir(folder).catch(async (error: unknown) => {
      // The system's word for "not here": the folder above is there.
      if (hasCode(error, 'ENOENT'))
        throw new RunError(`cannot make ${folder}: ${dirname(folder)} holds no new folders`);
      // Another process may have made it since.
      if (!(hasCode(error, 'EEXIST') && (await isFolder(folder)))) throw error;
    });
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
