/**
 * Draws fields at any size. The view is drawn in stripes of rows, and a stripe in blocks of columns, so that memory is
 * bounded whatever the size. The blocks are the same whatever the memory allowed, so a pixel does not depend on it.
 *
 * Colours are averaged and quantised as they are encoded (sRGB), not as linear light: training images are reduced and
 * metrics are taken in encoded values, and the attenuated features filter the field's (encoded) output too.
 */

import { RunError } from '../errors.ts';
import { pixelFootprint, type View } from '../grid.ts';
import { type Encoding, type GridEncoder, gridEncoder } from '../models/encodings/encoding.ts';
import { fieldDimensions, fieldForward, fieldForwardOnGrid, pointsAtOnce } from '../ops/field.ts';
import { type Quantiser, quantiserInUse } from '../ops/quantise.ts';
import { tf } from '../tf.ts';
import { type Antialias, averageSubpixels, subpixelsPerPixel } from './antialias.ts';
import { type DrawableField, fieldCount } from './drawableField.ts';

export interface RenderOptions {
  /** `footprint` by default; `supersample` where the encoding has nothing to attenuate. */
  antialias?: Antialias;
  /**
   * Subpixels per pixel along each axis, for `supersample` only. By default as many as make a subpixel no larger than
   * a training pixel, at most 16; what remains beyond that is attenuated.
   */
  subpixels?: number;
  /** Most points evaluated at once (but at least one row of a block). By default features and activations fit 64 MB. */
  maxPoints?: number;
}

/** Whole rows of a view. */
export interface RenderedRows<P extends Uint8Array | Float32Array> {
  firstRow: number;
  rowCount: number;
  /** One per field: [rowCount, width, channels]. */
  images: P[];
}

const BLOCK_COLUMNS = 256;
const BLOCK_ROWS = 64;
/** Floats of features and widest activations held at once: 64 MB. */
const CHUNK_FLOATS = 2 ** 24;

/** Draws B fields, top to bottom, as uint8: round(255·x), x clamped to [0,1]. */
export function renderRows(
  field: DrawableField,
  view: View,
  options: RenderOptions = {},
): AsyncGenerator<RenderedRows<Uint8Array>> {
  return drawRows(field, view, options, (length) => new Uint8Array(length), quantise);
}

/** `renderRows` for evaluation: neither quantised nor clamped (a linear output may leave [0,1]). */
export function renderRowsFloat(
  field: DrawableField,
  view: View,
  options: RenderOptions = {},
): AsyncGenerator<RenderedRows<Float32Array>> {
  return drawRows(
    field,
    view,
    options,
    (length) => new Float32Array(length),
    (colour) => colour,
  );
}

/** B images of one view, each [height, width, channels] uint8. */
export function renderImages(field: DrawableField, view: View, options: RenderOptions = {}): Promise<Uint8Array[]> {
  return collect(field, view, renderRows(field, view, options), (length) => new Uint8Array(length));
}

/** B images of one view, each [height, width, channels], neither quantised nor clamped. */
export function renderImagesFloat(
  field: DrawableField,
  view: View,
  options: RenderOptions = {},
): Promise<Float32Array[]> {
  return collect(field, view, renderRowsFloat(field, view, options), (length) => new Float32Array(length));
}

/** The image of a single field, [height, width, channels] uint8. */
export async function renderImage(field: DrawableField, view: View, options: RenderOptions = {}): Promise<Uint8Array> {
  checkSingle(field);
  return (await renderImages(field, view, options))[0];
}

/** Scanlines of a single field, top to bottom, some rows at a time: what `writeImage` takes. */
export async function* renderScanlines(
  field: DrawableField,
  view: View,
  options: RenderOptions = {},
): AsyncGenerator<Uint8Array> {
  checkSingle(field);
  for await (const { images } of renderRows(field, view, options)) yield images[0];
}

