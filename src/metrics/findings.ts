/** Findings: from what metrics find, and from the names in files that earlier versions wrote. */
import type { Found, Metric, Numbers } from './metric.ts';
import { type About, type EvaluationResult, type Finding, ROLES } from './result.ts';
import type { Interval } from './signal/jackknife.ts';

/** What metrics declare: each number by its key, with its metric's name. */
export type Declarations = ReadonlyMap<string, About & { metric: string }>;

/** What a metric declares: its `numbers`, or else the one that has its own name. */
export function declarationsOf(metric: Pick<Metric<never>, 'name' | 'about' | 'numbers'>): Declarations {
  const { source: _source, protocol: _protocol, ...about } = metric.about;
  return declare(metric.name, metric.numbers ?? { [metric.name]: about });
}

/** Numbers, by key, as those of the metric of that name. */
export function declare(metric: string, numbers: Numbers): Declarations {
  return new Map(Object.entries(numbers).map(([key, about]) => [key, { ...about, metric }]));
}

/**
 * Makes findings of what one metric found. Each gets its name (prefix, key, band, protocol) and, where it is declared
 * to be read against another number, the value of that one.
 *
 * @throws RangeError for a key that is not declared.
 */
export function describeFound(found: readonly Found[], declared: Declarations, prefix: string): Finding[] {
  const named = found.map((one) => {
    if (!declared.has(one.key)) {
      throw new RangeError(`"${one.key}" is none of the declared numbers ${[...declared.keys()].join(', ')}`);
    }
    const parts = one.band === undefined ? [one.key, one.protocol] : [one.key, one.band, one.protocol];
    return { ...one, name: prefix + parts.filter((part) => part !== '').join('_') };
  });
  return describeNamed(named, declared);
}

/**
 * The findings of an evaluation. Evaluations of earlier versions hold none: theirs are told from the metrics' names. A
 * name belongs to the longest declared key that it begins with, after the prefix; numbers of no declared key are no
 * findings.
 */
export function findingsOf(result: EvaluationResult, declared: Declarations, prefix: string): Finding[] {
  if (result.findings) return result.findings;
  const keys = [...declared.keys()].sort((a, b) => b.length - a.length);
  const begins = (text: string, start: string) => text === start || text.startsWith(`${start}_`);
  const named = Object.entries(result.metrics).flatMap(([name, value]) => {
    const own = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    const key = keys.find((candidate) => begins(own, candidate));
    if (key === undefined) return [];
    const band = result.bands?.find((entry) => begins(own.slice(key.length + 1), entry.name))?.name;
    return [{ key, name, value, interval: result.intervals?.[name], band }];
  });
  return describeNamed(named, declared);
}

type Named = Pick<Finding, 'key' | 'name' | 'value' | 'interval' | 'band'>;

function describeNamed(named: readonly Named[], declared: Declarations): Finding[] {
  return named.map(({ key, name, value, interval, band }): Finding => {
    const { against, role = 'headline', ...about } = declared.get(key)!;
    const other = against && named.find((one) => one.key === against.key && one.band === band);
    return {
      key,
      name,
      value,
      ...(holds(interval, value) && { interval }),
      ...(band !== undefined && { band }),
      ...about,
      role,
      ...(other && { against: { name: other.name, value: other.value, label: against.label } }),
    };
  });
}

/**
 * Whether an interval holds a value, rounding aside. An interval of another quantity, such as an estimate without its
 * bias, need not.
 */
export function holds(interval: Interval | undefined, value: number): interval is Interval {
  if (!interval || interval.some(Number.isNaN)) return false;
  const slack = Number.isFinite(value) ? 1e-9 * Math.abs(value) : 0;
  return interval[0] <= value + slack && value - slack <= interval[1];
}

/** Headlines first, then supporting numbers, then details; within a role in the given order. */
export function byRole(findings: readonly Finding[]): Finding[] {
  return ROLES.flatMap((role) => findings.filter((finding) => finding.role === role));
}

/** `lower is better`; empty where neither is. */
export function betterText({ better }: Pick<Finding, 'better'>): string {
  return better === undefined ? '' : better === 'low' ? 'lower is better' : 'higher is better';
}
