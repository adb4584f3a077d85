/** A table of numbers as coloured cells, as SVG: bands of frequency against steps of training, say. */
import { scaleLinear } from 'd3-scale';
import { html, type Markup } from './html.ts';
import { formatNumber } from './scale.ts';

export interface Heatmap {
  title: string;
  /** What a value is, with the unit: `SNR (dB)`. */
  value: string;
  x: { label: string; ticks: readonly (string | number)[] };
  y: { label: string; ticks: readonly (string | number)[] };
  /** values[row][column]; rows from the top. A value that is not finite leaves its cell empty. */
  values: readonly (readonly number[])[];
  width?: number;
}

/** Dark to light in equal steps of lightness, for all kinds of colour vision (five points of viridis). */
const colourAt = scaleLinear<number[]>()
  .domain([0, 0.25, 0.5, 0.75, 1])
  .range([
    [68, 1, 84],
    [59, 82, 139],
    [33, 145, 140],
    [94, 201, 98],
    [253, 231, 37],
  ])
  .clamp(true);
const FONT = 12;
const ROW_HEIGHT = 30;
const CELL_FOR_TEXT = 34;

/** Draws the heatmap; the number stands in each cell where there is room. Text takes the page's colour. */
export function heatmap({ title, value, x, y, values, width = 936 }: Heatmap): string {
  const columns = x.ticks.length;
  const left = 12 + Math.max(y.label.length, ...y.ticks.map((tick) => String(tick).length)) * FONT * 0.56;
  const top = 52;
  const cell = (width - left - 4) / columns;
  const height = top + ROW_HEIGHT * y.ticks.length + 40;
  const finite = values.flat().filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  // As many column labels as don't touch.
  const every = Math.ceil((Math.max(...x.ticks.map((tick) => String(tick).length)) * FONT * 0.56 + 10) / cell);
  const rows = y.ticks.map((tick, row) => {
    const at = top + row * ROW_HEIGHT;
    return html`<text x="${left - 8}" y="${at + ROW_HEIGHT / 2 + 4}" text-anchor="end">${tick}</text>
${values[row].map((number, column) => drawCell(number, left + column * cell, at, cell, (number - low) / (high - low || 1)))}`;
  });
  const bottom = top + ROW_HEIGHT * y.ticks.length;
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="${FONT}" fill="currentColor" role="img" aria-label="${title}">
<text x="0" y="16" font-size="15" font-weight="bold">${title}</text>
<text x="0" y="40" opacity="0.68">${y.label} ↓, ${value} from ${formatNumber(low)} (dark) to ${formatNumber(high)} (light)</text>
${rows}
${x.ticks.map((tick, column) => (column % every === 0 ? html`<text x="${left + (column + 0.5) * cell}" y="${bottom + 16}" text-anchor="middle">${tick}</text>` : null))}
<text x="${width}" y="${bottom + 34}" text-anchor="end" opacity="0.68">${x.label}</text>
</svg>`.text;
}

function drawCell(value: number, x: number, y: number, width: number, fraction: number): Markup | null {
  if (!Number.isFinite(value)) return null;
  const [red, green, blue] = colourAt(fraction).map(Math.round);
  const text = 0.3 * red + 0.59 * green + 0.11 * blue > 130 ? '#000' : '#fff';
  const label = html`<text x="${x + width / 2}" y="${y + ROW_HEIGHT / 2 + 4}" text-anchor="middle" fill="${text}">${value.toFixed(value < 9.95 ? 1 : 0)}</text>`;
  return html`<rect x="${x}" y="${y}" width="${width - 1}" height="${ROW_HEIGHT - 1}" fill="rgb(${red},${green},${blue})"/>${width >= CELL_FOR_TEXT ? label : null}`;
}
