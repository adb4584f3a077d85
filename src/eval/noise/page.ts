/** The page of a noise study: curves, tables and pictures in one file that loads nothing. */

import { html, Markup } from '../../figures/html.ts';
import { type LinePlot, linePlot, PALETTE, type Series } from '../../figures/plot.ts';
import { formatNumber } from '../../figures/scale.ts';
import type { Interval } from '../../metrics/signal/bootstrap.ts';
import type { LabelledPicture } from '../report/data.ts';
import { pictureRow } from '../report/pictures.ts';
import { responsivePlot } from '../report/plots.ts';
import { REPORT_STYLE } from '../report/style.ts';
import { flowOf, kernelGainAt, type WienerBaseline } from './baselines.ts';
import { bandsWithoutSignal, cleanCurve, WITHOUT_SIGNAL } from './result.ts';
import type { EncodingStudy, LevelStudy, NoiseStudyData } from './studyData.ts';

/** What a fit got wrong, per octave, as pictures around middle grey. */
export interface DifferencePictures {
  encoding: string;
  sigma: number;
  /** By how much differences are magnified. */
  magnification: number;
  pictures: readonly LabelledPicture[];
}

/** An encoding has the same colour in every plot, whichever are compared. */
const KINDS = ['none', 'basic', 'positional', 'gaussian'];
const colorOf = (kind: string) => PALETTE[KINDS.indexOf(kind) % PALETTE.length];

/** Octaves of fewer modes are not plotted. */
const NARROW_BAND_MODES = 12;
/** Below this, T²/G of the kernel is a ratio of next to nothing. */
const LEAST_TRANSFER = 0.1;

