import { writeRunReport } from '../src/eval/report/writeReport.ts';
import { CHECKPOINT_OPTION, type Command, ENGINE_OF_RUN_OPTION, RUN_OPTION, runAsProgram, withModel } from './cli.ts';

export const report: Command = {
  command: 'report',
  describe: "write a run's report.html: pictures, curves and whatever evaluate has measured",
  builder: (yargs) =>
    yargs.option('run', RUN_OPTION).option('checkpoint', CHECKPOINT_OPTION).option('engine', ENGINE_OF_RUN_OPTION),
  handler: (args: { run: string; checkpoint: string; engine?: string }) =>
    withModel(args, async (model, run) => {
      console.log(await writeRunReport(run, model, console.error));
    }),
};

await runAsProgram(import.meta.url, 'report', report);
