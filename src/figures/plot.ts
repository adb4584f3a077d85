/**
 * Line and step plots as SVG: the one module that draws them. Text and axes take the page's colour (`currentColor`), so
 * a plot reads on light, dark and paper; without a page they are black on nothing.
 */
import { area, line } from 'd3-shape';
import { type Content, html, type Markup } from './html.ts';
import { makeScale, type Scale, type ScaleKind } from './scale.ts';

/** Okabe & Ito's colours for all kinds of colour vision, without those too pale on white or too dark on black. */
export const PALETTE: readonly string[] = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f'];

export interface Axis {
  /** What the axis shows, with the unit: `SNR (dB)`. */
  label: string;
  scale?: ScaleKind;
  /** Fixes the ends; what lies beyond is cut off. */
  domain?: readonly [number, number];
}

export interface Series {
  name: string;
  x: ArrayLike<number>;
  /** As long as `x`; for steps one shorter. A value that is not finite, or not positive on a log axis, leaves a gap. */
  y: ArrayLike<number>;
  /** Draws y[i] level from x[i] to x[i+1]: `x` holds the edges of bins. */
  step?: boolean;
  dashed?: boolean;
  /** An interval around y, shaded. */
  interval?: { low: ArrayLike<number>; high: ArrayLike<number> };
  /** Instead of the palette's next. */
  color?: string;
}

export interface LinePlot {
  title: string;
  x: Axis;
  y: Axis;
  series: readonly Series[];
  /** Labelled lines across the plot: a Nyquist frequency, a noise floor. */
  guides?: readonly { axis: 'x' | 'y'; at: number; label: string }[];
  /** Size in CSS pixels; as an image in a page the plot scales to the room it has. */
  width?: number;
  height?: number;
}

const FONT = 12;
/** Mean width of a character, as a fraction of the font size. */
const CHARACTER = 0.56;
const MUTED = '0.68';
/**
 * Pixels of axis that a label should have. d3 takes the number of ticks as a wish, and makes up to 1.4 times as many
 * linear ones.
 */
const ROOM = { x: { linear: 100, log: 80, log2: 48 }, y: { linear: 54, log: 44, log2: 44 } };
/** Up to this many points are marked one by one. */
const MARKED_POINTS = 20;

interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  x: Scale;
  y: Scale;
}

/** One point of a series in the frame, in pixels. `low` and `high` are of its interval. */
interface Point {
  x: number;
  y: number;
  low: number;
  high: number;
}

/** Draws a plot. @returns an `<svg>` element, for a page or a file of its own. */
export function linePlot(plot: LinePlot): string {
  const { title, series, guides = [], width = 640, height = 380 } = plot;
  const legend = series.length > 1 ? legendRows(series, width) : [];
  const legendTop = 34;
  const top = legendTop + 22 * legend.length + 26;
  const bottom = 44;

  const y = makeScale(allValues(series, 'y', guides), {
    kind: plot.y.scale ?? 'linear',
    domain: plot.y.domain,
    roomy: true,
    tickCount: Math.max(3, Math.floor((height - top - bottom) / ROOM.y[plot.y.scale ?? 'linear'])),
  });
  const left = Math.ceil(14 + Math.max(20, ...y.ticks.map(({ label }) => textWidth(label, FONT))));
  const plotWidth = width - left - 26;
  const x = makeScale(allValues(series, 'x', guides), {
    kind: plot.x.scale ?? 'linear',
    domain: plot.x.domain,
    roomy: false,
    tickCount: Math.max(2, Math.floor(plotWidth / ROOM.x[plot.x.scale ?? 'linear'])),
  });
  const frame: Frame = { left, top, width: plotWidth, height: height - top - bottom, x, y };
  const lines = series.map((one, i) => ({ ...one, color: one.color ?? PALETTE[i % PALETTE.length] }));
  const shown = lines.map((one) => ({ ...one, runs: runsOf(one, frame) }));
  const empty = shown.every(({ runs }) => runs.length === 0);

  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}" fill="currentColor" font-family="ui-sans-serif, system-ui, -apple-system, 'Segoe UI', sans-serif" font-size="${FONT}">
