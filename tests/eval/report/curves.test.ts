import { describe, expect, it } from 'vitest';
import { curvesOf } from '../../../src/eval/report/curves.ts';
import type { Heatmap } from '../../../src/figures/heatmap.ts';

/** A log whose octaves, from the lowest up, have these signal-to-noise ratios at each monitored step. */
const logged = (...steps: number[][]) =>
  steps.map((snrs, i) => ({
    step: 100 * (i + 1),
    wallSeconds: i,
    'train/loss': 1,
    'spectrum/snr_db_dc': 40,
    'spectrum/snr_db_corner': 1,
    ...Object.fromEntries(snrs.map((snr, octave) => [`spectrum/snr_db_${2 ** octave}-${2 ** (octave + 1)}`, snr])),
  }));

describe("the report's octaves over training", () => {
  it('are called spectral bias only where low ones are ahead at every step', () => {
    const caption = (...steps: number[][]) => curvesOf(logged(...steps)).at(-1)?.caption;
    expect(caption([9, 8, 2, 1], [20, 21, 9, 8])).toContain('the spectral bias');
    for (const steps of [
      [
        [9, 8, 2, 1],
        [9, 8, 10, 11],
      ],
      [
        [2, 1, 9, 8],
        [20, 21, 9, 8],
      ],
      [[Number.NaN, 8, 2, 1]],
      [[5]],
    ])
      expect(caption(...steps)).toContain('not ahead');
  });

  it('are shown with the highest on top, and left out of logs without them', () => {
    const { plot } = curvesOf(logged([9, 8, 2], [20, 19, 5])).at(-1)!;
    const { y, x, values } = plot as Heatmap;
    expect(y.ticks).toEqual(['4–8', '2–4', '1–2']);
    expect(x.ticks).toEqual([100, 200]);
    expect(values).toEqual([
      [2, 5],
      [8, 19],
      [9, 20],
    ]);
    expect(curvesOf([{ step: 1, wallSeconds: 0, 'train/loss': 1 }])).toHaveLength(2);
  });
});
