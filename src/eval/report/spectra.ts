/** The report's numbers about samples as a set: spectra against the reference images, distances with their floors. */

import { html, type Markup } from '../../figures/html.ts';
import { type LinePlot, PALETTE } from '../../figures/plot.ts';
import { formatNumber } from '../../figures/scale.ts';
import { betterText, byRole, declare, findingsOf } from '../../metrics/findings.ts';
import { declaredNumbers } from '../../metrics/registry.ts';
import type { BandEntry, EvaluationResult, Finding } from '../../metrics/result.ts';
import { ROUNDING_POWER } from '../../metrics/signal/imageStack.ts';
import { SCALE_NUMBERS } from '../run/scaleConsistency.ts';
import { column, frequencyAxis, responsivePlot, ringMiddle } from './plots.ts';

/** What `eval/samples.json` and `eval/scale_consistency.json` hold. */
export interface SampleSpectraData {
  samples: EvaluationResult;
  scaleConsistency?: EvaluationResult;
}

/** The findings of `eval/samples.json`, in files of earlier versions too. */
export function sampleFindings(samples: EvaluationResult): Finding[] {
  return findingsOf(samples, declaredNumbers(), 'samples_');
}

/** What a report's first lines say of samples: their FWD, without its bias where that could be taken off. */
export function sampleHeadline(samples: EvaluationResult): { value: string; unit?: string; label: string }[] {
  const findings = sampleFindings(samples);
  const first = ['fwd_debiased', 'fwd'].flatMap((key) => findings.find((finding) => finding.key === key) ?? [])[0];
  if (!first) return [];
  return [
    { value: formatNumber(first.value), unit: first.unit, label: `${first.label} of samples, ${betterText(first)}` },
  ];
}

/** Plots of the spectra of both sets, and the table of all distances. */
export function sampleSpectraSection({ samples, scaleConsistency }: SampleSpectraData): Markup {
  const rings = (samples.rings ?? []).filter(({ kind }) => kind === 'ring');
  const { samples_images_generated: generated, samples_images_reference: reference } = samples.metrics;
  const against = samples.reference ?? 'training images';
  const findings = byRole([
    ...sampleFindings(samples),
    ...(scaleConsistency ? findingsOf(scaleConsistency, declare('scale_consistency', SCALE_NUMBERS), '') : []),
  ]).filter(({ role }) => role !== 'detail');
  return html`<section>
<h2>Samples against ${against}</h2>
${
  rings.length > 0 &&
  html`<figure>
${responsivePlot(spectrumPlot(rings, against))}
<figcaption><b>Power at each frequency</b>, of ${formatNumber(generated, 6)} samples and of the ${formatNumber(reference, 6)} ${against}, Hann-windowed, averaged over images and channels.</figcaption>
</figure>
<figure>
${responsivePlot(differencePlot(rings, against))}
<figcaption><b>Below zero, samples lack detail of that size; above, they have too much.</b> Shaded: 95 % bootstrap interval over images. Grey: what two draws from the ${against} themselves would differ by.</figcaption>
</figure>`
}
<figure>
<div class="table"><table class="distances">
<thead><tr><th>Measure</th><th>Value</th><th>95 % interval</th><th>Better</th><th>Compare with</th><th style="text-align: left">Reads as</th></tr></thead>
<tbody>${findings.map(tableRow)}</tbody>
</table></div>
<figcaption>Reference: the ${against}. Distances of finite sets lie too high; LSD, FWD and SWD have what sampling adds taken off, as their intervals have. Raw, they are what papers report, to be compared with halves: the same between halves of the ${against}, mean over several splits, which is what sampling alone gives sets half as large. None of these uses learned weights, and none is an FID. docs/metrics.md defines them and says when they mislead.</figcaption>
</figure>
</section>`;
}

function spectrumPlot(rings: readonly BandEntry[], against: string): LinePlot {
  const x = rings.map(ringMiddle);
  const [reference, generated] = [column(rings, 'referencePower'), column(rings, 'generatedPower')];
  // Only spectra that come near it need to be told from it.
  const near = Math.min(...reference, ...generated) < 100 * ROUNDING_POWER;
  return {
    title: 'Power spectrum',
    x: frequencyAxis(rings),
    y: { label: 'power per mode', scale: 'log' },
    series: [
      { name: against, x, y: reference, color: PALETTE[6] },
      { name: 'samples', x, y: generated, color: PALETTE[0] },
    ],
    guides: near ? [{ axis: 'y', at: ROUNDING_POWER, label: 'rounding to 8 bits' }] : [],
  };
}

function differencePlot(rings: readonly BandEntry[], against: string): LinePlot {
  const x = rings.map(ringMiddle);
  const sampling = column(rings, 'samplingDb').map((value) => 1.96 * value);
  return {
    title: `Power of samples over ${against}`,
    x: frequencyAxis(rings),
    y: { label: 'Δ (dB)' },
    series: [
      {
        name: 'sampling alone',
        x,
        y: rings.map(() => 0),
        dashed: true,
        interval: { low: sampling.map((value) => -value), high: sampling },
        color: PALETTE[6],
      },
      {
        name: 'samples',
        x,
        y: column(rings, 'deltaDb'),
        interval: { low: column(rings, 'deltaDbLow'), high: column(rings, 'deltaDbHigh') },
        color: PALETTE[0],
      },
    ],
  };
}

function tableRow(finding: Finding): Markup {
  const { label, unit, value, interval, against, better, reads } = finding;
  return html`<tr><td>${label}${unit && ` (${unit})`}</td><td>${formatNumber(value)}</td><td>${interval && html`${formatNumber(interval[0])} – ${formatNumber(interval[1])}`}</td><td>${better && (better === 'low' ? 'lower' : 'higher')}</td><td>${against && html`${formatNumber(against.value)} (${against.label})`}</td><td class="reads">${reads}</td></tr>\n`;
}
