/** The report's numbers per frequency: plots over rings, a table over octaves. */
import { html, type Markup } from '../../figures/html.ts';
import type { LinePlot, Series } from '../../figures/plot.ts';
import { formatNumber } from '../../figures/scale.ts';
import type { BandFidelity } from '../../metrics/pairedSpectrum.ts';
import type { FidelityAtScale, FidelityData } from './data.ts';
import { frequencyAxis, responsivePlot, ringMiddle } from './plots.ts';

/** Plots of SNR and transfer over rings, and the table of octaves. */
export function fidelitySection({ scales, trainingNyquist }: FidelityData): Markup {
  const beyond = scales.some(({ scale }) => scale > 1);
  return html`<section>
<h2>Fidelity per frequency</h2>
<figure>
${responsivePlot(snrPlot(scales, trainingNyquist))}
<figcaption><b>How far the error lies below the image, at each frequency.</b> 20 dB: the error holds 1 % of the image's energy there; 0 dB: as much as the image itself. Shaded: 95 % intervals over images.${beyond && ' Right of the training Nyquist frequency the training images hold nothing, so the model has to extrapolate.'}</figcaption>
</figure>
<figure>
${responsivePlot(transferPlot(scales, trainingNyquist))}
<figcaption><b>How much of the image comes through, at each frequency.</b> Transfer T is the gain of the part that follows the image: 1 is perfect, 0 is nothing, in between is blur.</figcaption>
</figure>
<figure>
<div class="table"><table class="frequencies">
<thead><tr><th>Cycles per image</th><th>per pixel</th><th>Modes</th><th>Energy</th><th>MSE</th><th>FVU</th><th>SNR (dB)</th><th>T</th><th>FRC</th></tr></thead>
${scales.map((atScale) => tableBody(atScale, trainingNyquist))}
</table></div>
<figcaption><b>Octaves of radial frequency, at each multiple of the training size.</b> MSEs of a block add up to the MSE of its images. Energy: the image's own, as a share without the mean (DC). FVU: error as a fraction of the image's energy in the band; SNR = −10 log₁₀ FVU. FRC: correlation with the image. FVU = (1 − T)² + A(1 − FRC²), with A the ratio of energies. Corner: diagonal frequencies above half a cycle per pixel.${beyond && ' Grey: beyond the training Nyquist frequency.'}</figcaption>
</figure>
</section>`;
}

function overScales(scales: readonly FidelityAtScale[], column: 'snrDb' | 'transfer'): Series[] {
  return scales.map((atScale) => {
    const { scale, width, height } = atScale;
    const shown = ringsOf(atScale);
    const end = (which: 'Low' | 'High') => shown.map((ring) => ring[`${column}${which}`] ?? Number.NaN);
    const hasInterval = shown.every((ring) => ring[`${column}Low`] !== undefined);
    return {
      name: `${scale}× (${width} × ${height} px)`,
      x: shown.map(ringMiddle),
      y: shown.map((ring) => ring[column]),
      ...(hasInterval && { interval: { low: end('Low'), high: end('High') } }),
    };
  });
}

const ringsOf = ({ rings }: FidelityAtScale) => rings.filter(({ kind }) => kind === 'ring');

function guidesAt(trainingNyquist: number): NonNullable<LinePlot['guides']> {
  return [{ axis: 'x', at: trainingNyquist, label: 'training Nyquist' }];
}

function snrPlot(scales: readonly FidelityAtScale[], trainingNyquist: number): LinePlot {
  return {
    title: 'Signal-to-noise ratio',
    x: frequencyAxis(scales.flatMap(ringsOf)),
    y: { label: 'SNR (dB)' },
    series: overScales(scales, 'snrDb'),
    guides: guidesAt(trainingNyquist),
  };
}

function transferPlot(scales: readonly FidelityAtScale[], trainingNyquist: number): LinePlot {
  const series = overScales(scales, 'transfer');
  const values = series.flatMap(({ y }) => Array.from(y)).filter(Number.isFinite);
  // T of a ring that is all but empty can be anything; it must not flatten the rest.
  const low = Math.max(-0.5, Math.min(0, ...values) * 1.05);
  const high = Math.min(1.5, Math.max(1, ...values) * 1.05);
  return {
    title: 'Transfer',
    x: frequencyAxis(scales.flatMap(ringsOf)),
    y: { label: 'T', domain: [low, high] },
    series,
    guides: [...guidesAt(trainingNyquist), { axis: 'y', at: 1, label: '' }],
  };
}

function tableBody({ scale, width, height, images, bands }: FidelityAtScale, trainingNyquist: number): Markup {
  const variance = bands.reduce((sum, { kind, energy }) => sum + (kind === 'dc' ? 0 : energy), 0);
  const number = (value: number) => formatNumber(value);
  const formatFixed = (value: number, decimals: number) =>
    Number.isFinite(value) ? minus(value.toFixed(decimals)) : number(value);
  return html`<tbody>
<tr><th colspan="9">${scale}× · ${width} × ${height} px · ${images} ${images === 1 ? 'image' : 'images'}</th></tr>
${bands.map((band) => {
  const share = band.kind === 'dc' ? '' : `${formatFixed((100 * band.energy) / variance, 2)} %`;
  return html`<tr${scale > 1 && band.fromCyclesPerImage >= trainingNyquist && html` class="beyond"`}><td>${bandLabel(band)}</td><td>${edges(band.fromCyclesPerPixel, band.toCyclesPerPixel)}</td><td>${band.modes.toLocaleString('en-US')}</td><td>${share}</td><td>${number(band.mse)}</td><td>${number(band.fvu)}</td><td>${formatFixed(band.snrDb, 1)}</td><td>${formatFixed(band.transfer, 3)}</td><td>${formatFixed(band.frc, 3)}</td></tr>\n`;
})}</tbody>`;
}

function bandLabel({ kind, fromCyclesPerImage, toCyclesPerImage }: BandFidelity): string {
  if (kind === 'dc') return 'DC (the mean)';
  if (kind === 'corner') return `corner, above ${formatNumber(fromCyclesPerImage)}`;
  return edges(fromCyclesPerImage, toCyclesPerImage);
}

function edges(from: number, to: number): string {
  return to === 0 ? '0' : `${formatNumber(from)} – ${formatNumber(to)}`;
}

function minus(text: string): string {
  return text.replace('-', '−');
}