/** Renders the page. @param command how the study is made again. */
export function noisePage(data: NoiseStudyData, pictures: readonly DifferencePictures[], command: string): string {
  const { image, draws, optimizer, steps, points, wiener } = data;
  const title = `Noise study: ${image.name}`;
  const without = bandsWithoutSignal(data);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Chladni</title>
<style>${new Markup(REPORT_STYLE)}</style>
</head>
<body>
<main>
<header>
<p class="kicker">Chladni · noise sensitivity</p>
<h1>${image.name}</h1>
<p class="summary">${image.width}×${image.height} pixels, fitted by ${data.studies.length === 1 ? 'one encoding' : `${data.studies.length} encodings`} under ${draws} independent draws of white noise at ${wiener.length === 1 ? 'one level' : `each of ${wiener.length} levels`}: how much of the signal comes through in each band of frequencies, and how much of the noise.</p>
<dl class="facts">
<div><dt>Training</dt><dd>${optimizer === 'gd' ? 'plain gradient descent' : 'Adam'}, ${steps} steps on ${points} pixels each; same initial weights and batches for all</dd></div>
${wiener.map(({ sigma, crossingCyclesPerPixel, psnrDb, isotropicPsnrDb }) => html`<div><dt>σ = ${sigma}</dt><dd>noise exceeds the signal above ρ× = ${formatNumber(crossingCyclesPerPixel)} cycles per pixel; oracle Wiener filter ${psnrDb.toFixed(1)} dB, isotropic ${isotropicPsnrDb.toFixed(1)} dB</dd></div>`)}
</dl>
</header>
<section>
<h2>Quality over training</h2>
${wiener.map((baseline, i) => psnrFigure(data, baseline, i))}
</section>
<section>
<h2>Noise against signal</h2>
<p class="note"><b>Each curve is a fit being trained, from the lower left.</b> T is the fraction of the signal that comes through, G the energy of the fit's noise over that of the data. A filter with one gain for the whole band runs along T² (grey). The dashed curves are what the untrained field's own kernel (eNTK) would do. <b>Below its dashed curve a fit denoises: it has learned features of the image. Above, it is brittle.</b> Compare encodings at the same T, never at the same step.</p>
${wiener.map((baseline, i) => transferGainFigures(data, baseline, i))}
</section>
<section>
<h2>Per band, at the last step</h2>
<div class="table"><table>
<thead><tr><th>Cycles per image</th><th>Encoding</th><th>T</th><th>G</th><th>95 %</th><th>C</th><th>T²/G</th><th>eNTK T²/G</th><th>bias² (MSE)</th><th>variance</th></tr></thead>
${wiener.map((baseline, i) => bandRows(data, baseline, i))}
</table></div>
<p class="note"><b>C</b> is the fraction of the noise that is copied; G ≥ C², and the gap is noise that the fit turned into something else: spread of gains, other modes, other paths of training. <b>T²/G</b> above the eNTK's value in the same band is denoising. bias² and variance are parts of the MSE against the clean image; bias² is an estimate free of variance and can come out below zero.${without.length > 0 && ` No T in ${without.join(', ')}: ${WITHOUT_SIGNAL}.`}</p>
</section>
${impulseSection(data.studies, data.impulseAmplitude)}
${pictures.length > 0 && picturesSection(pictures)}
<section>
<h2>Reproduce</h2>
<pre><code>${command}</code></pre>
</section>
</main>
</body>
</html>
`.text;
}

function psnrFigure({ studies }: NoiseStudyData, { sigma, psnrDb }: WienerBaseline, at: number): Markup {
  const series = studies.flatMap(({ encoding, levels }): Series[] => {
    const shown = levels[at].trajectory.filter(({ step }) => step > 0);
    const x = shown.map(({ step }) => step);
    const color = colorOf(encoding.kind);
    return [
      { name: encoding.kind, x, y: shown.map(({ psnrCleanDb }) => psnrCleanDb), color },
      {
        name: `${encoding.kind}, against the noisy image`,
        x,
        y: shown.map(({ psnrNoisyDb }) => psnrNoisyDb),
        color,
        dashed: true,
      },
    ];
  });
  const curves = studies.map(({ encoding, levels }) => ({ kind: encoding.kind, ...cleanCurve(levels[at]) }));
  return html`<figure>
${responsivePlot({
  title: `PSNR against the clean image, σ = ${sigma}`,
  x: { label: 'step', scale: 'log' },
  y: { label: 'PSNR (dB)' },
  series,
  guides: [{ axis: 'y', at: psnrDb, label: 'oracle Wiener filter' }],
})}
<figcaption>${curves.map(({ kind, peakDb, peakStep, finalDb, dropDb, intervals }) => html`<b>${kind}</b>: best ${peakDb.toFixed(2)} dB at step ${peakStep}, final ${finalDb.toFixed(2)} dB${rangeOf(intervals.finalDb)}, ${dropDb.toFixed(2)} dB${rangeOf(intervals.dropDb)} lost since. `)}Stopping at the best needs the clean image: an oracle.</figcaption>
</figure>`;
}

const rangeOf = ([low, high]: Interval) => (low < high ? ` (${low.toFixed(2)} to ${high.toFixed(2)})` : '');

/** The bands worth a plot: T and G of a few modes are anecdotes, and some bands have no T. */
function plottedBands({ studies }: NoiseStudyData, at: number): number[] {
  const { bands } = studies[0].levels[at].trajectory[0];
  return bands.flatMap(({ kind, modes, transfer }, b) =>
    kind === 'octave' && modes >= NARROW_BAND_MODES && !Number.isNaN(transfer) ? [b] : [],
  );
}

function transferGainFigures(data: NoiseStudyData, wiener: WienerBaseline, at: number): Markup {
  return html`<h3>σ = ${wiener.sigma}</h3>
<div class="small">${plottedBands(data, at).map((b) => new Markup(linePlot({ ...transferGainPlot(data, wiener, at, b), width: 460, height: 400 })))}</div>`;
}

/** G against T of one band over training, one curve an encoding, with the linear predictions and Wiener's point. */
export function transferGainPlot(data: NoiseStudyData, wiener: WienerBaseline, at: number, b: number): LinePlot {
  const { bands } = data.studies[0].levels[at].trajectory[0];
  const band = bands[b];
  const measured = data.studies.map(({ encoding, levels }): Series => {
    const path = levels[at].trajectory.filter(({ step }) => step > 0).map((entry) => entry.bands[b]);
    return {
      name: encoding.kind,
      x: path.map(({ transfer }) => transfer),
      y: path.map(({ noiseGain }) => noiseGain),
      color: colorOf(encoding.kind),
    };
  });
  const kernels = data.studies.flatMap(({ encoding, kernel }): Series[] => {
    const flow = flowOf(kernel, band).filter(({ transfer }) => transfer > 0);
    const color = colorOf(encoding.kind);
    const [x, y] = [flow.map(({ transfer }) => transfer), flow.map(({ gain }) => gain)];
    return flow.length > 0 ? [{ name: `${encoding.kind}, eNTK`, x, y, color, dashed: true }] : [];
  });
  const line = Array.from({ length: 51 }, (_, i) => i / 50);
  const one = { name: 'T²', x: line, y: line.map((t) => t * t), color: '#7f7f7f', dashed: true };
  const best = wiener.bands[b];
  const point = { name: 'Wiener', x: [best.transfer], y: [best.gain], color: '#7f7f7f' };
  const highest = Math.max(...measured.flatMap(({ y }) => Array.from(y)), best.gain, 0.05);
  return {
    title: `${band.name} cycles per image, σ = ${wiener.sigma}`,
    x: { label: 'T, signal transfer', domain: [0, 1.05] },
    y: { label: 'G, noise gain', domain: [0, Math.min(2, 1.1 * highest)] },
    series: [...measured, ...kernels, one, point],
  };
}

function bandRows({ studies }: NoiseStudyData, { sigma, bands }: WienerBaseline, at: number): Markup {
  const last = (level: LevelStudy) => level.trajectory[level.trajectory.length - 1].bands;
  const formatFixed = (value: number, decimals = 3) =>
    Number.isFinite(value) ? value.toFixed(decimals).replace('-', '−') : '–';
  return html`<tbody>
<tr><th colspan="10">σ = ${sigma}</th></tr>
${bands.map((best, b) => [
  studies.map((study: EncodingStudy) => {
    const band = last(study.levels[at])[b];
    const known = band.transfer >= LEAST_TRANSFER;
    const predicted = known ? band.transfer ** 2 / kernelGainAt(study.kernel, band, band.transfer) : Number.NaN;
    return html`<tr><td>${band.name}</td><td>${study.encoding.kind}</td><td>${formatFixed(band.transfer)}</td><td>${formatFixed(band.noiseGain)}</td><td>${formatFixed(band.noiseGainLow)} – ${formatFixed(band.noiseGainHigh)}</td><td>${formatFixed(band.noiseCopy)}</td><td>${formatFixed(band.transfer ** 2 / band.noiseGain, 2)}</td><td>${formatFixed(predicted, 2)}</td><td>${formatNumber(band.biasSquaredMse)}</td><td>${formatNumber(band.varianceMse)}</td></tr>\n`;
  }),
  html`<tr class="beyond"><td>${best.name}</td><td>Wiener</td><td>${formatFixed(best.transfer)}</td><td>${formatFixed(best.gain)}</td><td></td><td>${formatFixed(best.copy)}</td><td>${formatFixed(best.transfer ** 2 / best.gain, 2)}</td><td></td><td></td><td></td></tr>\n`,
])}</tbody>`;
}

function impulseSection(studies: readonly EncodingStudy[], amplitude: number): Markup | null {
  if (studies.every(({ impulses }) => impulses.length === 0)) return null;
  const row = ({ encoding, impulses }: EncodingStudy) => {
    const mean = (key: keyof (typeof impulses)[number]) =>
      formatNumber(impulses.reduce((sum, impulse) => sum + impulse[key], 0) / impulses.length);
    return html`<tr><td>${encoding.kind}</td><td>${impulses.length}</td><td>${mean('peak')}</td><td>${mean('energy')}</td><td>${mean('rmsRadiusPixels')}</td></tr>\n`;
  };
  return html`<section>
<h2>One disturbed pixel</h2>
<div class="table"><table>
<thead><tr><th>Encoding</th><th>Pixels tried</th><th>Peak</th><th>Energy</th><th>RMS radius (px)</th></tr></thead>
<tbody>${studies.map(row)}</tbody>
</table></div>
<p class="note"><b>What one pixel changes when ${amplitude} is added to it</b>, each response divided by that. Peak: at the pixel itself. Energy: of the whole response; a linear fit's is at most 1. Above 1, and with a radius as large as the image, the pixel has sent training down another path: the difference is that of two trainings, not the pixel's own trace.</p>
</section>`;
}

function picturesSection(pictures: readonly DifferencePictures[]): Markup {
  return html`<section>
<h2>What the fits got wrong, band by band</h2>
${pictures.map(
  ({ encoding, sigma, magnification, pictures: bands }) => html`<h3>${encoding}, σ = ${sigma}</h3>
${pictureRow(encoding, bands)}
<p class="note">Fit minus clean image at the last step, in octaves of cycles per image, ${magnification}× around middle grey.</p>`,
)}
</section>`;
}
