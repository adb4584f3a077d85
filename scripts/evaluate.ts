import { UsageError } from '../src/errors.ts';
import { evaluateRun } from '../src/eval/run/evaluateRun.ts';
import { CHECKPOINT_OPTION, type Command, ENGINE_OF_RUN_OPTION, requireWhole, runAsProgram, withModel } from './cli.ts';
import { evaluateImages } from './evaluateImages.ts';
import { evaluateNoise } from './evaluateNoise.ts';
import { evaluatePerturb } from './evaluatePerturb.ts';
import { printEvaluations } from './evaluationTables.ts';

interface Arguments {
  run?: string;
  checkpoint: string;
  engine?: string;
  disturbed?: number;
}

export const evaluate: Command = {
  command: 'evaluate',
  subcommands: [evaluateImages, evaluateNoise, evaluatePerturb],
  describe:
    'measure a run: reconstructions per frequency, at and above the training size; samples; what disturbances change',
  builder: (yargs) =>
    yargs
      .option('run', { type: 'string', describe: 'run folder', requiresArg: true })
      .option('checkpoint', CHECKPOINT_OPTION)
      .option('disturbed', {
        type: 'number',
        describe: "images disturbed in every way, 0: none (default: the run's evaluate.disturbed)",
        requiresArg: true,
      })
      .option('engine', ENGINE_OF_RUN_OPTION),
  handler: async (args: Arguments) => {
    if (args.run === undefined) throw new UsageError('say what to measure: --run DIR, or a sub-command; see --help');
    const { disturbed } = args;
    if (disturbed !== undefined) requireWhole('disturbed', disturbed, 0);
    await withModel({ ...args, run: args.run }, async (model, run) => {
      printEvaluations(await evaluateRun(run, model, console.error, { disturbed }));
      console.log(`written to ${run.evaluation}`);
    });
  },
};

await runAsProgram(import.meta.url, 'evaluate', evaluate);
