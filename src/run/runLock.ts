/**
 * Keeps two processes from training in one folder: a file `lock` that says who does. A lock is stale, and taken over,
 * when its process is gone (on this machine) or has not renewed it for a while (on another, which shares the folder).
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { RunError } from '../errors.ts';
import { fileError, hasCode } from '../files/fileErrors.ts';

interface Holder {
  pid: number;
  host: string;
  /** Tells this process from another that got the same number, in a restarted container say; "" where unknown. */
  processStart: string;
  token: string;
}

const RENEW_SECONDS = 20;
const STALE_SECONDS = 180;
/** A lock without content is being written, or was left by a process that died in between. */
const WRITING_SECONDS = 5;

/** When that process started, as Linux counts (field 22 of /proc/PID/stat, and which boot); "" elsewhere. */
function processStart(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`;
  } catch {
    return '';
  }
}

function isRunning({ pid, processStart: start }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
  }
  return start === '' || start === processStart(pid);
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    return Number.isInteger(holder.pid) && typeof holder.token === 'string' ? holder : undefined;
  } catch {
    return undefined;
  }
}

export class RunLock {
  private readonly renewal: NodeJS.Timeout;

  private constructor(
    private readonly path: string,
    private readonly token: string,
  ) {
    this.renewal = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => undefined);
    }, RENEW_SECONDS * 1000);
    this.renewal.unref();
  }

  /** @throws RunError naming the process that holds the folder, or where the folder can't be written. */
  static async acquire(folder: string): Promise<RunLock> {
    const path = join(folder, 'lock');
    const pid = process.pid;
    const holder: Holder = { pid, host: hostname(), processStart: processStart(pid), token: randomUUID() };
    try {
      // Once more after removing a stale lock; whoever loses that race finds a fresh one.
      for (let attempt = 0; attempt < 3; attempt++) {
        if (await create(path, JSON.stringify(holder))) return new RunLock(path, holder.token);
        await removeStale(path, folder);
      }
    } catch (error) {
      throw fileError('write', path, error);
    }
    throw new RunError(`${folder} is wanted by several processes at once; choose another folder with --run`);
  }

  /** Unlocks the folder. A second call does nothing. */
  async release(): Promise<void> {
    clearInterval(this.renewal);
    const text = await readFile(this.path, 'utf8').catch(() => '');
    if (parseHolder(text)?.token === this.token) await rm(this.path, { force: true });
  }
}

/** Whether this call made the file; false where there is one. */
async function create(path: string, content: string): Promise<boolean> {
  const file = await open(path, 'wx').catch((error: unknown) => {
    if (hasCode(error, 'EEXIST')) return undefined;
    throw error;
  });
  if (!file) return false;
  try {
    await file.writeFile(content);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return true;
}

/** Removes the lock if it is stale; throws if it isn't. */
async function removeStale(path: string, folder: string): Promise<void> {
  let text: string;
  let age: number;
  try {
    text = await readFile(path, 'utf8');
    age = (Date.now() - (await stat(path)).mtimeMs) / 1000;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  const holder = parseHolder(text);
  const local = holder?.host === hostname();
  const held = holder === undefined ? age < WRITING_SECONDS : local ? isRunning(holder) : age < STALE_SECONDS;
  if (held) {
    const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
    throw new RunError(`${folder} is in use by ${who}; wait until it is done, or choose another folder with --run`);
  }
  // Renaming, unlike removing, tells which lock was taken away: it must not be one that was created since.
  const taken = `${path}.${randomUUID()}.tmp`;
  try {
    await rename(path, taken);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readFile(taken, 'utf8')) !== text) await link(taken, path).catch(() => undefined);
  await rm(taken, { force: true });
}
