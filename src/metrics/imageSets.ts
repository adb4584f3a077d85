/** A set of generated images against a set of reference images, unpaired, by the metrics of the registry or others. */
import { declarationsOf, describeFound } from './findings.ts';
import { type ImageSets, type Measured, type Metric, namedDraws } from './metric.ts';
import { METRICS, metricNames } from './registry.ts';
import type { EvaluationResult, Finding } from './result.ts';
import { channelsOf, type ImageStack } from './signal/imageStack.ts';

export interface SetEvaluation {
  result: EvaluationResult;
  /** The notes of the result: what was left out, and why. */
  notes: string[];
}

export interface SetOptions {
  /** Names of registered metrics, or metrics themselves, registered or not (default: all that are registered). */
  metrics?: readonly (string | Metric)[];
  /** Seeds resampling, splits, patches and directions. */
  seed?: number;
  /** Stands before the names of numbers: `samples_`. */
  prefix?: string;
  /** Notes that come before the metrics' own: how the images were prepared, say. */
  notes?: readonly string[];
  /** Called as each metric begins. */
  onMetric?: (metric: string) => void;
}

/**
 * Measures a generated set against a reference set of images of the same size.
 *
 * @throws RangeError for sets of different sizes, or of fewer than 2 images; UsageError for a metric that is not known;
 *   RunError where a value is not finite.
 */
export function evaluateImageSets(
  generated: ImageStack,
  reference: ImageStack,
  { metrics = metricNames(), seed = 0, prefix = '', notes = [], onMetric = () => {} }: SetOptions = {},
): SetEvaluation {
  const chosen = [...new Set(metrics.map((metric) => (typeof metric === 'string' ? METRICS.get(metric) : metric)))];
  requireComparable(generated, reference);
  const kept = new Map<string, unknown>();
  const sets: ImageSets = {
    generated,
    reference,
    shared: <T>(name: string, compute: (random: ReturnType<typeof namedDraws>) => T) => {
      if (!kept.has(name)) kept.set(name, compute(namedDraws(seed, name)));
      return kept.get(name) as T;
    },
  };
  const measured = chosen.map((metric) => {
    onMetric(metric.name);
    const found = metric.measure(sets, namedDraws(seed, metric.name));
    return describeMeasured(Array.isArray(found) ? { found } : found, metric, prefix);
  });
  const findings = measured.flatMap((one) => one.findings);
  const twice = findings.find(({ name }, i) => findings.findIndex((other) => other.name === name) < i);
  if (twice) throw new RangeError(`two numbers are called ${twice.name}`);
  const said = [...notes, ...measured.flatMap((one) => one.notes)];
  return {
    result: {
      protocol: protocolOf(generated, reference, chosen),
      metrics: {
        [`${prefix}images_generated`]: generated.count,
        [`${prefix}images_reference`]: reference.count,
        ...Object.fromEntries(findings.map(({ name, value }) => [name, value])),
      },
      intervals: Object.fromEntries(findings.flatMap(({ name, interval }) => (interval ? [[name, interval]] : []))),
      findings,
      bands: measured.find(({ bands }) => bands)?.bands,
      rings: measured.find(({ rings }) => rings)?.rings,
      notes: said,
    },
    notes: said,
  };
}

function requireComparable(generated: ImageStack, reference: ImageStack): void {
  const shape = (stack: ImageStack) => `${stack.width}x${stack.height}x${channelsOf(stack)}`;
  if (shape(generated) !== shape(reference)) {
    throw new RangeError(`images of ${shape(generated)} against images of ${shape(reference)}`);
  }
  if (Math.min(generated.count, reference.count) < 2) throw new RangeError('a set needs at least 2 images');
  for (const [side, stack] of Object.entries({ generated, reference })) {
    const values = stack.count * stack.width * stack.height * channelsOf(stack);
    if (stack.pixels.length !== values) {
      throw new RangeError(
        `${stack.count} ${side} images of ${shape(stack)} are ${values} values, got ${stack.pixels.length}`,
      );
    }
  }
}

/**
 * Names what a metric found. An interval that does not hold its value is the metric's mistake: it is left out, and a
 * note says so.
 */
function describeMeasured(
  { found, notes = [], bands, rings }: Measured,
  metric: Metric,
  prefix: string,
): { findings: Finding[]; notes: string[] } & Pick<Measured, 'bands' | 'rings'> {
  const findings = describeFound(found, declarationsOf(metric), prefix);
  const beside = findings.filter(
    ({ interval }, i) => !interval && found[i].interval?.every((end) => !Number.isNaN(end)),
  );
  return {
    findings,
    notes: [
      ...notes,
      ...beside.map(({ name }) => `${name} has no interval: that of metric ${metric.name} lies beside it`),
    ],
    bands,
    rings,
  };
}

function protocolOf(generated: ImageStack, reference: ImageStack, metrics: readonly Metric[]): string {
  const { width, height, count } = generated;
  const bytes = [generated, reference].every(({ pixels }) => pixels instanceof Uint8Array);
  const each = metrics.flatMap(({ about }) => about.protocol ?? []);
  return [
    `unpaired (${metrics.map(({ name }) => name).join(', ')}), ${count} generated against ${reference.count} reference ` +
      `images of ${width}x${height}x${channelsOf(generated)}, sRGB-encoded in [0,1]${bytes ? ' (both sides 8-bit)' : ''}`,
    ...each,
    'intervals: 95 %, over images',
  ].join('; ');
}
