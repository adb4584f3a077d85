import { startEngine } from '../src/engine/engine.ts';
import { evaluateRun } from '../src/train/evaluateRun.ts';
import { disposeModel, openModel } from '../src/train/model.ts';
import { RunFolder } from '../src/train/runFolder.ts';
import { type Command, checkpointOption, printEvaluations, runAsProgram } from './cli.ts';

interface Arguments {
  run: string;
  checkpoint: string;
  engine?: string;
}

export const evaluate: Command = {
  command: 'evaluate',
  describe: "measure a run's reconstructions, per frequency, at and above the training size",
  builder: (yargs) =>
    yargs
      .option('run', { type: 'string', demandOption: true, describe: 'run folder', requiresArg: true })
      .option('checkpoint', { type: 'string', default: 'latest', describe: 'latest, best or a step' })
      .option('engine', { type: 'string', describe: "which engine computes (default: the run's)", requiresArg: true }),
  handler: async (args: Arguments) => {
    const run = await RunFolder.open(args.run);
    await startEngine(args.engine ?? (await run.readExperiment()).engine);
    const model = await openModel(run, checkpointOption(args.checkpoint));
    if (model.warning) console.error(model.warning);
    printEvaluations(await evaluateRun(run, model, console.error));
    console.log(`written to ${run.evaluation}`);
    disposeModel(model);
  },
};

await runAsProgram(import.meta.url, 'evaluate', evaluate);
