/** Two sets of decoded images, unpaired, on as few channels as they have, with a progress line. */
import { Progress } from '../../files/progress.ts';
import { evaluateImageSets, type SetOptions } from '../../metrics/imageSets.ts';
import { metricNames } from '../../metrics/registry.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import { type ImageStack, withFewestChannels } from '../../metrics/signal/imageStack.ts';

/** @param options.label of the progress line. */
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
