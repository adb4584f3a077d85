/** What the parts of the webgpu bench share: the device, where figures go, and what becomes of a part that fails. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEngine } from '../../src/engine/engine.ts';
import { describeGpu } from '../../src/engine/webgpu/device.ts';
import { webgpuDevice } from '../../src/engine/webgpu/webgpu.ts';
import { messageOf } from '../../src/errors.ts';
import { writeFileAtomically } from '../../src/files/atomicFile.ts';
import { makeFolder } from '../../src/files/makeFolder.ts';
import type { BenchOptions } from '../options.ts';
import { BenchTable } from '../table.ts';
import { Gpu } from './gpu.ts';

export class BenchSession {
  readonly table = new BenchTable();
  /** Whether every part ran. */
  complete = true;
  private readonly started = performance.now();

  private constructor(
    readonly gpu: Gpu,
    readonly options: BenchOptions,
  ) {}

  /** @throws UsageError where there is no GPU, nor anything that plays one. */
  static async start(options: BenchOptions): Promise<BenchSession> {
    await startEngine('webgpu');
    return new BenchSession(new Gpu(webgpuDevice(), await describeGpu()), options);
  }

  /** A choice of sizes: for a GPU, or such that a software adapter is done in a minute. */
  size<T>(gpu: T, software: T): T {
    return this.gpu.isSoftware ? software : gpu;
  }

  /**
   * A part of the bench. Where it fails its reason stands in the figures, and the other parts go on; what was found so far
   * is saved after each, as a GPU may be lent for a short while.
   */
  async part(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.complete = false;
      this.table.figures[`${name}_reason_webgpu`] = messageOf(error).trim().split('\n')[0];
    }
    const seconds = ((performance.now() - this.started) / 1000).toFixed(0);
    console.error(`${name}: ${this.table.figures[`${name}_reason_webgpu`] ?? 'done'} (after ${seconds} s)`);
    await this.save(
      'latest-webgpu.json',
      `${JSON.stringify({ machine: this.machine, ...this.table.figures }, null, 2)}\n`,
    );
  }

  get machine() {
    return {
      gpu: this.gpu.adapter.name,
      software: this.gpu.isSoftware,
      timedBy: this.gpu.hasTimestamps ? 'GPU timestamps' : 'wall clock',
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
    };
  }

  /** Whether figures are kept: not those of a software adapter or of a quick look, unless asked for. */
  get saves(): boolean {
    const { quick, force, out } = this.options;
    return force || out !== undefined || !(quick || this.gpu.isSoftware);
  }

  async save(name: string, content: string): Promise<void> {
    const folder = this.options.out ?? join(dirname(fileURLToPath(import.meta.url)), '..');
    if (!this.saves) return;
    await makeFolder(folder);
    await writeFileAtomically(join(folder, name), content);
  }
}
