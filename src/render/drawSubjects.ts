/** Draws subjects into image files: one sheet of all, or a file of each. */
import { extname } from 'node:path';
import { UsageError } from '../errors.ts';
import { Progress } from '../files/progress.ts';
import type { View } from '../grid.ts';
import type { Antialias } from './antialias.ts';
import { contactSheet, sheetSize } from './contactSheet.ts';
import { withFields } from './drawableField.ts';
import { checkImageFile, writeImage } from './imageFile.ts';
import { renderImage, renderScanlines } from './render.ts';
import type { Subject } from './subjects.ts';

export interface DrawOptions {
  view: View;
  antialias?: Antialias;
}

const MAX_SHEET_PIXELS = 2 ** 28;

/**
 * Draws all subjects on one sheet.
 *
 * @returns the size of the sheet.
 * @throws UsageError, before anything is drawn, for a sheet that can't be held or written.
 */
export async function drawSheet(
  path: string,
  subjects: readonly Subject[],
  { view, antialias, columns }: DrawOptions & { columns?: number },
): Promise<{ width: number; height: number }> {
  const { width, height } = sheetSize(subjects.length, view.width, view.height, { columns });
  await checkImageFile(path, width, height);
  if (width * height > MAX_SHEET_PIXELS) {
    throw new UsageError(
      `--grid: a sheet of ${width}x${height} does not fit in memory; draw fewer, smaller or without --grid`,
    );
  }
  const images: Uint8Array[] = [];
  const progress = new Progress({ label: 'draw', total: subjects.length, unit: 'images' });
  for (const subject of subjects) {
    images.push(await withFields(subject(), (field) => renderImage(field, view, { antialias })));
    progress.update(images.length);
  }
  progress.finish();
  const sheet = contactSheet(images, view.width, view.height, { columns });
  await writeImage(path, sheet.width, sheet.height, [sheet.pixels]);
  return { width, height };
}

/**
 * Draws each subject into a file of its own, row by row: several are numbered, `out.png` gives `out-003.png`.
 *
 * @returns the files' paths.
 */
export async function drawFiles(
  path: string,
  subjects: readonly Subject[],
  { view, antialias }: DrawOptions,
): Promise<string[]> {
  const paths = subjects.map((_, i) => (subjects.length === 1 ? path : pathOfNumber(path, i, subjects.length)));
  const progress = new Progress({ label: 'draw', total: subjects.length * view.height, unit: 'rows' });
  for (const [i, subject] of subjects.entries()) {
    await withFields(subject(), (field) => {
      const rows = renderScanlines(field, view, { antialias });
      const onRows = (done: number) => progress.update(i * view.height + done);
      return writeImage(paths[i], view.width, view.height, countRows(rows, view, onRows));
    });
  }
  progress.finish();
  return paths;
}

function pathOfNumber(path: string, index: number, count: number): string {
  const extension = extname(path);
  const digits = Math.max(3, String(count - 1).length);
  return `${path.slice(0, path.length - extension.length)}-${String(index).padStart(digits, '0')}${extension}`;
}

async function* countRows(rows: AsyncIterable<Uint8Array>, view: View, onRows: (done: number) => void) {
  let bytes = 0;
  for await (const piece of rows) {
    yield piece;
    bytes += piece.length;
    onRows(bytes / (3 * view.width));
  }
}
