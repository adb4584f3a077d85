import { describe, expect, it } from 'vitest';
import { type LinePlot, linePlot, PALETTE } from '../../src/figures/plot.ts';
import { formatNumber, makeScale } from '../../src/figures/scale.ts';

const axis = { roomy: false, tickCount: 5 };
const labels = (scale: ReturnType<typeof makeScale>) => scale.ticks.map(({ label }) => label);

describe('makeScale', () => {
  it('puts linear ticks on round numbers and moves a roomy axis out to them', () => {
    const scale = makeScale([0.3, 4.2], { kind: 'linear', ...axis, roomy: true });
    expect(labels(scale)).toEqual(['0', '1', '2', '3', '4', '5']);
    expect([0, 2.5, 5].map(scale.position)).toEqual([0, 0.5, 1]);
  });

  it('gives ticks of one axis the same number of decimals, and zero no sign', () => {
    expect(labels(makeScale([-0.1, 0.1], { kind: 'linear', ...axis }))).toEqual([
      '−0.10',
      '−0.05',
      '0.00',
      '0.05',
      '0.10',
    ]);
  });

  it('labels decades of a logarithmic axis and marks what lies between', () => {
    const scale = makeScale([1e-3, 1], { kind: 'log', ...axis });
    expect(labels(scale)).toEqual(['0.001', '0.01', '0.1', '1']);
    expect(scale.minorTicks.slice(0, 3)).toEqual([0.002, 0.003, 0.004]);
    expect(scale.position(10 ** -1.5)).toBeCloseTo(0.5, 12);
  });

  it('labels the low multiples where there are few decades, and every nth decade where there are many', () => {
    expect(labels(makeScale([0.9, 11], { kind: 'log', ...axis }))).toEqual(['1', '2', '3', '4', '10']);
    expect(labels(makeScale([1e-12, 1], { kind: 'log', ...axis }))).toEqual([
      '10⁻¹²',
      '10⁻¹⁰',
      '10⁻⁸',
      '10⁻⁶',
      '10⁻⁴',
      '0.01',
      '1',
    ]);
    // On less than a decade d3's ticks are linear; by its rule for decades the second axis would have no label.
    expect(labels(makeScale([101, 104], { kind: 'log', ...axis }))).toEqual([
      '101',
      '101.5',
      '102',
      '102.5',
      '103',
      '103.5',
      '104',
    ]);
    expect(labels(makeScale([701, 704], { kind: 'log', ...axis }))).toEqual([
      '701',
      '701.5',
      '702',
      '702.5',
      '703',
      '703.5',
      '704',
    ]);
  });

  it('labels powers of two of an octave axis', () => {
    expect(labels(makeScale([1, 32], { kind: 'log2', roomy: false, tickCount: 6 }))).toEqual([
      '1',
      '2',
      '4',
      '8',
      '16',
      '32',
    ]);
    expect(labels(makeScale([2 ** -8, 1], { kind: 'log2', ...axis }))).toEqual(['2⁻⁸', '2⁻⁶', '0.0625', '0.25', '1']);
  });

  it('labels each power of two once where there is room for more labels than octaves', () => {
    const scale = makeScale([1, 128], { kind: 'log2', roomy: false, tickCount: 17 });
    expect(labels(scale)).toEqual(['1', '2', '4', '8', '16', '32', '64', '128']);
    expect(labels(makeScale([1, 3], { kind: 'log2', roomy: false, tickCount: 17 }))).toEqual(['1', '2']);
    expect(labels(makeScale([2.2, 3.1], { kind: 'log2', roomy: false, tickCount: 17 }))).toEqual([
      '2.2',
      '2.4',
      '2.6',
      '2.8',
      '3',
    ]);
  });

  it('has no place for what is not finite or, on a logarithmic axis, not positive', () => {
    const scale = makeScale([Number.NaN, 0, -3, 1, 100, Number.POSITIVE_INFINITY], { kind: 'log', ...axis });
    expect([1, 100].map(scale.position)).toEqual([0, 1]);
    expect([0, -1, Number.NaN, Number.POSITIVE_INFINITY].map(scale.position)).toEqual([
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ]);
  });

  it.each(['linear', 'log', 'log2'] as const)(
    'makes a %s axis of one value, of none, and of the whole range of numbers',
    (kind) => {
      for (const values of [[3], [], [Number.NaN], [0], [1e-300, 1e300], [1e16, 1e16 + 2], [5e-324], [0, 1e-320]]) {
        for (const roomy of [false, true]) {
          const scale = makeScale(values, { kind, roomy, tickCount: 5 });
          expect(scale.ticks.length).toBeGreaterThan(0);
          expect(scale.ticks.length).toBeLessThan(20);
          expect(scale.ticks.every(({ value }) => Number.isFinite(scale.position(value)))).toBe(true);
        }
      }
    },
  );
});

describe('an axis with fixed ends', () => {
  it('refuses ends that do not ascend, and a logarithmic one that starts at 0', () => {
    expect(() => makeScale([], { kind: 'linear', ...axis, domain: [1, 1] })).toThrow('no linear axis from 1 to 1');
    expect(() => makeScale([], { kind: 'log', ...axis, domain: [0, 1] })).toThrow('no log axis from 0 to 1');
  });
});

