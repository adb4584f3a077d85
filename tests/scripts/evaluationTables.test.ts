import { afterEach, describe, expect, it, vi } from 'vitest';
import { printNumbers } from '../../scripts/evaluationTables.ts';
import type { EvaluationResult, Finding } from '../../src/metrics/result.ts';

afterEach(() => vi.restoreAllMocks());

function printed(result: EvaluationResult): string[] {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line.replace(/ +/g, ' ').trim()));
  printNumbers(result);
  return lines;
}

describe('printNumbers', () => {
  const finding = (key: string, value: number, more: Partial<Finding>): Finding => ({
    metric: 'm',
    key,
    name: `${key}_n9`,
    value,
    label: key,
    role: 'detail',
    ...more,
  });

  it('prints what decides first, which way is better and what to compare with; bands have their own table', () => {
    const findings = [
      finding('floor', 0.5, {}),
      finding('raw', 2.25, { role: 'supporting', better: 'low', against: { name: 'f', value: 0.5, label: 'halves' } }),
      finding('best', 1.23456, { role: 'headline', better: 'high', interval: [1, 1.5] }),
      finding('snr', 4, { band: 'dc' }),
    ];
    const metrics = { count: 9, ...Object.fromEntries(findings.map(({ name, value }) => [name, value])) };
    expect(printed({ protocol: '', metrics, findings })).toEqual([
      'best_n9 1.235 [1, 1.5] higher is better',
      'raw_n9 2.25 lower is better; halves: 0.5',
      'floor_n9 0.5',
      'count 9',
    ]);
  });

  it('prints numbers that are no findings too', () => {
    expect(printed({ protocol: '', metrics: { a: 1 } })).toEqual(['a 1']);
    expect(printed({ protocol: '', metrics: {}, findings: [] })).toEqual([]);
  });
});
