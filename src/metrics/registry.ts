/** The metrics of image sets by name: those that are built in, and those that a user adds. */
import { UsageError } from '../errors.ts';
import { Registry } from '../registry.ts';
import { coverage } from './coverage.ts';
import { diversity } from './diversity.ts';
import { type Declarations, declarationsOf } from './findings.ts';
import { fwd } from './fwd.ts';
import { kid } from './kid.ts';
import type { Metric } from './metric.ts';
import { spectrum } from './spectrum.ts';
import { swd } from './swd.ts';

const BUILT_IN = { spectrum, fwd, swd, kid, coverage, diversity } satisfies Record<string, Metric>;

export const METRICS = new Registry<Metric>('metric', BUILT_IN);

/** Names of all metrics, in the order in which they are measured. */
export function metricNames(): string[] {
  return METRICS.names();
}

/** Every number that these metrics, or all, may find. */
export function declaredNumbers(metrics: Iterable<Metric> = METRICS.all().map(([, metric]) => metric)): Declarations {
  return new Map([...metrics].flatMap((metric) => [...declarationsOf(metric)]));
}

/**
 * Makes a metric known to `evaluate --run`, `evaluate images --metrics` and `evaluateImageSets`. The same one may be added
 * again.
 *
 * @param plugin the path of the plugin that brings it, if it comes from one.
 * @throws UsageError where its name, or the key of one of its numbers, is another's or can't be one.
 */
export function addMetric(metric: Metric, plugin?: string): void {
  const { name } = metric;
  const keys = [...declarationsOf(metric).keys()];
  const odd = [name, ...keys].find((text) => !/^[A-Za-z][\w-]*$/.test(text));
  if (odd !== undefined) {
    throw new UsageError(`metric "${name}": "${odd}" can't be a name; use letters, digits, _ and -, a letter first`);
  }
  const others = METRICS.all().flatMap(([other, known]) => (other === name ? [] : [known]));
  const taken = declaredNumbers(others);
  const key = keys.find((own) => taken.has(own));
  if (key !== undefined) {
    throw new UsageError(
      `metric "${name}": its number "${key}" is one of metric "${taken.get(key)!.metric}"; rename it`,
    );
  }
  METRICS.add(name, metric, plugin);
}
