import { writeRunReport } from '../src/eval/report/writeReport.ts';
import { type Command, runAsProgram, withModel } from './cli.ts';

export const report: Command = {
  command: 'report',
  describe: "write a run's report.html: pictures, curves and whatever evaluate has measured",
  builder: (yargs) =>
    yargs
      .option('run', { type: 'string', demandOption: true, describe: 'run folder', requiresArg: true })
      .option('checkpoint', { type: 'string', default: 'latest', describe: 'latest, best or a step' })
      .option('engine', { type: 'string', describe: "which engine computes (default: the run's)", requiresArg: true }),
  handler: (args: { run: string; checkpoint: string; engine?: string }) =>
    withModel(args, async (model, run) => {
      console.log(await writeRunReport(run, model, console.error));
    }),
};

await runAsProgram(import.meta.url, 'report', report);
