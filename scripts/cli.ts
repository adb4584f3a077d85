/** What every command shares: parsing, one-line errors, exit codes 0 (done), 1 (failed), 2 (usage), 130 (interrupted). */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import yargs, { type Argv, type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { commandLine } from '../src/commandLine.ts';
import { pluginOfError } from '../src/config/plugins.ts';
import { startEngine } from '../src/engine/engine.ts';
import { Interrupted, messageOf, RunError, UsageError } from '../src/errors.ts';
import { removeTemporaryFiles } from '../src/files/atomicFile.ts';
import { disposeModel, type OpenedModel, openModel } from '../src/run/openModel.ts';
import { RunFolder } from '../src/run/runFolder.ts';

/** Options of commands that open what a run trained; see `withModel`. */
export const RUN_OPTION = { type: 'string', demandOption: true, describe: 'run folder', requiresArg: true } as const;
export const CHECKPOINT_OPTION = { type: 'string', default: 'latest', describe: 'latest, best or a step' } as const;
export const ENGINE_OF_RUN_OPTION = {
  type: 'string',
  describe: "which engine computes (default: the run's)",
  requiresArg: true,
} as const;

/** A command: its options, and what it does with them. */
export interface Command {
  command: string | string[];
  describe: string;
  builder?: (yargs: Argv) => Argv;
  // biome-ignore lint/suspicious/noExplicitAny: yargs checks at run time what `builder` declares
  handler: (args: any) => Promise<void>;
  /** Commands under this one: `evaluate noise` beside `evaluate`. */
  subcommands?: readonly Command[];
}

/** Parses the process's arguments with these commands and runs the one they name. Sets the exit code. */
export async function runCommands(scriptName: string, commands: readonly Command[]): Promise<never> {
  const parser = yargs(hideBin(process.argv))
    .scriptName(scriptName)
    .usage('$0 [options]')
    .strict()
    .recommendCommands()
    .help()
    .version(false)
    .option('threads', {
      type: 'number',
      describe: 'threads of the native and tensorflow engines (default: every core this process may use)',
      requiresArg: true,
      global: true,
    })
    .middleware((args) => {
      // Read when the engine starts; NaN is refused there.
      if (args.threads !== undefined) process.env.CHLADNI_THREADS = String(args.threads);
    })
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false)
    .fail((message, error) => {
      // YError: what yargs itself finds wrong, such as a value left out.
      throw error && error.name !== 'YError' ? error : new UsageError(`${message ?? error?.message}; see --help`);
    });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (onInterrupt ?? endAtOnce)());
  parser.middleware(() => {
    // yargs makes a list of an option given twice, or 2 of `--seed 1 --seed 1`: the words themselves are looked at.
    const options = parser as unknown as { getOptions(): { array: string[]; number: string[] } };
    const { array, number } = options.getOptions();
    const words = hideBin(process.argv);
    const toKebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const given = words.flatMap((word) => /^--([^=]+)/.exec(word)?.[1] ?? []).map(toKebab);
    const twice = given.find((name, i) => given.indexOf(name) < i && !array.includes(name));
    if (twice) throw new UsageError(`--${twice} is given twice`);
    const bare = number.find((name) =>
      words.some((word, i) => word === `--${name}` && /^(--|$)/.test(words[i + 1] ?? '')),
    );
    if (bare) throw new UsageError(`--${bare}: expected a number`);
  });
  for (const command of commands) parser.command(withSubcommands(command) as CommandModule);
  if (commands.length > 1 && commands[0].command[0] !== '$0') parser.demandCommand(1, 'name a command');
  try {
    await parser.parseAsync();
    return process.exit(0);
  } catch (error) {
    return process.exit(reportError(error));
  }
}

function withSubcommands({ subcommands = [], builder, ...command }: Command): Command {
  const build = (yargs: Argv) => {
    for (const subcommand of subcommands) yargs.command(subcommand as CommandModule);
    return builder ? builder(yargs) : yargs;
  };
  return { ...command, builder: build };
}

/** Runs `command` if its file is the program being run (and not imported by `chladni`). */
export async function runAsProgram(moduleUrl: string, name: string, command: Command): Promise<void> {
  const program = process.argv[1];
  if (program === undefined || realpathSync(program) !== fileURLToPath(moduleUrl)) return;
  await runCommands(commandLine(name), [
    { ...command, command: ['$0'], subcommands: [] },
    ...(command.subcommands ?? []),
  ]);
}

/** Prints an error as the user should see it; returns the exit code. */
function reportError(error: unknown): number {
  if (error instanceof Interrupted) {
    console.error(error.message);
    return 130;
  }
  if (error instanceof UsageError) {
    console.error(error.message);
    return 2;
  }
  if (error instanceof RunError) {
    console.error(error.message);
    return 1;
  }
  const plugin = pluginOfError(error);
  if (plugin) {
    const line = (error as Error).stack?.split('\n').find((one) => one.includes(plugin));
    console.error(`plugin ${plugin} fails: ${messageOf(error)} (${line?.trim() ?? 'CHLADNI_DEBUG=1 shows where'})`);
    return 1;
  }
  console.error(`unexpected failure: ${messageOf(error)}`);
  if (process.env.CHLADNI_DEBUG && error instanceof Error) console.error(error.stack);
  else console.error('run again with CHLADNI_DEBUG=1 for the stack, and please report it');
  return 1;
}

/** What the next Ctrl-C (or SIGTERM) does; by default the program ends, leaving nothing half-written. */
let onInterrupt: (() => void) | undefined;

function endAtOnce(): never {
  removeTemporaryFiles();
  return process.exit(130);
}

/** Runs `work` with a signal that the first Ctrl-C (or SIGTERM) aborts; the second ends the program at once. */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  onInterrupt = () => {
    onInterrupt = undefined;
    console.error('\nstopping; Ctrl-C again to stop at once');
    controller.abort();
  };
  try {
    return await work(controller.signal);
  } finally {
    onInterrupt = undefined;
  }
}

/** Starts the engine that is asked for, else the run's own, else whichever works here. */
export async function startEngineForRun(run: RunFolder, asked?: string): Promise<void> {
  if (asked !== undefined) {
    await startEngine(asked);
    return;
  }
  const { engine } = await run.readExperiment();
  try {
    await startEngine(engine);
  } catch (error) {
    const other = await startEngine('auto');
    console.error(`${messageOf(error)}; using ${other.name} instead`);
  }
}

/**
 * Opens the checkpoint that the options of a command name, on the engine that they or the run name, for as long as `work`
 * lasts.
 */
export async function withModel(
  options: { run: string; checkpoint: string; engine?: string },
  work: (model: OpenedModel, run: RunFolder) => Promise<void>,
): Promise<void> {
  const run = await RunFolder.open(options.run);
  await startEngineForRun(run, options.engine);
  const model = await openModel(run, checkpointOption(options.checkpoint));
  try {
    if (model.warning) console.error(model.warning);
    await work(model, run);
  } finally {
    disposeModel(model);
  }
}

/** `latest`, `best` or a step. */
function checkpointOption(text: string): 'latest' | 'best' | number {
  if (text === 'latest' || text === 'best') return text;
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`--checkpoint ${text}: expected latest, best or the number of a step`);
}

/** @throws UsageError where an option is not a whole number of at least `least`, which is 0 or 1. */
export function requireWhole(name: string, value: number, least: 0 | 1): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new UsageError(`--${name}: expected a whole number${least === 0 ? ', 0 or more' : ' above 0'}`);
}
