import { loadExperiment } from '../src/config/load.ts';
import { loadWithProgress } from '../src/train/session.ts';
import { type Command, runAsProgram } from './cli.ts';

export const prepare: Command = {
  command: 'prepare',
  describe: "decode a config's images into the packed cache, and say what was found",
  builder: (yargs) =>
    yargs
      .option('config', { type: 'string', describe: 'experiment whose images to prepare', requiresArg: true })
      .option('set', { type: 'string', array: true, default: [], describe: 'change a key: data.size=128' }),
  handler: async (args: { config?: string; set: string[] }) => {
    const experiment = await loadExperiment(args.config, args.set);
    const images = await loadWithProgress(experiment, console.error);
    console.log(`${images.count} images of ${images.width}x${images.height}, cached in ${experiment.data.cache}`);
    if (images.classes) console.log(`classes: ${images.classes.join(', ')}`);
    const detail =
      images.nativeScale === Number.POSITIVE_INFINITY ? 'any size' : `${images.nativeScale.toFixed(2)}x this size`;
    console.log(`ground truth up to ${detail}`);
  },
};

await runAsProgram(import.meta.url, 'data', prepare);
