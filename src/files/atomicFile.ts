import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Temporary files being written. */
const unfinished = new Set<string>();

/** Removes what unfinished writes have left, at once: for a program that is about to be ended. */
export function removeTemporaryFiles(): void {
  for (const path of unfinished) rmSync(path, { force: true });
}

/**
 * Writes a file so that a reader sees the old content or the new, never a part: into a temporary file beside it,
 * synced, then renamed. On failure (a full disk, say) the temporary file is removed and the old one left as it was.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | ((file: FileHandle) => Promise<void>),
): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  unfinished.add(temporary);
  try {
    const file = await open(temporary, 'wx');
    try {
      if (typeof content === 'function') await content(file);
      else await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    unfinished.delete(temporary);
  }
  // The rename itself must survive a power cut too. Not every platform lets a folder be synced.
  const folder = await open(dirname(path), 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
