/** What the pages' plots share: a plot for wide and narrow pages, columns and axes of bands. */
import { type Heatmap, heatmap } from '../../figures/heatmap.ts';
import { html, Markup } from '../../figures/html.ts';
import { type LinePlot, linePlot } from '../../figures/plot.ts';
import type { BandEntry } from '../../metrics/result.ts';
import type { Band } from '../../metrics/signal/bands.ts';

/** A plot twice, for wide pages and for narrow ones: scaled down, its text could not be read. The style sheet shows one. */
export function responsivePlot(plot: LinePlot | Heatmap): Markup {
  const draw = (width: number, height: number) =>
    'values' in plot ? heatmap({ ...plot, width }) : linePlot({ ...plot, width, height });
  const [wide, narrow] = [draw(936, 380), draw(384, 300)];
  return html`<div class="wide">${new Markup(wide)}</div><div class="narrow">${new Markup(narrow)}</div>`;
}

/** One number of each band. */
export function column(entries: readonly BandEntry[], key: string): number[] {
  return entries.map((entry) => Number(entry[key]));
}

/** The middle of a ring, in cycles per image. */
export function ringMiddle({ fromCyclesPerImage, toCyclesPerImage }: Band): number {
  return (fromCyclesPerImage + toCyclesPerImage) / 2;
}

/** A logarithmic axis that holds all rings, and 1 to 2 cycles per image at least. */
export function frequencyAxis(rings: readonly Band[]): LinePlot['x'] {
  const low = Math.min(1, ...rings.map(ringMiddle));
  const high = Math.max(2, ...rings.map(({ toCyclesPerImage }) => toCyclesPerImage));
  return { label: 'cycles per image', scale: 'log2', domain: [low, high] };
}
