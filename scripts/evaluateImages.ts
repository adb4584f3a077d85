import { loadPlugins } from '../src/config/plugins.ts';
import { evaluateFolders, type FolderComparison, writeComparison } from '../src/eval/images/evaluateFolders.ts';
import { metricNames } from '../src/metrics/registry.ts';
import type { Command } from './cli.ts';
import { printNumbers, printPairedBands, printSpectra } from './evaluationTables.ts';

export const evaluateImages: Command = {
  command: 'images',
  describe: 'compare any folder of images with any other, as sets or in pairs',
  builder: (yargs) =>
    yargs
      .option('generated', { type: 'string', demandOption: true, describe: 'folder of images', requiresArg: true })
      .option('reference', { type: 'string', demandOption: true, describe: 'folder of images', requiresArg: true })
      .option('paired', {
        type: 'boolean',
        default: false,
        describe: 'compare images of the same name with each other',
      })
      .option('size', {
        type: 'string',
        describe: 'bring all images to this size first: N or WIDTHxHEIGHT (default: the size they all have)',
        requiresArg: true,
      })
      .option('metrics', {
        type: 'string',
        describe: 'what to measure of unpaired sets',
        defaultDescription: `"${metricNames().join(',')}"`,
        requiresArg: true,
      })
      .option('plugin', {
        type: 'string',
        array: true,
        default: [],
        describe: 'module with metrics of your own (docs/extending.md)',
        requiresArg: true,
      })
      .option('seed', { type: 'number', default: 0, describe: 'of resampling, patches and pairs', requiresArg: true })
      .option('out', { type: 'string', demandOption: true, describe: 'JSON file to write', requiresArg: true }),
  handler: async ({ plugin = [], ...args }: FolderComparison & { plugin?: string[] }) => {
    await loadPlugins(plugin, '--plugin');
    const result = await evaluateFolders(args, console.error);
    printNumbers(result);
    if (args.paired) printPairedBands(result.bands);
    else if (result.bands) printSpectra(result.bands);
    await writeComparison(args.out, result);
    console.log(`written to ${args.out}`);
  },
};
