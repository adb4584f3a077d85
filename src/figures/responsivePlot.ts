import { type Heatmap, heatmap } from './heatmap.ts';
import { html, Markup } from './html.ts';
import { type LinePlot, linePlot } from './plot.ts';

/** A plot twice, for wide pages and for narrow ones: scaled down, its text could not be read. The page shows one. */
export function responsivePlot(plot: LinePlot | Heatmap): Markup {
  const draw = (width: number, height: number) =>
    'values' in plot ? heatmap({ ...plot, width }) : linePlot({ ...plot, width, height });
  const [wide, narrow] = [draw(936, 380), draw(384, 300)];
  return html`<div class="wide">${new Markup(wide)}</div><div class="narrow">${new Markup(narrow)}</div>`;
}
