import { describe, expect, it } from 'vitest';
import { heatmap } from '../../src/figures/heatmap.ts';

const map = {
  title: 'SNR <per> octave',
  value: 'SNR (dB)',
  x: { label: 'step', ticks: [100, 200, 300] },
  y: { label: 'cycles', ticks: ['2–4', '1–2'] },
  values: [
    [0, 5, Number.NaN],
    [10, 20, 40],
  ],
};

describe('the heatmap', () => {
  it('draws a cell for each finite value, darkest for the least and lightest for the greatest', () => {
    const svg = heatmap(map);
    const fills = [...svg.matchAll(/<rect[^>]*fill="([^"]+)"/g)].map((match) => match[1]);
    expect(fills).toHaveLength(5);
    expect(fills[0]).toBe('rgb(68,1,84)');
    expect(fills[4]).toBe('rgb(253,231,37)');
    // 10 of 0…40 is a quarter of the way: the second of the five colours.
    expect(fills[2]).toBe('rgb(59,82,139)');
  });

  it('writes the values where there is room, labels, and escaped text', () => {
    const svg = heatmap(map);
    for (const text of ['>40<', '>5.0<', '>2–4<', '>300<', 'SNR &lt;per&gt; octave']) expect(svg).toContain(text);
    expect(heatmap({ ...map, width: 140 })).not.toContain('>5.0<');
  });

  it('holds when all values are equal', () => {
    expect(
      heatmap({
        ...map,
        values: [
          [1, 1, 1],
          [1, 1, 1],
        ],
      }),
    ).not.toContain('NaN');
  });
});
