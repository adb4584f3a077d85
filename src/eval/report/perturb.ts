/** The report's figures of a disturbed generator: relative change per frequency, one curve a size. */
import { html, Markup } from '../../figures/html.ts';
import { type LinePlot, linePlot, PALETTE, type Series } from '../../figures/plot.ts';
import type { BandEntry, EvaluationResult } from '../../metrics/result.ts';
import { PATH_LENGTH } from '../perturb/studyData.ts';
import { column } from './plots.ts';

const LAYER = /^weights-layer-(\d+)$/;

interface Figure {
  /** Matches the `perturbation` of the entries that the figure shows. */
  kind: RegExp;
  title: string;
  label: (kind: string, size: number) => string;
  caption: string;
}

const FIGURES: Figure[] = [
  {
    kind: /^latent$/,
    title: 'Latent',
    label: (_, size) => `${size} × spread`,
    caption:
      'Moved in a random direction, relative to the spread of the training latents. Flat: a step changes all detail alike. Rising: small steps decide fine detail, and interpolations flicker.',
  },
  {
    kind: /^weights$/,
    title: 'Weights, all at once',
    label: (_, size) => `${size} × norm`,
    caption: 'A random direction of all weights of the field. Large layers take most of it.',
  },
  {
    kind: /^weights-layer$/,
    title: 'Weights, layer by layer',
    label: (_, size) => `${size} × norm`,
    caption: 'Every layer disturbed by the same fraction of its own norm.',
  },
  {
    kind: LAYER,
    title: 'Weights, one layer alone',
    label: (kind, size) => `layer ${LAYER.exec(kind)![1]}, ${size} × norm`,
    caption: 'One layer disturbed by a fraction of its own norm, the others as they were.',
  },
  {
    kind: /^jitter$/,
    title: 'Coordinate jitter',
    label: (_, size) => `${size} px`,
    caption:
      'Every pixel drawn a little off its centre. Dashed: the closed form, a blur by exp(−2π²τ²|ν|²) and the energy it takes, spread as white noise. Above it lies detail between the pixels, which training never showed.',
  },
  {
    kind: /^frequencies$/,
    title: 'Fourier frequencies',
    label: (_, size) => `${size} cycles`,
    caption: 'Every frequency of the encoding shifted at random, the weights as they were.',
  },
];

/** The section about disturbances, from `eval/perturb.json`. */
export function perturbSection({ bands = [], protocol }: EvaluationResult): Markup {
  const octaves = bands.filter(({ kind }) => kind === 'octave');
  const figures = FIGURES.map((figure) => ({
    ...figure,
    entries: octaves.filter(({ perturbation }) => figure.kind.test(String(perturbation))),
  })).filter(({ entries }) => entries.length > 0);
  const path = octaves.filter(({ perturbation }) => perturbation === PATH_LENGTH);
  return html`<section>
<h2>What small disturbances change</h2>
<p class="note"><b>Change of each octave as a fraction of its energy.</b> 1: as much as there was; 2: another image. Shaded: 95 % interval.</p>
<div class="small">
${figures.map(({ title, label, caption, entries }) => figureOf(changePlot(title, label, entries), caption))}
${
  path.length > 0 &&
  figureOf(
    pathPlot(path),
    'Mean squared change per unit of the way from one sampled latent to another, in each octave: where much of it lies, images change fastest.',
  )
}
</div>
<p class="note">Of ${protocol}.</p>
</section>`;
}

function figureOf(plot: LinePlot, caption: string): Markup {
  const drawn = linePlot({ ...plot, width: 460, height: 360 });
  return html`<figure>${new Markup(drawn)}<figcaption>${caption}</figcaption></figure>`;
}

/** The middle of each octave. */
const middles = (entries: readonly BandEntry[]) =>
  entries.map(({ fromCyclesPerImage, toCyclesPerImage }) => Math.sqrt(fromCyclesPerImage * toCyclesPerImage));

function changePlot(title: string, label: Figure['label'], entries: readonly BandEntry[]): LinePlot {
  const curves = new Map<string, BandEntry[]>();
  for (const entry of entries) {
    const name = label(String(entry.perturbation), Number(entry.size));
    curves.set(name, [...(curves.get(name) ?? []), entry]);
  }
  const series = [...curves].flatMap(([name, curve], i): Series[] => {
    const [x, color] = [middles(curve), PALETTE[i % PALETTE.length]];
    const interval = { low: column(curve, 'relativeChangeLow'), high: column(curve, 'relativeChangeHigh') };
    const measured = { name, x, y: column(curve, 'relativeChange'), interval, color };
    if (!('predictedRelativeChange' in curve[0])) return [measured];
    const y = column(curve, 'predictedRelativeChange');
    return [measured, { name: `${name}, closed form`, x, y, color, dashed: true }];
  });
  return {
    title,
    x: { label: 'cycles per image', scale: 'log2' },
    y: { label: 'relative change', scale: 'log' },
    series,
    guides: [{ axis: 'y', at: 1, label: '' }],
  };
}

function pathPlot(entries: readonly BandEntry[]): LinePlot {
  const interval = { low: column(entries, 'pathLengthLow'), high: column(entries, 'pathLengthHigh') };
  return {
    title: 'Path length',
    x: { label: 'cycles per image', scale: 'log2' },
    y: { label: 'squared change per pixel', scale: 'log' },
    series: [{ name: 'path length', x: middles(entries), y: column(entries, 'pathLength'), interval }],
  };
}
