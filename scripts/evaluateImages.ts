import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { experimentSchema } from '../src/config/schema.ts';
import { commonSize, imageSizes } from '../src/data/folderSize.ts';
import type { ImageSet } from '../src/data/imageSet.ts';
import { loadImages, skippedReport } from '../src/data/loadImages.ts';
import { UsageError } from '../src/errors.ts';
import { writeFileAtomically } from '../src/files/atomicFile.ts';
import { fileError } from '../src/files/fileErrors.ts';
import { makeFolder } from '../src/files/makeFolder.ts';
import { Progress } from '../src/files/progress.ts';
import { evaluateImageSets, SET_METRICS, type SetMetric } from '../src/metrics/imageSets.ts';
import { PairedImages } from '../src/metrics/pairedImages.ts';
import type { EvaluationResult } from '../src/metrics/result.ts';
import { imageOf, withFewestChannels } from '../src/metrics/signal/imageStack.ts';
import { stringifyJson } from '../src/run/evaluations.ts';
import type { Command } from './cli.ts';
import { printNumbers, printPairedBands, printSpectra } from './evaluationTables.ts';

interface Arguments {
  generated: string;
  reference: string;
  paired: boolean;
  size?: string;
  metrics?: string;
  seed: number;
  out: string;
}

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
        defaultDescription: `"${SET_METRICS.join(',')}"`,
        requiresArg: true,
      })
      .option('seed', { type: 'number', default: 0, describe: 'of resampling, patches and pairs', requiresArg: true })
      .option('out', { type: 'string', demandOption: true, describe: 'JSON file to write', requiresArg: true }),
  handler: async (args: Arguments) => {
    if (existsSync(args.out) && statSync(args.out).isDirectory()) {
      throw new UsageError(`--out ${args.out} is a folder; name a JSON file in it`);
    }
    if (args.paired && args.metrics !== undefined) {
      throw new UsageError('--metrics are of sets; --paired always measures the same: give one of the two');
    }
    const metrics = args.metrics === undefined ? SET_METRICS : metricsOption(args.metrics);
    if (!Number.isSafeInteger(args.seed) || args.seed < 0) {
      throw new UsageError(`--seed ${args.seed}: expected a whole number, 0 or more`);
    }
    const size = await sizeOption(args);
    const generated = await loadFolder(args.generated, size);
    const reference = await loadFolder(args.reference, size);
    const { result, notes } = args.paired
      ? evaluatePairs(generated, reference, args)
      : evaluateSets(generated, reference, metrics, args);
    for (const note of notes) console.error(note);
    const prepared =
      args.size === undefined
        ? 'as they are'
        : `brought to ${size} by centre crop and Lanczos3 reduction or cubic enlargement`;
    const skipped = generated.skipped.length + reference.skipped.length;
    const recorded: EvaluationResult = {
      ...result,
      protocol: `${result.protocol}; ${args.generated} against ${args.reference}, ${prepared}, transparency on white, ${skipped} files skipped; seed ${args.seed}`,
      notes,
    };
    printNumbers(result);
    if (args.paired) printPairedBands(result.bands);
    else if (result.bands) printSpectra(result.bands);
    try {
      await makeFolder(dirname(args.out));
      await writeFileAtomically(args.out, stringifyJson(recorded));
    } catch (error) {
      throw fileError('write', args.out, error);
    }
    console.log(`written to ${args.out}`);
  },
};

function metricsOption(text: string): SetMetric[] {
  return text.split(',').map((name) => {
    const metric = SET_METRICS.find((known) => known === name.trim());
    if (!metric) throw new UsageError(`--metrics ${text}: "${name}" is none of ${SET_METRICS.join(', ')}`);
    return metric;
  });
}

