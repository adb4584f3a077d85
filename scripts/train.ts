import { join } from 'node:path';
import { commandLine } from '../src/commandLine.ts';
import { formatExperiment, loadExperiment } from '../src/config/load.ts';
import type { Experiment } from '../src/config/schema.ts';
import { ENGINE_NAMES } from '../src/engine/engine.ts';
import { Interrupted, UsageError } from '../src/errors.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { describeModel, trainSession } from '../src/train/session.ts';
import { type Command, runAsProgram, withInterrupt } from './cli.ts';

interface Arguments {
  config?: string;
  set: string[];
  run?: string;
  resume?: boolean;
  overwrite?: boolean;
  dryRun: boolean;
  engine?: string;
}

/** The experiment that the arguments name: of a config, or of the run to resume. */
async function experimentOf({ config, set, run, resume, engine }: Arguments): Promise<Experiment> {
  const overrides = engine === undefined ? set : [...set, `engine=${engine}`];
  if (config === undefined && resume && run !== undefined) {
    const folder = await RunFolder.open(run);
    await folder.readExperiment(); // complete, or an error
    return loadExperiment(folder.config, overrides);
  }
  if (config === undefined && set.length === 0) {
    throw new UsageError('say what to train: --config configs/NAME.yaml (see configs/), or --run DIR --resume');
  }
  return loadExperiment(config, overrides);
}

/** Prints what would be trained, after the checks that training makes before it starts. */
function printDryRun(experiment: Experiment, runPath: string, { resume = false, overwrite }: Arguments): void {
  if (!ENGINE_NAMES.includes(experiment.engine)) {
    throw new UsageError(`engine "${experiment.engine}" is unknown; choose one of ${ENGINE_NAMES.join(', ')}`);
  }
  RunFolder.requireFree(runPath, { resume, overwrite });
  console.log(formatExperiment(experiment).trimEnd());
  console.log(`# for one image: ${describeModel(experiment, 1)}; would train in ${runPath}`);
}

export const train: Command = {
  command: 'train',
  describe: 'train a config, or go on with a run',
  builder: (yargs) =>
    yargs
      .option('config', { type: 'string', describe: 'experiment to train (YAML)', requiresArg: true })
      .option('set', { type: 'string', array: true, default: [], describe: 'change a key: train.steps=500' })
      .option('run', { type: 'string', describe: 'run folder (default runs/NAME of the config)', requiresArg: true })
      .option('resume', { type: 'boolean', describe: 'go on from the latest checkpoint of --run' })
      .option('overwrite', { type: 'boolean', describe: 'remove the run that the folder holds' })
      .conflicts('resume', 'overwrite')
      .option('engine', { type: 'string', describe: 'which engine computes (see doctor)', requiresArg: true })
      .option('dry-run', { type: 'boolean', default: false, describe: 'print the resolved config and stop' })
      .example(`${commandLine('train')} --config configs/fit-photo.yaml`, 'fit one photograph')
      .example(
        `${commandLine('train')} --config configs/folder.yaml --set data.path=photos --run runs/mine`,
        'your own images',
      ),
  handler: async (args: Arguments) => {
    const experiment = await experimentOf(args);
    const runPath = args.run ?? join('runs', experiment.name);
    if (args.dryRun) return printDryRun(experiment, runPath, args);
    const { resume = false, overwrite = false } = args;
    const summary = await withInterrupt((signal) =>
      trainSession({ experiment, runPath, resume, overwrite, signal, say: console.error }),
    );
    if (summary.interrupted) {
      const saved = summary.step > 0 ? ', checkpoint saved' : '';
      throw new Interrupted(`stopped at step ${summary.step}${saved}; go on with --run ${runPath} --resume`);
    }
    if (summary.trainingSeconds > 0) {
      console.log(`trained ${summary.step} steps in ${summary.trainingSeconds.toFixed(0)} s: ${runPath}`);
    }
    console.log(
      `next: ${commandLine('evaluate')} --run ${runPath}; ${commandLine('sample')} --run ${runPath} --size 1024 --image 0 --out sample.png`,
    );
  },
};

await runAsProgram(import.meta.url, 'train', train);
