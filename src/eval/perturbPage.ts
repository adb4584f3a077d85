/** The page of a disturbed generator: relative change per frequency, one curve a size. */
import { html, Markup } from './html.ts';
import type { Perturbation, PerturbStudy } from './perturbStudyData.ts';
import { type LinePlot, PALETTE, type Series } from './plot.ts';
import { formatNumber } from './plotScale.ts';
import { responsivePlot } from './reportPlot.ts';
import { REPORT_STYLE } from './reportStyle.ts';

const FIGURES: Record<string, { title: string; unit: string; caption: string }> = {
  latent: {
    title: 'Latent',
    unit: '× spread',
    caption:
      'Latents moved in a random direction, relative to the spread of the training latents. Flat: a step changes all detail alike. Rising: fine detail is decided by small steps, which interpolation will show as flicker.',
  },
  weights: {
    title: 'Weights, all at once',
    unit: '× norm',
    caption: 'A random direction of all weights of the field (Rahaman et al. 2019). Large layers take most of it.',
  },
  'weights-layer': {
    title: 'Weights, each layer relative to itself',
    unit: '× norm',
    caption: 'Every layer disturbed by the same fraction of its own norm.',
  },
  jitter: {
    title: 'Coordinate jitter',
    unit: 'px',
    caption:
      'Every pixel drawn a little off its centre. Dashed: the closed form, a blur by exp(−2π²τ²|ν|²) and the energy it takes, spread as white noise. What lies above it is detail between the pixels that the training images did not hold.',
  },
  frequencies: {
    title: 'Fourier frequencies',
    unit: 'cycles',
    caption: 'Every frequency of the encoding shifted at random, the weights as they were.',
  },
};

export function perturbPage(name: string, study: PerturbStudy): string {
  const { perturbations, pathLength } = study;
  const kinds = Object.keys(FIGURES).filter((kind) => perturbations.some((one) => one.kind === kind));
  const layers = perturbations.filter(({ kind }) => kind.startsWith('weights-layer-'));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}, disturbed · Chladni</title>
<style>${new Markup(REPORT_STYLE)}</style>
</head>
<body>
<main>
<header>
<p class="kicker">Chladni · sensitivity of a generator</p>
<h1>${name}</h1>
<p class="summary">${study.images} training images, ${study.repeats} random disturbances of each: how much of every band changes, as a fraction of its energy. 1: as much as there was; 2: another image.</p>
</header>
${kinds.map((kind) => {
  const { title, unit, caption } = FIGURES[kind];
  return figure(
    changePlot(
      title,
      perturbations.filter((one) => one.kind === kind).map((one) => ({ ...one, label: `${one.size} ${unit}` })),
    ),
    caption,
  );
})}
${
  layers.length > 0 &&
  figure(
    changePlot(
      'Weights, one layer at a time',
      layers.map((one) => ({ ...one, label: `layer ${one.kind.slice('weights-layer-'.length)}, ${one.size} × norm` })),
    ),
    'One layer disturbed by a fraction of its own norm, the others as they were.',
  )
}
${
  pathLength &&
  html`<section><h2>Path length</h2>
<div class="table"><table><thead><tr><th>Cycles per image</th><th>Path length</th><th>95 %</th></tr></thead>
<tbody>${pathLength.bands.map((band) => html`<tr><td>${band.name}</td><td>${formatNumber(band.pathLength)}</td><td>${formatNumber(band.low)} – ${formatNumber(band.high)}</td></tr>\n`)}</tbody></table></div>
<p class="note">Mean squared change per unit of the way from one sampled latent to another, ${pathLength.pairs} pairs, ε = ${pathLength.epsilon}.</p></section>`
}
</main>
</body>
</html>
`.text;
}

function figure(plot: LinePlot, caption: string) {
  return html`<section><figure>${responsivePlot(plot)}<figcaption>${caption}</figcaption></figure></section>`;
}

function changePlot(title: string, perturbations: readonly (Perturbation & { label: string })[]): LinePlot {
  const series = perturbations.flatMap(({ bands, predicted, label }, i): Series[] => {
    const shown = bands.flatMap((band, b) => (band.kind === 'octave' ? [b] : []));
    const x = shown.map((b) => Math.sqrt(bands[b].fromCyclesPerImage * bands[b].toCyclesPerImage));
    const color = PALETTE[i % PALETTE.length];
    const band = {
      low: shown.map((b) => bands[b].relativeChangeLow),
      high: shown.map((b) => bands[b].relativeChangeHigh),
    };
    return [
      { name: label, x, y: shown.map((b) => bands[b].relativeChange), band, color },
      ...(predicted
        ? [{ name: `${label}, closed form`, x, y: shown.map((b) => predicted[b].relativeChange), color, dashed: true }]
        : []),
    ];
  });
  return {
    title,
    x: { label: 'cycles per image', scale: 'log2' },
    y: { label: 'relative change of energy', scale: 'log' },
    series,
    guides: [{ axis: 'y', at: 1, label: '' }],
  };
}