/** The wanted size, or the one that both folders' images have. */
async function sizeOption({ size, generated, reference }: Arguments): Promise<string> {
  const folders = [
    ['--generated', generated],
    ['--reference', reference],
  ] as const;
  const sizes = await Promise.all(folders.map(([option, path]) => imageSizes(path, option)));
  if (size !== undefined) {
    if (!/^[1-9]\d*(x[1-9]\d*)?$/.test(size)) throw new UsageError(`--size ${size}: expected N or WIDTHxHEIGHT`);
    return size.includes('x') ? size : `${size}x${size}`;
  }
  const [a, b] = sizes.map((found, i) => {
    const { width, height } = commonSize(found, folders[i][0]);
    return `${width}x${height}`;
  });
  if (a !== b) {
    throw new UsageError(`--generated has images of ${a}, --reference of ${b}; bring both to one size with --size`);
  }
  return a;
}

async function loadFolder(path: string, size: string): Promise<ImageSet> {
  const { data } = experimentSchema().parse({ data: { source: 'folder', path, size } });
  let progress: Progress | undefined;
  const images = await loadImages(data, {
    onProgress: (done, total) => {
      progress ??= new Progress({ label: `read ${path}`, total, unit: 'images' });
      progress.update(done);
    },
  });
  progress?.finish();
  for (const line of skippedReport(images)) console.error(line);
  return images;
}

function evaluateSets(generated: ImageSet, reference: ImageSet, metrics: readonly SetMetric[], args: Arguments) {
  for (const [option, { count }] of [
    ['--generated', generated],
    ['--reference', reference],
  ] as const) {
    if (count < 2)
      throw new UsageError(`${option} has 1 image; a set needs at least 2 (--paired compares image by image)`);
  }
  const { stacks, notes } = withFewestChannels(generated, reference);
  const progress = new Progress({ label: 'measure', total: metrics.length, unit: 'metrics' });
  const evaluation = evaluateImageSets(...stacks, {
    metrics,
    seed: args.seed,
    onMetric: (metric) => progress.update(metrics.indexOf(metric)),
  });
  progress.update(metrics.length);
  progress.finish();
  return { result: evaluation.result, notes: [...notes, ...evaluation.notes] };
}

function evaluatePairs(generated: ImageSet, reference: ImageSet, { seed }: Arguments) {
  const partners = partnersOf(generated, reference);
  const { stacks, notes } = withFewestChannels(generated, reference);
  const pairs = new PairedImages(reference.width, reference.height, stacks[0].channels);
  partners.forEach((partner, image) => {
    pairs.add(imageOf(stacks[1], image), imageOf(stacks[0], partner));
  });
  const result: EvaluationResult = pairs.evaluation('paired', 'both sides 8-bit', seed);
  const images = reference.names.map((name, image) => ({
    name,
    psnrDb: pairs.psnrs[image],
    ...(pairs.ssims.length > 0 && { ssim: pairs.ssims[image] }),
  }));
  if (pairs.ssims.length === 0) notes.push('SSIM is left out: its window of 11 pixels does not fit the images');
  return { result: { ...result, images }, notes };
}

/** For each reference image, the index of the generated one of the same path, whatever the file formats. */
function partnersOf(generated: ImageSet, reference: ImageSet): number[] {
  const names = new Set(generated.names);
  const exact = reference.names.every((name) => names.has(name));
  const key = (name: string) => (exact ? name : name.replace(/\.[^./]+$/, ''));
  const indexOf = new Map(generated.names.map((name, index) => [key(name), index]));
  const known = new Set(reference.names.map(key));
  const alone =
    reference.names.find((name) => !indexOf.has(key(name))) ?? generated.names.find((name) => !known.has(key(name)));
  if (alone !== undefined || indexOf.size !== reference.count || known.size !== generated.count) {
    throw new UsageError(
      `--paired needs the same names in both folders, file formats aside: ${generated.count} generated, ` +
        `${reference.count} reference images${alone === undefined ? '' : `, "${alone}" has no partner`}`,
    );
  }
  return reference.names.map((name) => indexOf.get(key(name))!);
}
