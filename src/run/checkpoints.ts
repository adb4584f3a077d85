/**
 * A run's checkpoints: `step-000123.safetensors` files, and the text files `latest` and `best` that name one of them.
 *
 * Whatever moment the process is killed at, `latest` names a complete checkpoint: each file appears under its name when
 * it is complete and synced, a pointer moves after that, and only then are older files removed.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf, RunError } from '../errors.ts';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { fileError, hasCode } from '../files/fileErrors.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { readSafetensors, type SafeTensors, writeSafetensors } from './safetensors.ts';

const FILE_NAME = /^step-(\d{6,})\.safetensors$/;
const KEPT = 2;

export interface Checkpoint {
  step: number;
  path: string;
  tensors: SafeTensors;
  metadata: Record<string, string>;
  /** One line for the user, where this is not the checkpoint that was meant. */
  warning?: string;
}

/** Name of the checkpoint of that step. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, '0')}.safetensors`;
}

export class CheckpointStore {
  private saving: Promise<unknown> = Promise.resolve();

  constructor(readonly folder: string) {}

  /** Steps of the checkpoints that are there, whether readable or not, ascending. */
  async steps(): Promise<number[]> {
    const names = await readdir(this.folder).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return [];
      throw fileError('read', this.folder, error);
    });
    return names
      .flatMap((name) => FILE_NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  /**
   * Saves a checkpoint, makes it the latest (and the best, where told), and removes what is no longer needed: all but
   * this one, the one before, and the best. Later steps go too: they belong to a course that this run has left by
   * resuming from an earlier one. The tensors must not change until it is done; calls are served one after the other.
   *
   * @param metadata strings to go with the tensors; `step` is added.
   * @throws RunError where it can't be written; the earlier checkpoints are then as they were.
   */
  async save(
    step: number,
    tensors: SafeTensors,
    metadata: Readonly<Record<string, string>>,
    { best = false }: { best?: boolean } = {},
  ): Promise<void> {
    const turn = this.saving.then(() => this.write(step, tensors, metadata, best));
    this.saving = turn.catch(() => undefined);
    return turn;
  }

  private async write(
    step: number,
    tensors: SafeTensors,
    metadata: Readonly<Record<string, string>>,
    best: boolean,
  ): Promise<void> {
    const name = checkpointName(step);
    try {
      await makeFolder(this.folder);
      // First, because what a killed process left may be what fills the disk.
      for (const left of await readdir(this.folder)) if (left.endsWith('.tmp')) await rm(join(this.folder, left));
      await writeSafetensors(join(this.folder, name), tensors, { ...metadata, step: String(step) });
      await writeFileAtomically(join(this.folder, 'latest'), `${name}\n`);
      if (best) await writeFileAtomically(join(this.folder, 'best'), `${name}\n`);
      await this.prune(step);
    } catch (error) {
      throw fileError('save a checkpoint in', this.folder, error);
    }
  }

  private async prune(latest: number): Promise<void> {
    const best = await this.pointer('best');
    const steps = await this.steps();
    const kept = new Set(steps.filter((step) => step <= latest).slice(-KEPT));
    for (const step of steps) {
      if (!kept.has(step) && checkpointName(step) !== best) await rm(join(this.folder, checkpointName(step)));
    }
  }

  /**
   * Reads a checkpoint. Where the latest is damaged or gone, the newest complete one is taken instead, with a warning;
   * another one that was asked for must be whole.
   *
   * @throws RunError where there is none, or none that is whole.
   */
  async load(which: 'latest' | 'best' | number): Promise<Checkpoint> {
    const steps = await this.steps();
    if (steps.length === 0) throw new RunError(`${this.folder} holds no checkpoint`);
    if (typeof which === 'number') {
      if (!steps.includes(which)) {
        throw new RunError(`${this.folder} holds no checkpoint of step ${which}; it has ${steps.join(', ')}`);
      }
      return this.read(checkpointName(which));
    }
    const name = await this.pointer(which);
    if (which === 'best') {
      if (name === undefined) throw new RunError(`${this.folder} has no best checkpoint yet; use the latest`);
      return this.read(name);
    }
    return this.latest(name, steps);
  }

  private async latest(name: string | undefined, steps: readonly number[]): Promise<Checkpoint> {
    const failures: string[] = [];
    const names = steps.map(checkpointName).reverse();
    if (name === undefined) failures.push(`${join(this.folder, 'latest')} is missing or names no checkpoint`);
    for (const candidate of name === undefined ? names : [name, ...names.filter((other) => other !== name)]) {
      try {
        const checkpoint = await this.read(candidate);
        if (failures.length === 0) return checkpoint;
        return { ...checkpoint, warning: `${failures[0]}; using ${checkpoint.path} instead` };
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    throw new RunError(`${this.folder} holds no complete checkpoint: ${failures.join('; ')}`);
  }

  private async read(name: string): Promise<Checkpoint> {
    const path = join(this.folder, name);
    const { tensors, metadata, verified } = await readSafetensors(path);
    const step = Number(FILE_NAME.exec(name)?.[1]);
    if (!verified) throw new RunError(`${path}: not a checkpoint of this program: it has no checksum`);
    if (metadata.step !== String(step))
      throw new RunError(`${path}: is of step ${metadata.step}, its name says ${step}`);
    return { step, path, tensors, metadata };
  }

  /** The file that a pointer names; undefined where there is no pointer, or nothing sensible in it. */
  private async pointer(which: 'latest' | 'best'): Promise<string | undefined> {
    const path = join(this.folder, which);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return '';
      throw fileError('read', path, error);
    });
    const name = text.trim();
    return FILE_NAME.test(name) ? basename(name) : undefined;
  }
}

/** What stands before a parameter's name in the names of a checkpoint's tensors. */
export const STORED_AS = {
  parameter: 'parameter/',
  firstMoment: 'adam.m/',
  secondMoment: 'adam.v/',
  average: 'ema/',
  /** Before a group's name: how often each row of its tables was updated, [N] int32. */
  rowUpdates: 'adam.n/',
  /** What an encoder makes of the training images: worked out of the parameters, for drawing alone. */
  encoded: 'encoded/',
} as const;

/** The parameters to draw with among a checkpoint's tensors, by name: averages, where there are any. */
export function storedParameters(tensors: SafeTensors): SafeTensors {
  const under = (prefix: string) =>
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    );
  return Object.fromEntries([...under(STORED_AS.parameter), ...under(STORED_AS.average), ...under(STORED_AS.encoded)]);
}
