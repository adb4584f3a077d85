/** PNG as a stream (W3C PNG 3rd edition): 8-bit RGB, any size, memory for a few scanlines. */
import { pipeline } from 'node:stream';
import * as zlib from 'node:zlib';
import type { RgbImage } from './contactSheet.ts';

/** Some whole scanlines after another, top to bottom: [rows, width, 3] each. */
export type Scanlines = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
const CHANNELS = 3;
/** Filtered scanlines are handed to deflate in pieces of about this many bytes. */
const PIECE_BYTES = 2 ** 18;

/**
 * Encodes an image piece by piece.
 *
 * @param level of deflate, 0 to 9.
 * @throws what `rows` throws, and an Error where it has too few or too many bytes.
 */
export async function* encodePng(
  width: number,
  height: number,
  rows: Scanlines,
  level = 6,
): AsyncGenerator<Uint8Array> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // bit depth; truecolour
  yield SIGNATURE;
  yield chunk('IHDR', header);
  yield chunk('sRGB', Buffer.of(0)); // perceptual intent
  const deflate = zlib.createDeflate({ level, chunkSize: 2 ** 16 });
  // What goes wrong in `rows` destroys `deflate` with the same error, so the loop below throws it.
  pipeline(filteredScanlines(width, height, rows), deflate, () => {});
  for await (const compressed of deflate) yield chunk('IDAT', compressed);
  yield chunk('IEND', Buffer.alloc(0));
}

/** An image as the bytes of a PNG file. */
export async function pngOf({ width, height, pixels }: RgbImage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodePng(width, height, [pixels])) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(zlib.crc32(bytes.subarray(4, -4)), data.length + 8);
  return bytes;
}

async function* filteredScanlines(width: number, height: number, rows: Scanlines): AsyncGenerator<Uint8Array> {
  const stride = width * CHANNELS;
  let previous: Uint8Array = new Uint8Array(stride);
  const candidates = FILTERS.map(() => new Uint8Array(stride));
  let done = 0;
  for await (const lines of rows) {
    const count = lines.length / stride;
    if (!Number.isInteger(count)) throw new Error(`${lines.length} bytes are not whole scanlines of ${stride}`);
    if (done + count > height) throw new Error(`more than ${height} scanlines`);
    const perPiece = Math.max(1, Math.floor(PIECE_BYTES / stride));
    for (let first = 0; first < count; first += perPiece) {
      const size = Math.min(perPiece, count - first);
      const piece = new Uint8Array(size * (stride + 1));
      for (let i = 0; i < size; i++) {
        const line = lines.subarray((first + i) * stride, (first + i + 1) * stride);
        filterLine(line, previous, candidates, piece, i * (stride + 1));
        previous = line;
      }
      yield piece;
    }
    previous = previous.slice(); // the next lines may reuse this memory
    done += count;
  }
  if (done !== height) throw new Error(`${done} scanlines of ${height}`);
}

/** Fills `out` with what is left of a line after prediction and returns Σ|out|, bytes taken as signed. */
type Filter = (line: Uint8Array, above: Uint8Array, out: Uint8Array) => number;

const magnitude = (byte: number) => (byte < 128 ? byte : 256 - byte);

/** PNG §9.2, by filter type number; None and Average are left out, as they rarely win on drawn images. */
const FILTERS: readonly { type: number; apply: Filter }[] = [
  {
    type: 1, // Sub
    apply(line, _above, out) {
      let sum = 0;
      for (let i = 0; i < line.length; i++) {
        const rest = (line[i] - (i < CHANNELS ? 0 : line[i - CHANNELS])) & 255;
        out[i] = rest;
        sum += magnitude(rest);
      }
      return sum;
    },
  },
  {
    type: 2, // Up
    apply(line, above, out) {
      let sum = 0;
      for (let i = 0; i < line.length; i++) {
        const rest = (line[i] - above[i]) & 255;
        out[i] = rest;
        sum += magnitude(rest);
      }
      return sum;
    },
  },
  {
    type: 4, // Paeth
    apply(line, above, out) {
      let sum = 0;
      for (let i = 0; i < line.length; i++) {
        const left = i < CHANNELS ? 0 : line[i - CHANNELS];
        const corner = i < CHANNELS ? 0 : above[i - CHANNELS];
        const up = above[i];
        const toLeft = Math.abs(up - corner);
        const toUp = Math.abs(left - corner);
        const toCorner = Math.abs(left + up - 2 * corner);
        const prediction = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
        const rest = (line[i] - prediction) & 255;
        out[i] = rest;
        sum += magnitude(rest);
      }
      return sum;
    },
  },
];

/** Writes filter type and filtered line at `at`: of all filters the one that leaves the least (PNG §12.7). */
function filterLine(
  line: Uint8Array,
  above: Uint8Array,
  candidates: readonly Uint8Array[],
  piece: Uint8Array,
  at: number,
): void {
  const sums = FILTERS.map(({ apply }, i) => apply(line, above, candidates[i]));
  const best = sums.indexOf(Math.min(...sums));
  piece[at] = FILTERS[best].type;
  piece.set(candidates[best], at + 1);
}
