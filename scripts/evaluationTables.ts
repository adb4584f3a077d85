/** Evaluations as tables for the terminal: numbers by name, one row per band in cycles per image. */
import type { BandEntry, EvaluationResult } from '../src/eval/result.ts';
import type { RunEvaluation } from '../src/train/evaluateRun.ts';

type Column = [heading: string, key: string, digits: number];

/** Prints everything that was measured of a run. */
export function printEvaluations({ reconstructions, samples, scaleConsistency }: RunEvaluation): void {
  for (const { scale, name, result } of reconstructions) {
    console.log(
      `${scale}x (${result.metrics[`${name}_images`]} images): ${numberOf(result, `${name}_psnr_db`, 'PSNR', 'dB')}`,
    );
    printPairedBands(result.bands);
  }
  if (samples) {
    console.log('samples against training images');
    printNumbers(samples);
    printSpectra(samples.bands);
  }
  printNumbers(scaleConsistency);
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

/** Every metric that no table of bands shows, with its interval. */
export function printNumbers({ metrics, intervals = {} }: EvaluationResult): void {
  const shown = Object.keys(metrics).filter((name) => !/(delta|snr_db|transfer)_/.test(name));
  const width = Math.max(...shown.map((name) => name.length));
  for (const name of shown) {
    const interval = intervals[name] ? `  [${intervals[name].map(text).join(', ')}]` : '';
    console.log(`  ${name.padEnd(width)}  ${text(metrics[name])}${interval}`);
  }
}

function numberOf({ metrics, intervals }: EvaluationResult, name: string, label: string, unit: string): string {
  const interval = intervals?.[name];
  const range = interval ? ` [${interval.map((end) => end.toFixed(2)).join(', ')}]` : '';
  return `${label} ${metrics[name].toFixed(2)}${range} ${unit}`;
}

function text(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function printBands(bands: readonly BandEntry[], columns: readonly Column[]): void {
  console.log(`  cycles/image  ${columns.map(([heading]) => heading.padStart(10)).join('')}`);
  for (const band of bands) {
    const cells = columns.map(([, key, digits]) => Number(band[key]).toFixed(digits).padStart(10));
    console.log(`  ${band.name.padEnd(14)}${cells.join('')}`);
  }
}