<text x="0" y="17" font-size="15" font-weight="600">${title}</text>
${legend.map((row, i) => legendMarkup(row, legendTop + 22 * i + 8))}
<text x="0" y="${top - 13}" opacity="${MUTED}">${plot.y.label}</text>
${axes(frame, plot.x.label, height)}
${guides.map((guide) => guideMarkup(guide, frame))}
<svg x="${left}" y="${top}" width="${plotWidth}" height="${frame.height}" overflow="hidden">
${shown.map(({ runs, color, interval }) => interval && runs.map((run) => html`<path d="${areaPath([...run])}" fill="${color}" fill-opacity="0.2"/>\n`))}
${shown.map(({ runs, color, dashed }) => runs.map((run) => lineMarkup(run, color, dashed)))}
</svg>
${shown.map(({ runs, color, dashed, step }) => !step && marks(runs, color, dashed, frame))}
${empty && html`<text x="${left + plotWidth / 2}" y="${top + frame.height / 2}" text-anchor="middle" opacity="${MUTED}">no values to show</text>`}
</svg>`.text.replace(/\n+/g, '\n');
}

function textWidth(text: string, size: number): number {
  return text.length * CHARACTER * size;
}

function allValues(series: readonly Series[], axis: 'x' | 'y', guides: LinePlot['guides'] = []): number[] {
  return [
    ...series.flatMap((one) => Array.from(one[axis])),
    ...(axis === 'y'
      ? series.flatMap(({ interval }) => (interval ? [...Array.from(interval.low), ...Array.from(interval.high)] : []))
      : []),
    ...guides.filter((guide) => guide.axis === axis).map(({ at }) => at),
  ];
}

/** A series in pixels, split where it has gaps, thinned to what can be seen. */
function runsOf({ name, x, y, step, interval }: Series, frame: Frame): Point[][] {
  if (x.length !== y.length + (step ? 1 : 0)) throw new RangeError(`series "${name}": ${x.length} x for ${y.length} y`);
  const at = (value: number) => frame.height * (1 - frame.y.position(value));
  const runs: Point[][] = [];
  let run: Point[] = [];
  const endRun = () => {
    if (run.length > 0) runs.push(thin(run));
    run = [];
  };
  for (let i = 0; i < y.length; i++) {
    const [value, low, high] = [
      at(y[i]),
      at(interval ? interval.low[i] : y[i]),
      at(interval ? interval.high[i] : y[i]),
    ];
    for (const edge of step ? [x[i], x[i + 1]] : [x[i]]) {
      const point = { x: frame.width * frame.x.position(edge), y: value, low, high };
      if (Number.isFinite(point.x) && Number.isFinite(point.y)) run.push(point);
      else endRun();
    }
  }
  endRun();
  return runs;
}

/** Keeps first, lowest, highest and last point of every half pixel: the same line, of bounded length. */
function thin(run: readonly Point[]): Point[] {
  const kept: Point[] = [];
  for (let start = 0; start < run.length; ) {
    let end = start + 1;
    while (end < run.length && Math.floor(2 * run[end].x) === Math.floor(2 * run[start].x)) end++;
    const column = run.slice(start, end);
    if (column.length <= 4) kept.push(...column);
    else {
      const heights = column.map((point) => point.y);
      const indices = [
        0,
        heights.indexOf(Math.min(...heights)),
        heights.indexOf(Math.max(...heights)),
        column.length - 1,
      ];
      kept.push(...[...new Set(indices)].sort((a, b) => a - b).map((i) => column[i]));
    }
    start = end;
  }
  return kept;
}

/** Rounded, and within what every viewer can draw. */
const pixel = (value: number) => Number(Math.max(-1e4, Math.min(1e4, value)).toFixed(1));

const linePath = line<Point>(
  ({ x }) => pixel(x),
  ({ y }) => pixel(y),
).digits(1);
const areaPath = area<Point>(
  ({ x }) => pixel(x),
  ({ low }) => pixel(low),
  ({ high }) => pixel(high),
)
  .defined(({ low, high }) => Number.isFinite(low) && Number.isFinite(high))
  .digits(1);

function lineMarkup(run: readonly Point[], color: string, dashed = false): Markup {
  return html`<path d="${linePath([...run])}" fill="none" stroke="${color}" stroke-width="1.8" stroke-linejoin="round" stroke-linecap="round"${dashed && html` stroke-dasharray="5 4.5"`}/>\n`;
}

/** Dots on few points, and on those that no line shows because they stand alone. */
function marks(runs: readonly Point[][], color: string, dashed: boolean | undefined, frame: Frame): Content {
  const total = runs.reduce((sum, run) => sum + run.length, 0);
  const few = total <= MARKED_POINTS && !dashed;
  const inside = ({ x, y }: Point) => x >= -0.5 && x <= frame.width + 0.5 && y >= -0.5 && y <= frame.height + 0.5;
  return runs
    .flatMap((run) => (few || run.length === 1 ? run : []))
    .filter(inside)
    .map(
      ({ x, y }) => html`<circle cx="${pixel(frame.left + x)}" cy="${pixel(frame.top + y)}" r="3" fill="${color}"/>\n`,
    );
}

function axes({ left, top, width, height, x, y }: Frame, label: string, totalHeight: number): Content {
  const [right, bottom] = [left + width, top + height];
  const inside = (position: number) => position > -0.001 && position < 1.001;
  const atX = (value: number) => pixel(left + width * x.position(value));
  const atY = (value: number) => pixel(bottom - height * y.position(value));
  const on = (scale: Scale) => (value: number) => inside(scale.position(value));
  const visibleX = x.ticks.filter(({ value }) => on(x)(value));
  const visibleY = y.ticks.filter(({ value }) => on(y)(value));
  return [
    y.minorTicks.filter(on(y)).map((value) => rule(left, atY(value), right, atY(value), '0.05')),
    visibleY.map(({ value }) => rule(left, atY(value), right, atY(value), '0.16')),
    visibleY.map(
      ({ value, label }) =>
        html`<text x="${left - 8}" y="${atY(value) + 4}" text-anchor="end" opacity="${MUTED}">${label}</text>\n`,
    ),
    rule(left, bottom, right, bottom, '0.55'),
    x.minorTicks.filter(on(x)).map((value) => rule(atX(value), bottom, atX(value), bottom + 3, '0.4')),
    visibleX.map(({ value }) => rule(atX(value), bottom, atX(value), bottom + 5, '0.55')),
    visibleX.map(
      ({ value, label }) =>
        html`<text x="${atX(value)}" y="${bottom + 19}" text-anchor="middle" opacity="${MUTED}">${label}</text>\n`,
    ),
    html`<text x="${right}" y="${totalHeight - 4}" text-anchor="end" opacity="${MUTED}">${label}</text>`,
  ];
}

function rule(x1: number, y1: number, x2: number, y2: number, opacity: string): Markup {
  return html`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="currentColor" stroke-opacity="${opacity}"/>\n`;
}

function guideMarkup({ axis, at, label }: NonNullable<LinePlot['guides']>[number], frame: Frame): Content {
  const position = frame[axis].position(at);
  if (!(position >= 0 && position <= 1)) return null;
  const { left, top, width, height } = frame;
  const [right, bottom] = [left + width, top + height];
  const [x, y] = [pixel(left + width * position), pixel(bottom - height * position)];
  const [x1, y1, x2, y2] = axis === 'x' ? [x, top, x, bottom] : [left, y, right, y];
  const text =
    axis === 'y'
      ? { x: left + 6, y: y - 5, anchor: 'start' }
      : { x, y: top - 5, anchor: position > 0.85 ? 'end' : position < 0.15 ? 'start' : 'middle' };
  return html`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="currentColor" stroke-opacity="0.5" stroke-dasharray="2 3"/>
<text x="${text.x}" y="${text.y}" text-anchor="${text.anchor}" font-size="11" opacity="${MUTED}">${label}</text>\n`;
}

interface LegendEntry extends Series {
  left: number;
}

/** Names in rows that fit the width. */
function legendRows(series: readonly Series[], width: number): LegendEntry[][] {
  const rows: LegendEntry[][] = [[]];
  let left = 0;
  series.forEach((one, i) => {
    const entryWidth = 30 + textWidth(one.name, FONT) + 18;
    if (left > 0 && left + entryWidth > width) {
      rows.push([]);
      left = 0;
    }
    rows.at(-1)!.push({ ...one, color: one.color ?? PALETTE[i % PALETTE.length], left });
    left += entryWidth;
  });
  return rows;
}

function legendMarkup(row: readonly LegendEntry[], y: number): Content {
  return row.map(
    ({ name, color, dashed, left }) =>
      html`<line x1="${left}" y1="${y - 4}" x2="${left + 22}" y2="${y - 4}" stroke="${color}" stroke-width="2.4" stroke-linecap="round"${dashed && html` stroke-dasharray="5 4.5"`}/>
<text x="${left + 29}" y="${y}">${name}</text>\n`,
  );
}
