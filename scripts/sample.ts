import { commandLine } from '../src/commandLine.ts';
import { UsageError } from '../src/errors.ts';
import type { Antialias } from '../src/render/antialias.ts';
import { drawFiles, drawSheet } from '../src/render/drawSubjects.ts';
import { checkImageFile } from '../src/render/imageFile.ts';
import { choosePrior } from '../src/render/model.ts';
import { parseView } from '../src/render/parseView.ts';
import { subjectsOf } from '../src/render/subjects.ts';
import {
  CHECKPOINT_OPTION,
  type Command,
  ENGINE_OF_RUN_OPTION,
  RUN_OPTION,
  requireWhole,
  runAsProgram,
  withModel,
} from './cli.ts';

interface Arguments {
  run: string;
  size: string;
  window: string;
  count: number;
  seed: number;
  prior?: string;
  temperature: number;
  image?: string[];
  interpolate?: number;
  closed: boolean;
  grid: boolean;
  columns?: number;
  antialias?: Antialias;
  out: string;
  checkpoint: string;
  engine?: string;
}

export const sample: Command = {
  command: 'sample',
  describe: 'draw samples, training images or interpolations, at any size, of any window',
  builder: (yargs) =>
    yargs
      .option('run', RUN_OPTION)
      .option('out', {
        type: 'string',
        demandOption: true,
        describe: 'image file (.png .jpg .webp .avif .tif)',
        requiresArg: true,
      })
      .option('size', {
        type: 'string',
        default: '1024',
        describe: 'pixels: 2048x1024, or 1024 for a square',
        requiresArg: true,
      })
      .option('window', {
        type: 'string',
        default: '0,0,1,1',
        describe: 'part of the plane: x0,y0,x1,y1; the image is 0,0,1,1',
        requiresArg: true,
      })
      .option('count', { type: 'number', default: 1, describe: 'number of images' })
      .option('seed', { type: 'number', default: 0, describe: 'seed of the samples' })
      .option('prior', {
        type: 'string',
        describe:
          'where samples come from: between neighbouring training latents (neighbours), a gaussian or mixture fitted to all, a flow (see prior), or one of a plugin; default: the one fitted last, else neighbours',
        requiresArg: true,
      })
      .option('temperature', {
        type: 'number',
        default: 1,
        describe: 'of gaussian, mixture and flow; below 1: likelier, less varied',
      })
      .option('image', {
        type: 'string',
        array: true,
        describe: 'draw this training image (name or number)',
        requiresArg: true,
      })
      .option('interpolate', { type: 'number', describe: 'draw this many frames on the path through the images' })
      .option('closed', { type: 'boolean', default: false, describe: 'the path returns to its start' })
      .option('grid', { type: 'boolean', default: false, describe: 'one sheet instead of numbered files' })
      .option('columns', { type: 'number', implies: 'grid', describe: 'columns of the sheet' })
      .option('antialias', {
        choices: ['footprint', 'supersample', 'none'] as const,
        describe: 'how small images are filtered',
      })
      .option('checkpoint', CHECKPOINT_OPTION)
      .option('engine', ENGINE_OF_RUN_OPTION)
      .example(`${commandLine('sample')} --run runs/quickstart --size 2048x2048 --out big.png`, 'one large sample')
      .example(
        `${commandLine('sample')} --run runs/quickstart --count 16 --grid --size 128 --out sheet.png`,
        'a sheet of samples',
      ),
  handler: async (args: Arguments) => {
    for (const [name, value] of Object.entries({
      count: args.count,
      interpolate: args.interpolate ?? 1,
      columns: args.columns ?? 1,
    })) {
      requireWhole(name, value, 1);
    }
    requireWhole('seed', args.seed, 0);
    if (!(args.temperature >= 0)) throw new UsageError('--temperature: expected a number, 0 or more');
    const view = parseView(args.size, args.window);
    await checkImageFile(args.out, view.width, view.height);
    await withModel(args, async (model) => {
      if (args.antialias === 'footprint' && !model.generator.encoding.attenuated) {
        throw new UsageError('--antialias footprint: this run has no Fourier features to attenuate; use supersample');
      }
      const { out, antialias, columns } = args;
      const isSampled = model.latents && !args.image;
      const prior = isSampled ? await choosePrior(model, args.prior) : undefined;
      if (prior) console.error(prior.about);
      const subjects = await subjectsOf(model, { ...args, prior });
      if (args.grid) {
        const { width, height } = await drawSheet(out, subjects, { view, antialias, columns });
        console.log(`${out}: ${subjects.length} images, ${width}x${height}`);
      } else {
        const paths = await drawFiles(out, subjects, { view, antialias });
        console.log(`${[...new Set([paths[0], paths[paths.length - 1]])].join(' … ')}: ${view.width}x${view.height}`);
      }
    });
  },
};

await runAsProgram(import.meta.url, 'sample', sample);