describe('formatNumber', () => {
  it.each([
    [0, '0'],
    [1234567, '1,230,000'],
    [0.00123456, '0.00123'],
    [0.000123456, '1.23×10⁻⁴'],
    [1e-7, '10⁻⁷'],
    [-1e-7, '−10⁻⁷'],
    [-2.5, '−2.5'],
    [6.02e23, '6.02×10²³'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NaN, '–'],
  ])('writes %d as %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

const plot: LinePlot = {
  title: 'Loss',
  x: { label: 'step' },
  y: { label: 'MSE' },
  series: [{ name: 'training', x: [0, 1, 2, 3, 4], y: [5, 4, Number.NaN, 2, 1] }],
};
const paths = (svg: string) => [...svg.matchAll(/<path d="([^"]*)" fill="none"/g)].map(([, path]) => path);
const points = (path: string) =>
  path
    .slice(1)
    .split('L')
    .map((point) => point.split(',').map(Number));

describe('linePlot', () => {
  it('draws points where the axes say, and leaves a gap at what is not finite', () => {
    const runs = paths(linePlot(plot)).map(points);
    expect(runs.map((run) => run.length)).toEqual([2, 2]);
    const [[first, second], [third, fourth]] = runs;
    // Equal steps along x; 5, 4, 2, 1 along y, which runs downwards.
    expect(first[0]).toBe(0);
    expect(third[0] / second[0]).toBeCloseTo(3, 1);
    expect(fourth[0] / second[0]).toBeCloseTo(4, 1);
    expect((third[1] - second[1]) / (second[1] - first[1])).toBeCloseTo(2, 1);
  });

  it('marks a point that stands alone, which no line would show', () => {
    const x = Array.from({ length: 50 }, (_, i) => i);
    const y = x.map((i) => (i === 10 || i > 20 ? i : Number.NaN));
    expect(linePlot({ ...plot, series: [{ name: 's', x, y }] }).match(/<circle/g)).toHaveLength(1);
  });

  it('draws steps level between edges', () => {
    const svg = linePlot({ ...plot, series: [{ name: 's', step: true, x: [0, 1, 3], y: [1, 2] }] });
    const [run] = paths(svg).map(points);
    expect(run.map(([, y]) => y)).toEqual([run[0][1], run[0][1], run[2][1], run[2][1]]);
    expect(run[0][1]).toBeGreaterThan(run[2][1]);
    expect(run[1][0]).toBe(run[2][0]);
    expect(run[3][0] / run[1][0]).toBeCloseTo(3, 1);
  });

  it('thins a long series without losing its extremes', () => {
    const x = Array.from({ length: 100_000 }, (_, i) => i);
    const y = x.map((i) => (i === 33_333 ? 100 : Math.sin(i)));
    const svg = linePlot({ ...plot, series: [{ name: 's', x, y }] });
    expect(svg.length).toBeLessThan(80_000);
    const heights = points(paths(svg)[0]).map(([, height]) => height);
    // The axis runs from −20 to 100: the lone peak touches the top.
    expect(Math.min(...heights)).toBeCloseTo(0, 1);
  });

  it('names series in a legend, in the colours they are drawn in, dashes where they are dashed', () => {
    const svg = linePlot({
      ...plot,
      series: [
        { name: 'model', x: [0, 1], y: [0, 1] },
        { name: 'ideal', x: [0, 1], y: [1, 1], dashed: true },
      ],
    });
    for (const [i, name] of ['model', 'ideal'].entries()) {
      expect(svg).toContain(`>${name}</text>`);
      expect(svg.split(`stroke="${PALETTE[i]}"`)).toHaveLength(3);
    }
    expect(svg.match(/stroke-dasharray="5 4.5"/g)).toHaveLength(2);
    expect(linePlot(plot)).not.toContain('>training</text>');
  });

  it('shades intervals, and draws guides that lie within the axes only when they do', () => {
    const series = [{ name: 's', x: [0, 1], y: [1, 2], interval: { low: [0, 1], high: [2, 3] } }];
    const guides = [
      { axis: 'x', at: 0.5, label: 'Nyquist' },
      { axis: 'y', at: 1.5, label: 'floor' },
      { axis: 'x', at: 7, label: 'outside' },
    ] as const;
    const svg = linePlot({ ...plot, x: { label: 'f', domain: [0, 1] }, series, guides });
    expect(svg).toMatch(/<path d="M[^"]+Z" fill="#0072b2" fill-opacity/);
    expect(svg).toContain('Nyquist');
    expect(svg).toContain('floor');
    expect(svg).not.toContain('outside');
  });

  it('escapes titles, labels and names', () => {
    const evil = '</svg><script>"&';
    const svg = linePlot({
      title: evil,
      x: { label: evil },
      y: { label: evil },
      series: [
        { name: evil, x: [1], y: [1] },
        { name: evil, x: [1], y: [1] },
      ],
      guides: [{ axis: 'x', at: 1, label: evil }],
    });
    expect(svg).not.toContain('<script');
    expect(svg.match(/&lt;\/svg&gt;&lt;script&gt;&quot;&amp;/g)).toHaveLength(7);
  });

  it('says so where there is nothing to draw', () => {
    const nothing = { ...plot, series: [{ name: 's', x: [1], y: [Number.NaN] }] };
    expect(linePlot(nothing)).toContain('no values to show');
    expect(linePlot({ ...plot, series: [] })).toContain('no values to show');
  });

  it("writes no number that SVG can't read", () => {
    const y = [1e-300, 1e300, Number.POSITIVE_INFINITY, 0, -1];
    for (const scale of ['linear', 'log', 'log2'] as const) {
      const svg = linePlot({
        ...plot,
        y: { label: 'y', scale },
        series: [{ name: 's', x: [1, 2, 3, 4, 5], y, interval: { low: y, high: y } }],
      });
      expect(svg).not.toMatch(/"[^"]*(NaN|Infinity|undefined)[^"]*"/);
    }
  });

  it('refuses a series whose x and y do not match', () => {
    expect(() => linePlot({ ...plot, series: [{ name: 's', x: [1, 2], y: [1] }] })).toThrow('series "s": 2 x for 1 y');
  });
});
