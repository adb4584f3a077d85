import { spawnSync } from 'node:child_process';

/** Runs a program to its end, its output shown; throws where it fails. */
export function run(program, args, options = {}) {
  console.log(`\n$ ${[program, ...args].map((word) => (/\s/.test(word) ? '…' : word)).join(' ')}`);
  const { status, error } = spawnSync(program, args, { stdio: 'inherit', ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ended with code ${status}`);
}
