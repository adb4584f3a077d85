import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseExperiment } from '../config/load.ts';
import type { Experiment } from '../config/schema.ts';
import { UsageError } from '../errors.ts';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { fileError, hasCode } from '../files/fileErrors.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { describeEnvironment, type Environment } from './environment.ts';
import { RunLock } from './runLock.ts';

const EVENT_FILE = /^events\.out\.tfevents\./;

/**
 * The folder of one run:
 *
 *     config.yaml (resolved) · env.json · metrics.jsonl · events.out.tfevents.* · checkpoints/ · priors/ · samples/ · eval/ · report.html
 */
export class RunFolder {
  private constructor(
    readonly path: string,
    private readonly runLock?: RunLock,
  ) {}

  get config(): string {
    return join(this.path, 'config.yaml');
  }
  get environment(): string {
    return join(this.path, 'env.json');
  }
  get metrics(): string {
    return join(this.path, 'metrics.jsonl');
  }
  get checkpoints(): string {
    return join(this.path, 'checkpoints');
  }
  get priors(): string {
    return join(this.path, 'priors');
  }
  get samples(): string {
    return join(this.path, 'samples');
  }
  get evaluation(): string {
    return join(this.path, 'eval');
  }
  get report(): string {
    return join(this.path, 'report.html');
  }

  /**
   * Makes the folder ready to train in and locks it: `close` it when done.
   *
   * @param options.resume continue the run that the folder holds; a folder without one starts a new run.
   * @param options.overwrite remove the run that the folder holds. Files that aren't a run's stay.
   * @throws UsageError where the folder holds a run and neither was asked for; RunError where it can't be written or
   *   another process trains in it.
   */
  static async create(
    path: string,
    { resume, overwrite = false }: { resume: boolean; overwrite?: boolean },
  ): Promise<RunFolder> {
    let lock: RunLock | undefined;
    try {
      await makeFolder(path);
      lock = await RunLock.acquire(path);
      const folder = new RunFolder(path, lock);
      RunFolder.requireFree(path, { resume, overwrite });
      if (!resume && folder.holdsRun()) await folder.clear();
      for (const part of [folder.checkpoints, folder.samples, folder.evaluation]) await makeFolder(part);
      return folder;
    } catch (error) {
      await lock?.release();
      throw fileError('create the run folder', path, error);
    }
  }

  /**
   * Refuses a folder that holds a run which is neither to be continued nor removed.
   *
   * @throws UsageError saying what to do.
   */
  static requireFree(path: string, { resume, overwrite = false }: { resume: boolean; overwrite?: boolean }): void {
    if (resume || overwrite || !new RunFolder(path).holdsRun()) return;
    throw new UsageError(
      `${path} already holds a run; continue it with --resume, remove it with --overwrite, or choose another folder with --run`,
    );
  }

  /**
   * Opens the folder of a run for reading, whether or not it is being trained.
   *
   * @throws UsageError saying what is missing.
   */
  static async open(path: string): Promise<RunFolder> {
    const folder = new RunFolder(path);
    const found = await stat(path).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
      throw fileError('read', path, error);
    });
    if (!found) throw new UsageError(`run folder ${path} does not exist`);
    if (!found.isDirectory()) throw new UsageError(`${path} is a file, not a run folder`);
    if (!existsSync(folder.config)) throw new UsageError(`${path} is not a run folder: it has no config.yaml`);
    return folder;
  }

  /** Whether there is anything of a run that a new one would mix with. */
  holdsRun(): boolean {
    const traces = [this.config, this.metrics, join(this.checkpoints, 'latest')];
    return traces.some((trace) => existsSync(trace));
  }

  /** @param text the resolved config, as YAML. */
  async writeConfig(text: string): Promise<void> {
    await this.write(this.config, text);
  }

  /**
   * The experiment in config.yaml.
   *
   * @throws UsageError where it isn't a valid config, RunError where it can't be read.
   */
  async readExperiment(): Promise<Experiment> {
    const text = await readFile(this.config, 'utf8').catch((error: unknown) => {
      throw fileError('read', this.config, error);
    });
    return parseExperiment(text, this.config);
  }

  /** What env.json says; undefined where it is missing or damaged: it is only a record. */
  async readEnvironment(): Promise<(Environment & { earlierSessions?: Environment[] }) | undefined> {
    try {
      return JSON.parse(await readFile(this.environment, 'utf8'));
    } catch {
      return undefined;
    }
  }

  /** Writes env.json: this session's environment, and under `earlierSessions` those of a run that was resumed. */
  async writeEnvironment(engine: string): Promise<Environment> {
    const { earlierSessions = [], ...previous } = (await this.readEnvironment()) ?? {};
    const environment = await describeEnvironment(engine);
    const sessions = 'startedAt' in previous ? [...earlierSessions, previous] : earlierSessions;
    await this.write(this.environment, `${JSON.stringify({ ...environment, earlierSessions: sessions }, null, 2)}\n`);
    return environment;
  }

  /** Unlocks the folder. */
  async close(): Promise<void> {
    await this.runLock?.release();
  }

  private async clear(): Promise<void> {
    const events = (await readdir(this.path))
      .filter((name) => EVENT_FILE.test(name))
      .map((name) => join(this.path, name));
    const files = [this.config, this.environment, this.metrics, this.report];
    const folders = [this.checkpoints, this.priors, this.samples, this.evaluation];
    for (const part of [...folders, ...files, ...events]) await rm(part, { recursive: true, force: true });
  }

  private async write(path: string, text: string): Promise<void> {
    await writeFileAtomically(path, text).catch((error: unknown) => {
      throw fileError('write', path, error);
    });
  }
}
