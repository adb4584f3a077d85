/** Evaluations as tables for the terminal: numbers by name, one row per band in cycles per image. */

import type { RunEvaluation } from '../src/eval/run/evaluateRun.ts';
import { betterText, byRole } from '../src/metrics/findings.ts';
import { psnrMetricName } from '../src/metrics/pairedImages.ts';
import type { BandEntry, EvaluationResult } from '../src/metrics/result.ts';

type Column = [heading: string, key: string, digits: number];

/** Prints everything that was measured of a run. */
export function printEvaluations({ reconstructions, samples, scaleConsistency, perturbations }: RunEvaluation): void {
  for (const { scale, name, result } of reconstructions) {
    const images = result.metrics[`${name}_images`];
    console.log(
      `${scale}x (${images} ${images === 1 ? 'image' : 'images'}): ${numberOf(result, psnrMetricName(name, images), 'PSNR', 'dB')}`,
    );
    printPairedBands(result.bands);
  }
  if (samples) {
    console.log('samples against training images');
    printNumbers(samples);
    printSpectra(samples.bands);
  }
  printNumbers(scaleConsistency);
  if (perturbations) {
    console.log('relative change of each octave where disturbed');
    printPerturbations(perturbations);
  }
}

/** One line a disturbance, with the octaves in cycles per image. */
export function printPerturbations({ bands = [] }: EvaluationResult): void {
  const lines = new Map<string, string[]>();
  for (const { perturbation, size, name, kind, relativeChange, pathLength } of bands) {
    if (kind !== 'octave') continue;
    const label = `${perturbation} ${size}`;
    const cell = `${name}: ${Number(relativeChange ?? pathLength).toPrecision(2)}`;
    lines.set(label, [...(lines.get(label) ?? []), cell]);
  }
  for (const [label, cells] of lines) console.log(`  ${label.padEnd(22)}${cells.join('   ')}`);
}

/** SNR, transfer and FRC. */
export function printPairedBands(bands: readonly BandEntry[] = []): void {
  printBands(bands, [
    ['SNR dB', 'snrDb', 2],
    ['transfer', 'transfer', 3],
    ['FRC', 'frc', 3],
  ]);
}

/** Δ with its interval, and what sampling alone gives. */
export function printSpectra(bands: readonly BandEntry[] = []): void {
  printBands(bands, [
    ['Δ dB', 'deltaDb', 2],
    ['from', 'deltaDbLow', 2],
    ['to', 'deltaDbHigh', 2],
    ['sampling', 'samplingDb', 2],
  ]);
}

/**
 * Every number that no table of bands shows, with its interval, which way is better and what to read it against: those that
 * decide first, the numbers of images last.
 */
export function printNumbers({ metrics, findings = [] }: EvaluationResult): void {
  const found = new Set(findings.map(({ name }) => name));
  const others = Object.keys(metrics).filter((name) => !found.has(name));
  const shown = byRole(findings.filter(({ band }) => band === undefined));
  const width = Math.max(0, ...[...shown.map(({ name }) => name), ...others].map((name) => name.length));
  for (const finding of shown) {
    const { name, value, interval, against } = finding;
    const range = interval ? `[${interval.map(formatValue).join(', ')}]` : '';
    const reading = [betterText(finding), against && `${against.label}: ${formatValue(against.value)}`].filter(Boolean);
    console.log(
      `  ${name.padEnd(width)}  ${formatValue(value).padEnd(8)}  ${range.padEnd(18)}  ${reading.join('; ')}`.trimEnd(),
    );
  }
  for (const name of others) console.log(`  ${name.padEnd(width)}  ${formatValue(metrics[name])}`);
}

function numberOf({ metrics, intervals }: EvaluationResult, name: string, label: string, unit: string): string {
  const interval = intervals?.[name];
  const range = interval ? ` [${interval.map((end) => end.toFixed(2)).join(', ')}]` : '';
  return `${label} ${metrics[name].toFixed(2)}${range} ${unit}`;
}

function formatValue(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function printBands(bands: readonly BandEntry[], columns: readonly Column[]): void {
  const width = Math.max(12, ...bands.map(({ name }) => name.length)) + 2;
  console.log(`  ${'cycles/image'.padEnd(width)}${columns.map(([heading]) => heading.padStart(10)).join('')}`);
  for (const band of bands) {
    const cells = columns.map(([, key, digits]) => Number(band[key]).toFixed(digits).padStart(10));
    console.log(`  ${band.name.padEnd(width)}${cells.join('')}`);
  }
}
