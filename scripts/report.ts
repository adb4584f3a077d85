import { writeRunReport } from '../src/eval/report/runReport.ts';
import { disposeModel, openModel } from '../src/run/openModel.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { type Command, checkpointOption, engineForRun, runAsProgram } from './cli.ts';

export const report: Command = {
  command: 'report',
  describe: "write a run's report.html: pictures, curves and whatever evaluate has measured",
  builder: (yargs) =>
    yargs
      .option('run', { type: 'string', demandOption: true, describe: 'run folder', requiresArg: true })
      .option('checkpoint', { type: 'string', default: 'latest', describe: 'latest, best or a step' })
      .option('engine', { type: 'string', describe: "which engine computes (default: the run's)", requiresArg: true }),
  handler: async (args: { run: string; checkpoint: string; engine?: string }) => {
    const run = await RunFolder.open(args.run);
    await engineForRun(run, args.engine);
    const model = await openModel(run, checkpointOption(args.checkpoint));
    if (model.warning) console.error(model.warning);
    console.log(await writeRunReport(run, model, console.error));
    disposeModel(model);
  },
};

await runAsProgram(import.meta.url, 'report', report);
