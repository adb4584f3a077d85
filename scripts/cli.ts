/** What every command shares: parsing, one-line errors, exit codes 0 (done), 1 (failed), 2 (usage), 130 (interrupted). */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import yargs, { type Argv, type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { messageOf, RunError, UsageError } from '../src/errors.ts';
import type { ScaleEvaluation } from '../src/train/evaluateRun.ts';

/** Ctrl-C, once: the command finishes what it must save and throws this. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/** A command: its options, and what it does with them. */
export interface Command {
  command: string | string[];
  describe: string;
  builder?: (yargs: Argv) => Argv;
  // biome-ignore lint/suspicious/noExplicitAny: yargs checks at run time what `builder` declares
  handler: (args: any) => Promise<void>;
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
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError(`${message}; see --help`);
    });
  for (const command of commands) parser.command(command as CommandModule);
  if (commands.length > 1) parser.demandCommand(1, 'name a command');
  try {
    await parser.parseAsync();
    return process.exit(0);
  } catch (error) {
    return process.exit(report(error));
  }
}

/** Runs `command` if its file is the program being run (and not imported by `chladni`). */
export async function runAsProgram(moduleUrl: string, name: string, command: Command): Promise<void> {
  const program = process.argv[1];
  if (program === undefined || realpathSync(program) !== fileURLToPath(moduleUrl)) return;
  await runCommands(`npm run ${name} --`, [{ ...command, command: ['$0'] }]);
}

/** Prints an error as the user should see it; returns the exit code. */
function report(error: unknown): number {
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
  console.error(`unexpected failure: ${messageOf(error)}`);
  if (process.env.CHLADNI_DEBUG && error instanceof Error) console.error(error.stack);
  else console.error('run again with CHLADNI_DEBUG=1 for the stack, and please report it');
  return 1;
}

/** Aborts at the first Ctrl-C (or SIGTERM); the second ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    console.error('\nstopping after this step, with a checkpoint; Ctrl-C again to stop at once');
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return controller.signal;
}

/** `latest`, `best` or a step. */
export function checkpointOption(text: string): 'latest' | 'best' | number {
  if (text === 'latest' || text === 'best') return text;
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`--checkpoint ${text}: expected latest, best or the number of a step`);
}

/** Prints evaluations as tables: one row per band, in cycles per image. */
export function printEvaluations(evaluations: readonly ScaleEvaluation[]): void {
  for (const { scale, name, result } of evaluations) {
    const { metrics, bands = [] } = result;
    console.log(`${scale}x (${metrics[`${name}_images`]} images): PSNR ${metrics[`${name}_psnr_db`].toFixed(2)} dB`);
    console.log('  cycles/image      SNR dB  transfer   FRC');
    for (const band of bands) {
      const cell = (value: number | string, digits: number, width: number) =>
        Number(value).toFixed(digits).padStart(width);
      console.log(
        `  ${band.name.padEnd(14)}${cell(band.snrDb, 2, 10)}${cell(band.transfer, 3, 10)}${cell(band.frc, 3, 8)}`,
      );
    }
  }
}
