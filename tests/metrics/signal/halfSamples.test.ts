import { describe, expect, it } from 'vitest';
import { balancedSplits } from '../../../src/metrics/signal/halfSamples.ts';

describe('balancedSplits', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('of %i pairs are all different, mirrored or not, and balanced from 4 on', (pairs) => {
    const splits = balancedSplits(pairs);
    expect(splits).toHaveLength([1, 2, 4, 8, 8, 8, 8][pairs - 1]);
    const seen = new Set(splits.flatMap((split) => [split.join(), split.map((change) => !change).join()]));
    expect(seen.size).toBe(2 * splits.length);
    if (pairs < 4) return;
    for (let i = 0; i < pairs; i++) {
      expect(splits.filter((split) => split[i])).toHaveLength(4);
      for (let j = 0; j < i; j++) expect(splits.filter((split) => split[i] === split[j])).toHaveLength(4);
    }
  });

  it('are of 7 pairs at most', () => {
    expect(() => balancedSplits(8)).toThrow('not 1 to 7');
    expect(() => balancedSplits(0)).toThrow('not 1 to 7');
  });
});
