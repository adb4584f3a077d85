import { commandLine } from '../src/commandLine.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { fitPrior } from '../src/train/prior.ts';
import {
  CHECKPOINT_OPTION,
  type Command,
  ENGINE_OF_RUN_OPTION,
  RUN_OPTION,
  requireWhole,
  runAsProgram,
  withInterrupt,
  withModel,
} from './cli.ts';

interface Arguments {
  run: string;
  kind: string;
  steps?: number;
  checkpoint: string;
  engine?: string;
}

export const prior: Command = {
  command: 'prior',
  describe: 'fit where samples come from to the latents of a run, and keep it there',
  builder: (yargs) =>
    yargs
      .option('run', RUN_OPTION)
      .option('kind', {
        type: 'string',
        default: 'flow',
        describe: 'flow (trained), mixture, gaussian, neighbours, or one of a plugin',
        requiresArg: true,
      })
      .option('steps', { type: 'number', describe: 'of training a flow (default 2500)', requiresArg: true })
      .option('checkpoint', CHECKPOINT_OPTION)
      .option('engine', ENGINE_OF_RUN_OPTION)
      .example(`${commandLine('prior')} --run runs/faces`, 'a flow; samples are drawn from it from then on'),
  handler: async (args: Arguments) => {
    const { kind, steps } = args;
    if (steps !== undefined) requireWhole('steps', steps, 1);
    await withModel(args, async (model, { path }) => {
      const run = await RunFolder.create(path, { resume: true }); // locked
      try {
        const fitted = await withInterrupt((signal) =>
          fitPrior(run, model, { kind, steps, signal, say: console.error }),
        );
        console.log(`prior ${kind} ${fitted.about} in ${fitted.seconds.toFixed(0)} s: ${fitted.path}`);
        console.log(`next: ${commandLine('sample')} --run ${path} --count 64 --grid --size 64 --out samples.png`);
      } finally {
        await run.close();
      }
    });
  },
};

await runAsProgram(import.meta.url, 'prior', prior);
