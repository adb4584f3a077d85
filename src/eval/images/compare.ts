/** Two sets of decoded images against each other: as sets, or image by image. */
import type { ImageSet } from '../../data/imageSet.ts';
import { UsageError } from '../../errors.ts';
import { Progress } from '../../files/progress.ts';
import { evaluateImageSets, type SetOptions } from '../../metrics/imageSets.ts';
import { PairedImages } from '../../metrics/pairedImages.ts';
import { metricNames } from '../../metrics/registry.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import { type ImageStack, imageOf, withFewestChannels } from '../../metrics/signal/imageStack.ts';

/**
 * Compares the sets unpaired, on as few channels as they have, with a progress line.
 *
 * @param options.label of the progress line.
 */
export function compareSets(
  generated: ImageStack,
  reference: ImageStack,
  {
    label = 'measure',
    metrics = metricNames(),
    ...options
  }: Pick<SetOptions, 'metrics' | 'seed' | 'prefix'> & { label?: string } = {},
): EvaluationResult {
  const { stacks, notes } = withFewestChannels(generated, reference);
  const progress = new Progress({ label, total: metrics.length, unit: 'metrics' });
  let begun = 0;
  const onMetric = () => progress.update(begun++);
  const { result } = evaluateImageSets(...stacks, { ...options, metrics, notes, onMetric });
  progress.update(metrics.length);
  progress.finish();
  return result;
}

/**
 * Compares each reference image with the generated one of the same name.
 *
 * @throws UsageError where an image has no partner.
 */
export function comparePairs(generated: ImageSet, reference: ImageSet, seed: number): EvaluationResult {
  const partners = partnersOf(generated, reference);
  const { stacks, notes } = withFewestChannels(generated, reference);
  const pairs = new PairedImages(reference.width, reference.height, stacks[0].channels);
  partners.forEach((partner, image) => {
    pairs.add(imageOf(stacks[1], image), imageOf(stacks[0], partner));
  });
  const images = reference.names.map((name, image) => ({
    name,
    psnrDb: pairs.psnrs[image],
    ...(pairs.ssims.length > 0 && { ssim: pairs.ssims[image] }),
  }));
  if (pairs.ssims.length === 0) notes.push('SSIM is left out: its window of 11 pixels does not fit the images');
  return { ...pairs.evaluation('paired', 'both sides 8-bit', seed), images, notes };
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
