/** What a report shows of training, from its log. */

import type { MetricsEntry } from '../../run/metricsLog.ts';
import { MONITORED_PSNR, MONITORED_SNR } from '../../train/monitor.ts';
import type { ReportData } from './data.ts';

/** What losses are logged as; of objectives with phases, `_PHASE` follows. */
const LOSS = 'train/loss';

/** Loss, PSNR and, of runs that were logged with it, the signal-to-noise ratio per octave. */
export function curvesOf(entries: readonly MetricsEntry[]): NonNullable<ReportData['curves']> {
  const series = (key: string, name: string) => {
    const points = entries.filter((entry) => key in entry);
    return { name, x: points.map((entry) => entry.step), y: points.map((entry) => Number(entry[key])) };
  };
  const lossKeys = [...new Set(entries.flatMap((entry) => Object.keys(entry)))].filter((key) => key.startsWith(LOSS));
  return [
    {
      plot: {
        title: 'Loss',
        x: { label: 'step' },
        y: { label: 'loss', scale: 'log' },
        series: lossKeys.map((key) => series(key, key.slice(LOSS.length + 1) || 'training batch')),
      },
    },
    {
      plot: {
        title: 'PSNR',
        x: { label: 'step' },
        y: { label: 'PSNR (dB)' },
        series: [
          series('train/psnr_db', 'training batch'),
          series(MONITORED_PSNR, 'reconstructions (averaged weights)'),
        ],
      },
      caption:
        'Batches are noisy and seen through the weights of the moment; reconstructions are drawn with the averaged weights.',
    },
    ...bandHeatmap(entries),
  ];
}

/** One row an octave, one column a monitored step; runs logged without them have none. */
function bandHeatmap(entries: readonly MetricsEntry[]): NonNullable<ReportData['curves']> {
  const monitored = entries.filter((entry) => `${MONITORED_SNR}dc` in entry);
  const octaves = Object.keys(monitored[0] ?? {}).filter((key) => key.startsWith(MONITORED_SNR) && /\d$/.test(key));
  if (octaves.length === 0) return [];
  const rows = octaves.toReversed();
  const ascending = octaves.map((key) => monitored.map((entry) => Number(entry[key])));
  return [
    {
      plot: {
        title: 'Signal-to-noise ratio per octave, over training',
        value: 'SNR (dB)',
        x: { label: 'step', ticks: monitored.map((entry) => entry.step) },
        y: { label: 'cycles per image', ticks: rows.map((key) => key.slice(MONITORED_SNR.length).replace('-', '–')) },
        values: rows.map((key) => monitored.map((entry) => Number(entry[key]))),
      },
      caption: `Of reconstructions. ${biasCaption(ascending)}`,
    },
  ];
}

/** What the rows show, from the lowest octave up, [octaves][steps]: said only where they do. */
function biasCaption(octaves: readonly (readonly number[])[]): string {
  const middle = octaves.length / 2;
  const mean = (rows: readonly (readonly number[])[], at: number) =>
    rows.reduce((sum, row) => sum + row[at], 0) / rows.length;
  const leads = octaves[0].every(
    (_, at) => mean(octaves.slice(0, Math.floor(middle)), at) > mean(octaves.slice(Math.ceil(middle)), at),
  );
  return octaves.length > 1 && leads
    ? 'The lower half of the octaves (bottom) is ahead of the upper half at every step shown: the spectral bias of coordinate networks.'
    : 'A row that lies behind the others is a band that this model learns late. Here low frequencies are not ahead of high ones throughout.';
}
