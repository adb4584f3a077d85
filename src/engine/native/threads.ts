/** How many threads to compute with. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../errors.ts';

/**
 * CHLADNI_THREADS where it is set; otherwise the cores this process may run on, but no more than its control group's
 * CPU quota pays for: a container with a quota of 2 CPUs on a machine of 64 is only slowed down by 64 threads.
 *
 * @throws UsageError where CHLADNI_THREADS is not a positive integer.
 */
export function threadCount(environment: NodeJS.ProcessEnv = process.env): number {
  const asked = environment.CHLADNI_THREADS;
  if (asked !== undefined && asked !== '') {
    const count = Number(asked);
    if (!Number.isInteger(count) || count < 1 || count > 1024) {
      throw new UsageError(`--threads (CHLADNI_THREADS) must be an integer from 1 to 1024, got "${asked}"`);
    }
    return count;
  }
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(cgroupQuota('/sys/fs/cgroup', readCgroupPath()))));
}

/** The path of this process in the unified hierarchy, or '/' where it can't be told. */
function readCgroupPath(): string {
  try {
    const line = readFileSync('/proc/self/cgroup', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith('0::'));
    return line?.slice(3) ?? '/';
  } catch {
    return '/';
  }
}

/**
 * CPUs that control groups grant: the smallest quota from the process's group up to the root (version 2, `cpu.max`), or
 * version 1's `cpu.cfs_quota_us`; Infinity where there is none.
 */
export function cgroupQuota(root: string, path: string): number {
  let quota = Infinity;
  const parts = path.split('/').filter(Boolean);
  for (let depth = parts.length; depth >= 0; depth--) {
    const [limit, period] = readNumbers(join(root, ...parts.slice(0, depth), 'cpu.max'));
    if (limit > 0 && period > 0) quota = Math.min(quota, limit / period);
  }
  const [limit] = readNumbers(join(root, 'cpu', 'cpu.cfs_quota_us'));
  const [period] = readNumbers(join(root, 'cpu', 'cpu.cfs_period_us'));
  if (limit > 0 && period > 0) quota = Math.min(quota, limit / period);
  return quota;
}

function readNumbers(file: string): number[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8').trim().split(/\s+/).map(Number); // "max" is NaN: no limit
}
