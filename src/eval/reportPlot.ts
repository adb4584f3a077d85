import { html, Markup } from './html.ts';
import { type LinePlot, linePlot } from './plot.ts';

/** A plot twice, for wide pages and for narrow ones: scaled down, its text could not be read. The page shows one. */
export function responsivePlot(plot: LinePlot): Markup {
  const wide = linePlot({ ...plot, width: 936, height: 380 });
  const narrow = linePlot({ ...plot, width: 384, height: 300 });
  return html`<div class="wide">${new Markup(wide)}</div><div class="narrow">${new Markup(narrow)}</div>`;
}
