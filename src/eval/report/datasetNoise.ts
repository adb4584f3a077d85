/** The report of a run on noisy images: how much of their noise the generator draws, beside the same run on clean ones. */
import { html, type Markup } from '../../figures/html.ts';
import { formatNumber } from '../../figures/scale.ts';
import type { BandEntry, EvaluationResult } from '../../metrics/result.ts';
import { column, responsivePlot, ringMiddle } from './plots.ts';

/** The section about noise in the training images, from `eval/dataset_noise.json`. */
export function datasetNoiseSection({ bands = [], rings = [], protocol }: EvaluationResult): Markup {
  const shown = rings.filter(({ kind }) => kind === 'ring');
  const x = shown.map(ringMiddle);
  const curve = (name: string, key: string) => ({
    name,
    x,
    y: column(shown, key),
    interval: { low: column(shown, `${key}Low`), high: column(shown, `${key}High`) },
  });
  const cell = (entry: BandEntry, key: string) => {
    const [value, low, high] = ['', 'Low', 'High'].map((end) => formatNumber(Number(entry[key + end]), 2));
    return html`<td>${value}${low !== high && html` <small>(${low} to ${high})</small>`}</td>`;
  };
  return html`<section>
<h2>Noise learned from the training images</h2>
<figure>
${responsivePlot({
  title: 'Noise drawn over noise given',
  x: { label: 'cycles per image', scale: 'log2' },
  y: { label: 'fraction' },
  series: [curve('G, all that noise changed', 'noiseGain'), curve('C, copied', 'noiseCopy')],
  guides: [{ axis: 'y', at: 1, label: '' }],
})}
<figcaption><b>C: the fraction of the noise that is copied; G: energy of everything that the noise changed, over its own.</b> G above C² is change that is no copy, two trainings that went apart included. Shaded: 95 % intervals over images.</figcaption>
</figure>
<figure>
<div class="table"><table>
<thead><tr><th>Cycles per image</th><th>Modes</th><th>G</th><th>C</th><th>Power excess</th></tr></thead>
<tbody>${bands.map((band) => html`<tr><td>${band.name.replace('-', ' – ')}</td><td>${band.modes}</td>${cell(band, 'noiseGain')}${cell(band, 'noiseCopy')}${cell(band, 'powerExcess')}</tr>\n`)}</tbody>
</table></div>
<figcaption>In parentheses: 95 % intervals. Power excess: what the noise adds to the drawings' power, over its own; buried under the images where they have most of theirs. Protocol: ${protocol}.</figcaption>
</figure>
</section>`;
}
