/** The metrics of image sets by name: those that are built in, and those that a user adds. */
import { UsageError } from '../errors.ts';
import { coverage } from './coverage.ts';
import { diversity } from './diversity.ts';
import { type Declared, declaredBy } from './findings.ts';
import { fwd } from './fwd.ts';
import { kid } from './kid.ts';
import type { Metric } from './metric.ts';
import { spectrum } from './spectrum.ts';
import { swd } from './swd.ts';

const BUILT_IN = { spectrum, fwd, swd, kid, coverage, diversity } satisfies Record<string, Metric>;

const known = new Map<string, Metric>(Object.entries(BUILT_IN));

/** In the order in which they are measured. */
export function metricNames(): string[] {
  return [...known.keys()];
}

/** @throws UsageError where there is none of this name. */
export function metricNamed(name: string): Metric {
  const metric = known.get(name);
  if (!metric) throw new UsageError(`"${name}" is none of ${metricNames().join(', ')}`);
  return metric;
}

/** Every number that these metrics, or all, may find. */
export function declaredNumbers(metrics: Iterable<Metric> = known.values()): Declared {
  return new Map([...metrics].flatMap((metric) => [...declaredBy(metric)]));
}

/**
 * Makes a metric known to `evaluate --run`, `evaluate images --metrics` and `evaluateImageSets`. The same one may be added
 * again.
 *
 * @throws UsageError where its name, or the key of one of its numbers, is another's or can't be one.
 */
export function addMetric(metric: Metric): void {
  const { name } = metric;
  if (known.get(name) === metric) return;
  const keys = [...declaredBy(metric).keys()];
  const odd = [name, ...keys].find((text) => !/^[A-Za-z][\w-]*$/.test(text));
  if (odd !== undefined) {
    throw new UsageError(`metric "${name}": "${odd}" can't be a name; use letters, digits, _ and -, a letter first`);
  }
  if (known.has(name)) throw new UsageError(`metric "${name}": there is one of this name already; rename yours`);
  const taken = declaredNumbers();
  const key = keys.find((own) => taken.has(own));
  if (key !== undefined) {
    throw new UsageError(
      `metric "${name}": its number "${key}" is one of metric "${taken.get(key)!.metric}"; rename it`,
    );
  }
  known.set(name, metric);
}