async function* drawRows<P extends Uint8Array | Float32Array>(
  field: DrawableField,
  view: View,
  options: RenderOptions,
  allocate: (length: number) => P,
  store: (colour: number) => number,
): AsyncGenerator<RenderedRows<P>> {
  checkView(view);
  const { channels } = fieldDimensions(field.spec);
  const antialias = options.antialias ?? (field.encoding.attenuated ? 'footprint' : 'supersample');
  const [nx, ny] = subpixelsPerPixel(view, field.training, antialias, options.subpixels);
  const fine: View = { window: view.window, width: view.width * nx, height: view.height * ny };
  const encoding = antialias === 'none' ? field.encoding : attenuateForView(field.encoding, fine, field.training);
  // Blocks of the same shape, larger where the engine wants more at once.
  const larger = Math.max(1, Math.sqrt((pointsAtOnce() ?? 0) / (BLOCK_COLUMNS * BLOCK_ROWS)));
  const blockColumns = Math.min(view.width, Math.max(1, Math.floor((larger * BLOCK_COLUMNS) / nx)));
  const blockRows = Math.max(1, Math.floor((larger * BLOCK_ROWS) / ny));
  const chunkRows = Math.max(1, Math.floor(mostPoints(field, options.maxPoints) / (blockColumns * nx * ny)));
  const toBytes = store === quantise && nx * ny === 1 ? quantiserInUse() : undefined;
  for (let firstRow = 0; firstRow < view.height; firstRow += blockRows) {
    const rowCount = Math.min(blockRows, view.height - firstRow);
    const images = Array.from({ length: fieldCount(field) }, () => allocate(rowCount * view.width * channels));
    // The next part is begun before the last is read: a GPU works on while its colours are stored here.
    let last: Promise<void> | undefined;
    for (let firstColumn = 0; firstColumn < view.width; firstColumn += blockColumns) {
      const columns = Math.min(blockColumns, view.width - firstColumn);
      const block = partOf(fine, firstColumn * nx, firstRow * ny, columns * nx, rowCount * ny);
      const encoder = gridEncoder(encoding, block, field.encodingParameters);
      for (let row = 0; row < rowCount; row += chunkRows) {
        const rows = Math.min(chunkRows, rowCount - row);
        const colours = evaluateRows(field, encoder, row * ny, rows * ny, toBytes); // [B, rows·ny, columns·nx, C]
        colours.catch(() => {}); // thrown where it is awaited
        await last;
        last = (async () => {
          const at = (row * view.width + firstColumn) * channels;
          averageSubpixels(images, at, view.width * channels, store, await colours, {
            rows,
            columns,
            nx,
            ny,
            channels,
          });
        })();
        last.catch(() => {});
      }
    }
    await last;
    yield { firstRow, rowCount, images };
  }
}

async function evaluateRows(
  field: DrawableField,
  encoder: GridEncoder,
  firstRow: number,
  rowCount: number,
  toBytes?: Quantiser,
): Promise<Float32Array | Uint8Array> {
  const { spec, weights } = field;
  const rows = { firstRow, rowCount };
  const output =
    (encoder.grid && fieldForwardOnGrid(spec, weights, encoder.grid, rows)) ??
    tf.tidy(() => fieldForward(spec, weights, encoder.tensor(rows))); // [B,P,C]
  try {
    if (!toBytes) return (await output.data()) as Float32Array;
    const bytes = await toBytes(output);
    if (!bytes) throw notFiniteError();
    return bytes;
  } finally {
    output.dispose();
  }
}

/** An encoding as a view's pixels need it, where training saw full images of the given size. */
function attenuateForView(encoding: Encoding, view: View, training: View): Encoding {
  return encoding.attenuated?.(pixelFootprint(view), pixelFootprint(training)) ?? encoding;
}

function quantise(colour: number): number {
  if (Number.isNaN(colour)) throw notFiniteError();
  return Math.round(255 * Math.min(1, Math.max(0, colour)));
}

const notFiniteError = () => new RunError('the field gives NaN: its weights or its latent are not finite');

/** Columns [column, column+width) and rows [row, row+height) of a view. */
function partOf(view: View, column: number, row: number, width: number, height: number): View {
  const [x0, y0, x1, y1] = view.window;
  const x = (i: number) => x0 + (i / view.width) * (x1 - x0);
  const y = (j: number) => y0 + (j / view.height) * (y1 - y0);
  return { window: [x(column), y(row), x(column + width), y(row + height)], width, height };
}

function mostPoints(field: DrawableField, maxPoints = Number.POSITIVE_INFINITY): number {
  if (!(maxPoints >= 1)) throw new RangeError(`maxPoints must be at least 1, got ${maxPoints}`);
  const widest = Math.max(...field.spec.layers.map((layer) => layer.outputs));
  return Math.min(maxPoints, CHUNK_FLOATS / (fieldDimensions(field.spec).features + fieldCount(field) * widest));
}

async function collect<P extends Uint8Array | Float32Array>(
  field: DrawableField,
  view: View,
  stripes: AsyncGenerator<RenderedRows<P>>,
  allocate: (length: number) => P,
): Promise<P[]> {
  checkView(view);
  const stride = view.width * fieldDimensions(field.spec).channels;
  const whole = Array.from({ length: fieldCount(field) }, () => allocate(view.height * stride));
  for await (const { firstRow, images } of stripes) {
    images.forEach((image, index) => {
      whole[index].set(image, firstRow * stride);
    });
  }
  return whole;
}

function checkSingle(field: DrawableField): void {
  if (fieldCount(field) !== 1) throw new RangeError(`one field expected, got ${fieldCount(field)}`);
}

function checkView({ window: [x0, y0, x1, y1], width, height }: View): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new RangeError(`a view needs a positive whole size, got ${width}×${height}`);
  }
  if (![x0, y0, x1, y1].every(Number.isFinite) || x1 <= x0 || y1 <= y0) {
    throw new RangeError(`a view needs a window x0 < x1, y0 < y1, got ${[x0, y0, x1, y1]}`);
  }
}
