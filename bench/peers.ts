/** Runs the peers' scripts, where their Python packages are installed. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { messageOf } from '../src/errors.ts';

const run = promisify(execFile);

/** Milliseconds; render is absent where the peer doesn't draw. */
export interface PeerResult {
  version: string;
  step: number;
  render?: number;
  threads?: number;
}

export type Peer = PeerResult | { absent: string };

/** PyTorch eager (Debian: apt-get install python3-torch libopenblas0-pthread), under CHLADNI_BENCH_PYTHON or python3. */
export function runPytorch(steps: number, renderSize: number, threads: number): Promise<Peer> {
  const python = process.env.CHLADNI_BENCH_PYTHON ?? '/usr/bin/python3';
  return runPeer(python, 'pytorch.py', [steps, renderSize, threads]);
}

/** JAX, compiled (pip install jax), under CHLADNI_BENCH_JAX_PYTHON or python3. */
export function runJax(steps: number): Promise<Peer> {
  return runPeer(process.env.CHLADNI_BENCH_JAX_PYTHON ?? 'python3', 'jax_step.py', [steps]);
}

/** TensorFlow.js's own wasm backend. */
export function runTfjsWasm(steps: number): Promise<Peer> {
  return runPeer(process.execPath, 'tfjsWasm.ts', [steps], ['--import', 'tsx']);
}

async function runPeer(
  program: string,
  script: string,
  args: readonly number[],
  flags: readonly string[] = [],
): Promise<Peer> {
  const path = fileURLToPath(new URL(`peers/${script}`, import.meta.url));
  try {
    const { stdout } = await run(program, [...flags, path, ...args.map(String)], { timeout: 300_000 });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as PeerResult;
  } catch (error) {
    const lines = messageOf(error).trim().split('\n');
    const reason = lines.findLast((line) => /Error|not found|ENOENT/.test(line)) ?? lines[0];
    return { absent: `${script} does not run under ${program}: ${reason}` };
  }
}
