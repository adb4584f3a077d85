import { loadExperiment } from '../src/config/load.ts';
import type { ImageSet } from '../src/data/imageSet.ts';
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
    if (images.credit) console.log(images.credit);
    for (const line of describeAttributes(images)) console.log(line);
    const { heldOut = 0 } = experiment.data;
    if (heldOut === 0) return;
    const fresh = await loadWithProgress(experiment, console.error, { part: 'heldOut' });
    console.log(`held out of training: ${fresh.count} images`);
    if (!images.attributes) return;
    const combinations = await loadWithProgress(experiment, console.error, { part: 'combinations' });
    console.log(`and ${combinations.count} of combinations of attributes that are never trained on`);
  },
};

/** A line for each attribute: its values, from the most frequent to the rarest. */
function describeAttributes({ attributes, count }: ImageSet): string[] {
  if (!attributes) return [];
  const { names, values, ofImages } = attributes;
  return names.map((name, a) => {
    const counts = new Array<number>(values[a].length).fill(0);
    for (let image = 0; image < count; image++) counts[ofImages[image * names.length + a]]++;
    const sorted = values[a].map((value, i) => ({ value, share: counts[i] / count })).sort((x, y) => y.share - x.share);
    const shown = sorted.slice(0, 8).map(({ value, share }) => `${value} ${(100 * share).toFixed(1)} %`);
    return `${name}: ${shown.join(', ')}${sorted.length > 8 ? `, … ${sorted.length} values` : ''}`;
  });
}

await runAsProgram(import.meta.url, 'data', prepare);
