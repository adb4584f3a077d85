import { join } from 'node:path';
import { formatExperiment, loadExperiment } from '../src/config/load.ts';
import type { Experiment } from '../src/config/schema.ts';
import { UsageError } from '../src/errors.ts';
import { RunFolder } from '../src/train/runFolder.ts';
import { describeModel, trainSession } from '../src/train/session.ts';
import { type Command, Interrupted, interruptSignal, runAsProgram } from './cli.ts';

interface Arguments {
  config?: string;
  set: string[];
  run?: string;
  resume: boolean;
  overwrite: boolean;
  dryRun: boolean;
  engine?: string;
}

/** The experiment that the arguments name: of the run to resume, or of a config. */
async function experimentOf({ config, set, run, resume, engine }: Arguments): Promise<Experiment> {
  const overrides = engine === undefined ? set : [...set, `engine=${engine}`];
  if (resume && run !== undefined) {
    const folder = await RunFolder.open(run).catch(() => undefined);
    if (folder) {
      if (config !== undefined) {
        throw new UsageError(`--resume continues ${run} with its own ${folder.config}; leave out --config`);
      }
      return loadExperiment(folder.config, overrides);
    }
  }
  if (config === undefined && set.length === 0) {
    throw new UsageError('say what to train: --config configs/NAME.yaml (see configs/), or --run DIR --resume');
  }
  return loadExperiment(config, overrides);
}

export const train: Command = {
  command: 'train',
  describe: 'train a config, or go on with a run',
  builder: (yargs) =>
    yargs
      .option('config', { type: 'string', describe: 'experiment to train (YAML)', requiresArg: true })
      .option('set', { type: 'string', array: true, default: [], describe: 'change a key: train.steps=500' })
      .option('run', { type: 'string', describe: 'run folder (default runs/NAME of the config)', requiresArg: true })
      .option('resume', { type: 'boolean', default: false, describe: 'go on from the latest checkpoint of --run' })
      .option('overwrite', { type: 'boolean', default: false, describe: 'remove the run that the folder holds' })
      .option('engine', { type: 'string', describe: 'which engine computes (see doctor)', requiresArg: true })
      .option('dry-run', { type: 'boolean', default: false, describe: 'print the resolved config and stop' })
      .example('$0 --config configs/fit-photo.yaml', 'fit one photograph')
      .example('$0 --config configs/folder.yaml --set data.path=photos --run runs/mine', 'your own images'),
  handler: async (args: Arguments) => {
    const experiment = await experimentOf(args);
    const runPath = args.run ?? join('runs', experiment.name);
    if (args.dryRun) {
      console.log(formatExperiment(experiment).trimEnd());
      console.log(`# ${describeModel(experiment, 1)}; would train in ${runPath}`);
      return;
    }
    const summary = await trainSession({
      experiment,
      runPath,
      resume: args.resume,
      overwrite: args.overwrite,
      signal: interruptSignal(),
      say: console.error,
    });
    if (summary.interrupted) {
      throw new Interrupted(`stopped at step ${summary.step}, checkpoint saved; go on with --run ${runPath} --resume`);
    }
    console.log(`trained ${summary.step} steps in ${summary.trainingSeconds.toFixed(0)} s: ${runPath}`);
    console.log(
      `next: npm run evaluate -- --run ${runPath}; npm run sample -- --run ${runPath} --size 1024x1024 --out sample.png`,
    );
  },
};

await runAsProgram(import.meta.url, 'train', train);
