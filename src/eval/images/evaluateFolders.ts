/** Compares any folder of images with any other, as sets or in pairs: what `evaluate images` does. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { experimentSchema } from '../../config/schema.ts';
import type { ImageSet } from '../../data/imageSet.ts';
import { commonSize, imageSizes } from '../../data/imageSizes.ts';
import { loadImages, skippedReport } from '../../data/loadImages.ts';
import { UsageError } from '../../errors.ts';
import { writeFileAtomically } from '../../files/atomicFile.ts';
import { fileError } from '../../files/fileErrors.ts';
import { makeFolder } from '../../files/makeFolder.ts';
import { Progress } from '../../files/progress.ts';
import { METRICS } from '../../metrics/registry.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import { stringifyJson } from '../../run/evaluations.ts';
import { comparePairs, compareSets } from './compare.ts';

export interface FolderComparison {
  /** Folders. */
  generated: string;
  reference: string;
  /** Images of the same name with each other, rather than sets. */
  paired: boolean;
  /** `N` or `WIDTHxHEIGHT` that all images are brought to (default: the size that they all have). */
  size?: string;
  /** Names of metrics of sets, separated by commas (default: all that are known). */
  metrics?: string;
  /** Seeds resampling, patches and pairs. */
  seed: number;
  /** The JSON file to write. */
  out: string;
}

/**
 * Checks the options, reads both folders and compares them.
 *
 * @param say hears of skipped files and of what is left out.
 * @throws UsageError for options that don't fit the folders or each other.
 */
export async function evaluateFolders(
  comparison: FolderComparison,
  say: (line: string) => void,
): Promise<EvaluationResult> {
  const { paired, metrics, seed, out } = comparison;
  if (existsSync(out) && statSync(out).isDirectory()) {
    throw new UsageError(`--out ${out} is a folder; name a JSON file in it`);
  }
  if (paired && metrics !== undefined) {
    throw new UsageError('--metrics are of sets; --paired always measures the same: give one of the two');
  }
  const chosen = metrics === undefined ? undefined : metricsOption(metrics);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError(`--seed ${seed}: expected a whole number, 0 or more`);
  }
  const size = await sizeOption(comparison);
  const generated = await loadFolder(comparison.generated, size, say);
  const reference = await loadFolder(comparison.reference, size, say);
  if (!paired) requireSets({ '--generated': generated, '--reference': reference });
  const result = paired
    ? comparePairs(generated, reference, seed)
    : compareSets(generated, reference, { metrics: chosen, seed });
  for (const note of result.notes ?? []) say(note);
  const prepared =
    comparison.size === undefined
      ? 'as they are'
      : `brought to ${size} by centre crop and Lanczos3 reduction or cubic enlargement`;
  const skipped = generated.skipped.length + reference.skipped.length;
  const protocol = `${result.protocol}; ${comparison.generated} against ${comparison.reference}, ${prepared}, transparency on white, ${skipped} files skipped; seed ${seed}`;
  return { ...result, protocol };
}

/** Writes `out`; apart, so that numbers can be shown before a full disk is found. */
export async function writeComparison(out: string, result: EvaluationResult): Promise<void> {
  try {
    await makeFolder(dirname(out));
    await writeFileAtomically(out, stringifyJson(result));
  } catch (error) {
    throw fileError('write', out, error);
  }
}

function metricsOption(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    try {
      METRICS.get(name);
    } catch (error) {
      throw error instanceof UsageError ? new UsageError(`--metrics ${text}: ${error.message}`) : error;
    }
  }
  return [...new Set(names)];
}

/** The wanted size, or the one that both folders' images have. */
async function sizeOption({ size, generated, reference }: FolderComparison): Promise<string> {
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

async function loadFolder(path: string, size: string, say: (line: string) => void): Promise<ImageSet> {
  const { data } = experimentSchema().parse({ data: { source: 'folder', path, size } });
  let progress: Progress | undefined;
  const images = await loadImages(data, {
    onProgress: (done, total) => {
      progress ??= new Progress({ label: `read ${path}`, total, unit: 'images' });
      progress.update(done);
    },
  });
  progress?.finish();
  for (const line of skippedReport(images)) say(line);
  return images;
}

function requireSets(folders: Record<string, ImageSet>): void {
  for (const [option, { count }] of Object.entries(folders)) {
    if (count < 2)
      throw new UsageError(`${option} has 1 image; a set needs at least 2 (--paired compares image by image)`);
  }
}
