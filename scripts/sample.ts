import { extname } from 'node:path';
import { commandLine } from '../src/commandLine.ts';
import { UsageError } from '../src/errors.ts';
import { Progress } from '../src/files/progress.ts';
import type { View } from '../src/grid.ts';
import type { Antialias } from '../src/render/antialias.ts';
import { contactSheet, sheetSize } from '../src/render/contactSheet.ts';
import { type DrawableField, disposeFields } from '../src/render/drawableField.ts';
import { checkImageFile, writeImage } from '../src/render/imageFile.ts';
import { interpolateLatents } from '../src/render/interpolation.ts';
import { imageFields, imageLatents, latentFields, type Model, type Prior, sampleLatents } from '../src/render/model.ts';
import { parseView } from '../src/render/parseView.ts';
import { renderImage, renderScanlines } from '../src/render/render.ts';
import { disposeModel, openModel } from '../src/run/openModel.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { type Command, checkpointOption, engineForRun, runAsProgram } from './cli.ts';

interface Arguments {
  run: string;
  size: string;
  window: string;
  count: number;
  seed: number;
  prior: Prior;
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

const MAX_SHEET_PIXELS = 2 ** 28;

/** Something to draw: makes a single field, when its turn comes. */
type Subject = () => DrawableField;

/** Index of a training image given by name or number. */
function imageIndex(model: Model, name: string): number {
  const index = model.imageNames.indexOf(name);
  if (index >= 0) return index;
  const number = Number(name);
  if (/^\d+$/.test(name) && number < model.imageNames.length) return number;
  const near = model.imageNames.filter((candidate) => candidate.includes(name)).slice(0, 5);
  const hint = near.length > 0 ? `; there are ${near.join(', ')}` : '';
  throw new UsageError(`--image ${name}: not among the ${model.imageNames.length} training images${hint}`);
}

/** What the arguments ask for: training images, new samples, or a path through either. */
async function subjectsOf(model: Model, args: Arguments): Promise<Subject[]> {
  const size = model.generator.latentSize;
  const named = args.image?.map((name) => imageIndex(model, name));
  if (size === 0) {
    if (args.interpolate !== undefined) throw new UsageError('--interpolate: a fit has no latents to go between');
    if (!named && args.count > model.imageNames.length) {
      throw new UsageError(`--count ${args.count}: a fit has only its ${model.imageNames.length} images`);
    }
    const indices = named ?? model.imageNames.slice(0, args.count).map((_, i) => i);
    return indices.map((index) => () => imageFields(model, [index]));
  }
  const table = await imageLatents(model);
  const latentOf = (index: number) => table.slice(index * size, (index + 1) * size);
  if (!named && args.prior === 'neighbours' && model.imageNames.length < 2) {
    throw new UsageError('the run has one image, so samples have no neighbours; use --image 0 to draw it');
  }
  const drawn = named ? undefined : await sampleLatents(model, args);
  let latents =
    named?.map(latentOf) ?? Array.from({ length: args.count }, (_, i) => drawn!.slice(i * size, (i + 1) * size));
  if (args.interpolate !== undefined) {
    if (latents.length < 2)
      throw new UsageError('--interpolate: needs two or more ends: --count 2, or --image A --image B');
    const path = interpolateLatents(latents, { frames: args.interpolate, closed: args.closed });
    latents = Array.from({ length: args.interpolate }, (_, i) => path.slice(i * size, (i + 1) * size));
  }
  return latents.map((latent) => () => latentFields(model, latent));
}

/** out.png → out-003.png */
function numbered(path: string, index: number, count: number): string {
  const extension = extname(path);
  const digits = Math.max(3, String(count - 1).length);
  return `${path.slice(0, path.length - extension.length)}-${String(index).padStart(digits, '0')}${extension}`;
}

async function withField<T>(subject: Subject, use: (field: DrawableField) => Promise<T>): Promise<T> {
  const field = subject();
  try {
    return await use(field);
  } finally {
    disposeFields(field);
  }
}

/** Refuses a sheet that can't be held or written, before anything is drawn. */
async function checkSheet(out: string, count: number, view: View, columns?: number): Promise<void> {
  const { width, height } = sheetSize(count, view.width, view.height, { columns });
  await checkImageFile(out, width, height);
  if (width * height > MAX_SHEET_PIXELS) {
    throw new UsageError(
      `--grid: a sheet of ${width}x${height} does not fit in memory; draw fewer, smaller or without --grid`,
    );
  }
}

async function drawSheet(subjects: readonly Subject[], view: View, args: Arguments): Promise<void> {
  const images: Uint8Array[] = [];
  const progress = new Progress({ label: 'draw', total: subjects.length, unit: 'images' });
  for (const subject of subjects) {
    images.push(await withField(subject, (field) => renderImage(field, view, { antialias: args.antialias })));
    progress.update(images.length);
  }
  progress.finish();
  const sheet = contactSheet(images, view.width, view.height, { columns: args.columns });
  await writeImage(args.out, sheet.width, sheet.height, [sheet.pixels]);
  console.log(`${args.out}: ${subjects.length} images, ${sheet.width}x${sheet.height}`);
}

async function drawFiles(subjects: readonly Subject[], view: View, args: Arguments): Promise<void> {
  const progress = new Progress({ label: 'draw', total: subjects.length * view.height, unit: 'rows' });
  for (const [i, subject] of subjects.entries()) {
    const path = subjects.length === 1 ? args.out : numbered(args.out, i, subjects.length);
    await withField(subject, async (field) => {
      const rows = renderScanlines(field, view, { antialias: args.antialias });
      await writeImage(
        path,
        view.width,
        view.height,
        counted(rows, view, (done) => progress.update(i * view.height + done)),
      );
    });
  }
  progress.finish();
  const last = subjects.length > 1 ? ` … ${numbered(args.out, subjects.length - 1, subjects.length)}` : '';
  console.log(
    `${subjects.length > 1 ? numbered(args.out, 0, subjects.length) : args.out}${last}: ${view.width}x${view.height}`,
  );
}

async function* counted(rows: AsyncIterable<Uint8Array>, view: View, onRows: (done: number) => void) {
  let bytes = 0;
  for await (const piece of rows) {
    yield piece;
    bytes += piece.length;
    onRows(bytes / (3 * view.width));
  }
}

export const sample: Command = {
  command: 'sample',
  describe: 'draw samples, training images or interpolations, at any size, of any window',
  builder: (yargs) =>
    yargs
      .option('run', { type: 'string', demandOption: true, describe: 'run folder', requiresArg: true })
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
        choices: ['neighbours', 'gaussian'] as const,
        default: 'neighbours' as const,
        describe: 'where samples come from: between neighbouring training latents, or a Gaussian fitted to all',
      })
      .option('temperature', {
        type: 'number',
        default: 1,
        describe: 'of the Gaussian; below 1: likelier, less varied',
      })
      .option('image', { type: 'string', array: true, describe: 'draw this training image (name or number)' })
      .option('interpolate', { type: 'number', describe: 'draw this many frames on the path through the images' })
      .option('closed', { type: 'boolean', default: false, describe: 'the path returns to its start' })
      .option('grid', { type: 'boolean', default: false, describe: 'one sheet instead of numbered files' })
      .option('columns', { type: 'number', implies: 'grid', describe: 'columns of the sheet' })
      .option('antialias', {
        choices: ['footprint', 'supersample', 'none'] as const,
        describe: 'how small images are filtered',
      })
      .option('checkpoint', { type: 'string', default: 'latest', describe: 'latest, best or a step' })
      .option('engine', { type: 'string', describe: "which engine computes (default: the run's)", requiresArg: true })
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
      if (!Number.isInteger(value) || value < 1) throw new UsageError(`--${name}: expected a whole number above 0`);
    }
    if (!Number.isSafeInteger(args.seed) || args.seed < 0)
      throw new UsageError('--seed: expected a whole number, 0 or more');
    if (!(args.temperature >= 0)) throw new UsageError('--temperature: expected a number, 0 or more');
    const view = parseView(args.size, args.window);
    await checkImageFile(args.out, view.width, view.height);
    const run = await RunFolder.open(args.run);
    await engineForRun(run, args.engine);
    const model = await openModel(run, checkpointOption(args.checkpoint));
    if (model.warning) console.error(model.warning);
    if (args.antialias === 'footprint' && model.generator.encoding.kind !== 'fourier') {
      throw new UsageError('--antialias footprint: this run has no Fourier features to attenuate; use supersample');
    }
    const subjects = await subjectsOf(model, args);
    if (args.grid) await checkSheet(args.out, subjects.length, view, args.columns);
    await (args.grid ? drawSheet : drawFiles)(subjects, view, args);
    disposeModel(model);
  },
};

await runAsProgram(import.meta.url, 'sample', sample);
