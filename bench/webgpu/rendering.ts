/** Drawing a large image, and PyTorch's time for it. */
import { median } from '../measure.ts';
import { renderSeconds } from '../step.ts';
import { type PeerFigures, PRECISIONS } from './pytorchPeer.ts';
import type { BenchSession } from './session.ts';

export const RENDER_SIZE = 8192;

/** Milliseconds, each time anew. */
export async function renderings(session: BenchSession): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < session.size(4, 2); round++) {
    times.push(1000 * (await renderSeconds(session.size(RENDER_SIZE, 64))));
  }
  return times.slice(1);
}

/** Records the median, beside PyTorch's where it was measured. */
export function compareRendering(session: BenchSession, milliseconds: number, rounds: PeerFigures[]): void {
  const { table } = session;
  const size = session.size(RENDER_SIZE, 64);
  table.figures.render_milliseconds_webgpu = Number(milliseconds.toFixed(1));
  table.note(`drawing ${size}², hidden 64, into the processor's memory`, `${milliseconds.toFixed(1)} ms`);
  for (const precision of rounds.length > 0 ? PRECISIONS : []) {
    const key = `render_vs_pytorch_${precision}`;
    const found = rounds.map(({ render }) => render[precision] ?? { absent: 'it was not measured' });
    const absent = found.find((entry) => 'absent' in entry);
    const text = `… against PyTorch ${precision}`;
    if (absent) {
      table.figures[`${key}_reason_webgpu`] = (absent as { absent: string }).absent;
      table.record(`${key}_webgpu`, null, text, (absent as { absent: string }).absent);
    } else {
      const theirs = median(found.flatMap((entry) => ('milliseconds' in entry ? entry.milliseconds : [])));
      const measured = `${milliseconds.toFixed(1)} ms against ${theirs.toFixed(1)} ms`;
      table.record(`${key}_webgpu`, theirs / milliseconds, text, measured);
    }
  }
}
