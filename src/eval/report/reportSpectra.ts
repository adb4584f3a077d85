/** The report's numbers about samples as a set: spectra against the training images, distances with their floors. */

import { html, type Markup } from '../../figures/html.ts';
import { type LinePlot, PALETTE } from '../../figures/plot.ts';
import { formatNumber } from '../../figures/plotScale.ts';
import { responsivePlot } from '../../figures/responsivePlot.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import type { SpectralBand } from '../../metrics/setSpectra.ts';
import type { Interval } from '../../metrics/signal/bootstrap.ts';
import { ROUNDING_POWER } from '../../metrics/signal/imageStack.ts';

/** From `eval/samples.json` and `eval/scale_consistency.json`. */
export interface SampleSpectraData {
  samples: EvaluationResult;
  scaleConsistency?: EvaluationResult;
}

interface Row {
  label: string;
  /** Of the metrics' names. */
  pattern: RegExp;
  /** What stands in the last columns: the metric that tells what to expect. */
  expected?: { pattern: RegExp; label: string };
  reads: string;
}

const ROWS: Row[] = [
  {
    label: 'LSD (dB)',
    pattern: /_lsd_r/,
    expected: { pattern: /_lsd_floor_/, label: 'halves' },
    reads: 'distance of the spectra over all rings; 0 is equal',
  },
  {
    label: 'Spectral slope α of samples',
    pattern: /_slope_generated_/,
    expected: { pattern: /_slope_reference_/, label: 'training images' },
    reads: 'power falls as ρ^−α: a higher α is smoother',
  },
  {
    label: 'FWD',
    pattern: /_fwd_haar/,
    expected: { pattern: /_fwd_floor_/, label: 'halves' },
    reads: 'Fréchet distance of Haar packets; 0 is equal',
  },
  {
    label: 'SWD (×10³)',
    pattern: /_swd_mean_/,
    expected: { pattern: /_swd_floor_mean_/, label: 'halves' },
    reads: 'distance of local patches, octave by octave; 0 is equal',
  },
  { label: 'KID, random features', pattern: /_kid_/, reads: 'distance of features; 0 is equal, may be negative' },
  { label: 'Density', pattern: /_density_/, reads: 'how typical samples are; 1 is as typical as training images' },
  {
    label: 'Coverage',
    pattern: /_coverage_k/,
    expected: { pattern: /_coverage_expected_/, label: 'equal sets' },
    reads: 'share of training images that a sample comes near',
  },
  {
    label: 'MS-SSIM within samples',
    pattern: /_ms_ssim_generated_/,
    expected: { pattern: /_ms_ssim_reference_/, label: 'training images' },
    reads: 'how alike two samples are; higher than within training images: less diverse',
  },
  {
    label: 'Scale consistency (dB)',
    pattern: /^scale_consistency_/,
    reads: 'PSNR of the 4× drawing, reduced, against the 1× drawing',
  },
];

export function sampleSpectraSection({ samples, scaleConsistency }: SampleSpectraData): Markup {
  const rings = ((samples.rings ?? []) as unknown as SpectralBand[]).filter(({ kind }) => kind === 'ring');
  const metrics = { ...samples.metrics, ...scaleConsistency?.metrics };
  const intervals = { ...samples.intervals, ...scaleConsistency?.intervals };
  const [generated, reference] = [metrics.samples_images_generated, metrics.samples_images_reference];
  return html`<section>
<h2>Samples against training images</h2>
${
  rings.length > 0 &&
  html`<figure>
${responsivePlot(spectrumPlot(rings))}
<figcaption><b>Power at each frequency</b>, of ${formatNumber(generated, 6)} samples and of the ${formatNumber(reference, 6)} training images, Hann-windowed, averaged over images and channels.</figcaption>
</figure>
<figure>
${responsivePlot(differencePlot(rings))}
<figcaption><b>Below zero, samples lack detail of that size; above, they have too much.</b> Shaded: 95 % bootstrap interval over images. Grey: what two draws from the training images themselves would differ by.</figcaption>
</figure>`
}
<figure>
<div class="table"><table class="distances">
<thead><tr><th>Measure</th><th>Value</th><th>95 % interval</th><th>Compare with</th><th style="text-align: left">Reads as</th></tr></thead>
<tbody>${ROWS.map((row) => tableRow(row, metrics, intervals))}</tbody>
</table></div>
<figcaption>Halves: the same distance between halves of the training images, mean over several splits: what sampling alone gives sets half as large. Intervals of LSD, FWD and SWD have what sampling adds taken off, and may lie below the value. None of these uses learned weights, and none is an FID. docs/metrics.md defines them and says when they mislead.</figcaption>
</figure>
</section>`;
}

const middle = ({ fromCyclesPerImage, toCyclesPerImage }: SpectralBand) => (fromCyclesPerImage + toCyclesPerImage) / 2;

function frequencyAxis(rings: readonly SpectralBand[]): LinePlot['x'] {
  const domain = [Math.min(1, middle(rings[0])), Math.max(2, rings[rings.length - 1].toCyclesPerImage)] as const;
  return { label: 'cycles per image', scale: 'log2', domain };
}

function spectrumPlot(rings: readonly SpectralBand[]): LinePlot {
  const x = rings.map(middle);
  const [reference, generated] = [
    rings.map(({ referencePower }) => referencePower),
    rings.map(({ generatedPower }) => generatedPower),
  ];
  // Only spectra that come near it need to be told from it.
  const near = Math.min(...reference, ...generated) < 100 * ROUNDING_POWER;
  return {
    title: 'Power spectrum',
    x: frequencyAxis(rings),
    y: { label: 'power per mode', scale: 'log' },
    series: [
      { name: 'training images', x, y: reference, color: PALETTE[6] },
      { name: 'samples', x, y: generated, color: PALETTE[0] },
    ],
    guides: near ? [{ axis: 'y', at: ROUNDING_POWER, label: 'rounding to 8 bits' }] : [],
  };
}

function differencePlot(rings: readonly SpectralBand[]): LinePlot {
  const x = rings.map(middle);
  const sampling = rings.map(({ samplingDb }) => 1.96 * samplingDb);
  const column = (key: 'deltaDb' | 'deltaDbLow' | 'deltaDbHigh') => rings.map((ring) => ring[key]);
  return {
    title: 'Power of samples over training images',
    x: frequencyAxis(rings),
    y: { label: 'Δ (dB)' },
    series: [
      {
        name: 'sampling alone',
        x,
        y: rings.map(() => 0),
        dashed: true,
        band: { low: sampling.map((value) => -value), high: sampling },
        color: PALETTE[6],
      },
      {
        name: 'samples',
        x,
        y: column('deltaDb'),
        band: { low: column('deltaDbLow'), high: column('deltaDbHigh') },
        color: PALETTE[0],
      },
    ],
  };
}

function tableRow(
  { label, pattern, expected, reads }: Row,
  metrics: Record<string, number>,
  intervals: Record<string, Interval>,
): Markup | null {
  const find = (wanted: RegExp) => Object.keys(metrics).find((name) => wanted.test(name));
  const name = find(pattern);
  if (name === undefined) return null;
  const interval = intervals[name];
  const other = expected && find(expected.pattern);
  return html`<tr><td>${label}</td><td>${formatNumber(metrics[name])}</td><td>${interval && html`${formatNumber(interval[0])} – ${formatNumber(interval[1])}`}</td><td>${other && html`${formatNumber(metrics[other])} (${expected.label})`}</td><td class="reads">${reads}</td></tr>\n`;
}
