/** The report of a run: one HTML page with everything in it, nothing loaded from elsewhere. */
import { html, Markup } from '../../figures/html.ts';
import type { ReportData } from './data.ts';
import { datasetNoiseSection } from './datasetNoise.ts';
import { fidelitySection } from './fidelity.ts';
import { perturbSection } from './perturb.ts';
import {
  differencesSection,
  interpolationsSection,
  reconstructionsSection,
  resolutionsSection,
  samplesSection,
} from './pictures.ts';
import { responsivePlot } from './plots.ts';
import { sampleSpectraSection } from './spectra.ts';
import { REPORT_STYLE } from './style.ts';

export type { ReportData } from './data.ts';

/**
 * Renders the page. All text is escaped; images are embedded as they are.
 *
 * @throws RangeError where an image is no PNG.
 */
export function renderReport(data: ReportData): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${data.name} · Chladni</title>
<style>${new Markup(REPORT_STYLE)}</style>
</head>
<body>
<main>
${header(data)}
${when(data.reconstructions?.pairs, () => reconstructionsSection(data.reconstructions!))}
${when(data.resolutions?.drawings, () => resolutionsSection(data.resolutions!))}
${when(data.samples, samplesSection)}
${when(data.interpolations, interpolationsSection)}
${when(data.differences?.images, () => differencesSection(data.differences!))}
${when(data.fidelity?.scales, () => fidelitySection(data.fidelity!))}
${data.sampleSpectra && sampleSpectraSection(data.sampleSpectra)}
${data.perturbations && perturbSection(data.perturbations)}
${data.datasetNoise && datasetNoiseSection(data.datasetNoise)}
${when(data.curves, curvesSection)}
${when(data.skipped, skippedSection)}
${when(data.commands, commandsSection)}
${data.config && configSection(data.config)}
${data.footer && html`<footer>${data.footer}</footer>`}
</main>
</body>
</html>
`.text;
}

/** A section, where there is something to put into it. */
function when<T>(list: readonly T[] | undefined, section: (list: readonly T[]) => Markup): Markup | null {
  return list && list.length > 0 ? section(list) : null;
}

function header({ name, summary, headline, facts }: ReportData): Markup {
  return html`<header>
<p class="kicker">Chladni · training report</p>
<h1>${name}</h1>
${summary && html`<p class="summary">${summary}</p>`}
${when(headline, (numbers) => html`<dl class="headline">${numbers.map(({ value, unit, label }) => html`<div><dt>${label}</dt><dd>${value}${unit && html` <small>${unit}</small>`}</dd></div>`)}</dl>`)}
${when(facts, (lines) => html`<dl class="facts">${lines.map(({ label, text }) => html`<div><dt>${label}</dt><dd>${text}</dd></div>`)}</dl>`)}
</header>`;
}

function curvesSection(curves: NonNullable<ReportData['curves']>): Markup {
  return html`<section>
<h2>Training</h2>
${curves.map(
  ({ plot, caption }) => html`<figure>
${responsivePlot(plot)}
${caption && html`<figcaption>${caption}</figcaption>`}
</figure>\n`,
)}
</section>`;
}

function skippedSection(skipped: NonNullable<ReportData['skipped']>): Markup {
  return html`<section>
<h2>Skipped files</h2>
<div class="table"><table class="skipped">
<thead><tr><th>File</th><th style="text-align: left">Why</th></tr></thead>
<tbody>${skipped.map(({ name, reason }) => html`<tr><td>${name}</td><td>${reason}</td></tr>\n`)}</tbody>
</table></div>
<p class="note">${skipped.length === 1 ? 'This file was' : `These ${skipped.length} files were`} not used in training.</p>
</section>`;
}

function commandsSection(commands: NonNullable<ReportData['commands']>): Markup {
  return html`<section>
<h2>Reproduce</h2>
${commands.map(({ purpose, command }) => html`<div class="command"><p>${purpose}</p><pre><code>${command}</code></pre></div>\n`)}
</section>`;
}

function configSection(config: string): Markup {
  return html`<section>
<h2>Config</h2>
<details><summary>Every setting of this run</summary><pre><code>${config}</code></pre></details>
</section>`;
}
