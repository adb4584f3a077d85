/** PyTorch on the same GPU, as a process that measures when it is asked to (bench/peers/pytorch_gpu.py). */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../src/errors.ts';
import { relativeError } from '../measure.ts';

export const MODES = ['eager', 'compile', 'graph', 'compile_graph'] as const;
export const PRECISIONS = ['f32', 'tf32', 'bf16'] as const;

export type Absent = { absent: string };
export interface PeerStep {
  /** Of a step, for each block of steps. */
  milliseconds: number[];
  /** Of the first steps. */
  losses: number[];
  oneProduct: boolean;
}

export interface PeerFigures {
  version: string;
  device: string;
  /** By the model's name, then by mode and precision: `compile_tf32`. */
  steps: Record<string, Record<string, PeerStep | Absent>>;
  /** By precision. */
  render: Record<string, { milliseconds: number[] } | Absent>;
}

export interface PeerOptions {
  /** Files of models by name (`StepWork.save`). */
  models: Record<string, string>;
  /** Side of the image to draw; 0 for none. */
  renderSize: number;
  /** After which no further mode is built. */
  seconds: number;
  allowCpu: boolean;
}

export class PytorchPeer {
  private constructor(
    private readonly child: ChildProcessByStdio<Writable, Readable, Readable>,
    private readonly lines: Interface,
    private readonly mostSeconds: number,
  ) {}

  /** Starts PyTorch under CHLADNI_BENCH_PYTHON or python3, and its first measurement with it. */
  static async start(options: PeerOptions): Promise<{ peer: PytorchPeer; figures: PeerFigures } | Absent> {
    const script = fileURLToPath(new URL('../peers/pytorch_gpu.py', import.meta.url));
    const models = Object.entries(options.models).flatMap(([name, file]) => ['--model', `${name}=${file}`]);
    const flags = ['--render', String(options.renderSize), '--seconds', String(options.seconds)];
    const args = [script, ...models, ...flags, ...(options.allowCpu ? ['--allow-cpu'] : [])];
    const child = spawn(process.env.CHLADNI_BENCH_PYTHON ?? 'python3', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const peer = new PytorchPeer(child, createInterface({ input: child.stdout }), options.seconds + 180);
    try {
      return { peer, figures: await peer.next() };
    } catch (error) {
      return { absent: messageOf(error) };
    }
  }

  /** Measures once more. */
  again(): Promise<PeerFigures> {
    this.child.stdin.once('error', () => {}); // a process that has ended: `next` says so
    this.child.stdin.write('again\n');
    return this.next();
  }

  /** Ends the process. */
  close(): void {
    this.child.stdin.end();
  }

  private next(): Promise<PeerFigures> {
    return new Promise((resolve, reject) => {
      let said = '';
      const fail = (reason: string) => {
        clearTimeout(late);
        reject(new Error(`pytorch_gpu.py does not run: ${reason}`));
      };
      const late = setTimeout(() => {
        this.child.kill();
        fail(`it took more than ${this.mostSeconds} s`);
      }, 1000 * this.mostSeconds);
      this.child.stderr.on('data', (data) => {
        said = (said + data).slice(-4000);
      });
      this.child.once('error', (error) => fail(messageOf(error)));
      this.child.once('close', (code) => {
        const reason = said
          .trim()
          .split('\n')
          .findLast((line) => /Error/.test(line));
        fail(reason ?? `it ended with code ${code}`);
      });
      this.lines.once('line', (line) => {
        clearTimeout(late);
        try {
          resolve(JSON.parse(line) as PeerFigures);
        } catch {
          fail(`it said "${line.slice(0, 100)}"`);
        }
      });
    });
  }
}

/** How far the losses of the first steps may lie apart, relative to the largest. */
const BOUNDS: Record<string, number> = { f32: 1e-4, tf32: 5e-3, bf16: 2e-2 };

/**
 * The peer's time of a step over all measurements, or why there is none: a peer whose losses are not ours trains something
 * else, and does not count.
 */
export function peerMilliseconds(
  rounds: readonly PeerFigures[],
  model: string,
  mode: string,
  ourLosses: readonly number[],
): number[] | Absent {
  const times: number[] = [];
  for (const { steps } of rounds) {
    const step = steps[model]?.[mode] ?? { absent: 'it was not measured' };
    if ('absent' in step) return step;
    const error = relativeError(step.losses, ourLosses);
    const bound = BOUNDS[mode.slice(mode.lastIndexOf('_') + 1)];
    if (!(error <= bound)) return { absent: `its losses differ from ours by ${error.toExponential(1)} of the largest` };
    times.push(...step.milliseconds);
  }
  return times;
}
