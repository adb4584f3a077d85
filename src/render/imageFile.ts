/** Image files: the format is chosen by the extension; a reader sees a whole image or none. */
import { stat } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { messageOf, RunError, UsageError } from '../errors.ts';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { fileError } from '../files/fileErrors.ts';
import { makeFolder } from '../files/makeFolder.ts';
import { encodePng, type Scanlines } from './png.ts';

/** A format that is encoded as a whole, from a buffer. */
interface BufferedFormat {
  name: string;
  /** Longest side that the format or its encoder allows. */
  maxSide: number;
  encode(image: Sharp): Sharp;
}

/** Pixels of an image that is encoded from a buffer: 300 MB of them. PNG is streamed and has no such limit. */
const MAX_BUFFERED_PIXELS = 100_000_000;

const JPEG: BufferedFormat = {
  name: 'JPEG',
  maxSide: 65_500, // JPEG_MAX_DIMENSION of libjpeg
  encode: (image) => image.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }),
};
const WEBP: BufferedFormat = { name: 'WebP', maxSide: 16_383, encode: (image) => image.webp({ quality: 90 }) };
const AVIF: BufferedFormat = { name: 'AVIF', maxSide: 16_384, encode: (image) => image.avif({ quality: 70 }) };
const TIFF: BufferedFormat = {
  name: 'TIFF',
  maxSide: MAX_BUFFERED_PIXELS,
  encode: (image) => image.tiff({ compression: 'deflate', predictor: 'horizontal' }),
};

const FORMATS: Readonly<Record<string, BufferedFormat | 'PNG'>> = {
  '.png': 'PNG',
  '.jpg': JPEG,
  '.jpeg': JPEG,
  '.webp': WEBP,
  '.avif': AVIF,
  '.tif': TIFF,
  '.tiff': TIFF,
};

/** What an image file may end in. */
export const IMAGE_EXTENSIONS: readonly string[] = Object.keys(FORMATS);

function formatOf(path: string, width: number, height: number): BufferedFormat | 'PNG' {
  const extension = extname(path).toLowerCase();
  const format = Object.hasOwn(FORMATS, extension) ? FORMATS[extension] : undefined;
  if (!format) {
    const problem = extension === '' ? 'has no extension' : `ends in "${extension}", which is no known format`;
    throw new UsageError(`image file ${path} ${problem}; use one of ${IMAGE_EXTENSIONS.join(', ')}`);
  }
  if (format === 'PNG') return format;
  if (Math.max(width, height) > format.maxSide) {
    const limit = format.maxSide.toLocaleString('en');
    throw new UsageError(`${path}: ${width}x${height} is too large for ${format.name} (${limit} a side); use .png`);
  }
  if (width * height > MAX_BUFFERED_PIXELS) {
    const limit = MAX_BUFFERED_PIXELS / 1e6;
    throw new UsageError(`${path}: ${width}x${height} is too large for ${format.name} (${limit} megapixels); use .png`);
  }
  return format;
}

/**
 * Whether an image of this size can be written there, before hours go into drawing it.
 *
 * @throws UsageError where the extension is unknown, the size beyond the format, or the path a folder.
 */
export async function checkImageFile(path: string, width: number, height: number): Promise<void> {
  formatOf(path, width, height);
  const existing = await stat(path).catch(() => undefined);
  if (existing?.isDirectory()) throw new UsageError(`image file ${path} is a folder; name a file in it`);
}

/**
 * Writes an RGB image, making the folder where it is missing. PNG needs memory for a few scanlines whatever the size;
 * the other formats hold the whole image. JPEG, WebP and AVIF lose detail, PNG and TIFF none.
 *
 * @param rows scanlines top to bottom, [rows, width, 3] each; `[pixels]` for a whole image.
 * @throws UsageError as `checkImageFile`, before anything is drawn.
 * @throws RunError where the file can't be written (a full disk, say); what was there before is left as it was.
 * @throws what `rows` throws.
 */
export async function writeImage(path: string, width: number, height: number, rows: Scanlines): Promise<void> {
  await checkImageFile(path, width, height);
  const format = formatOf(path, width, height);
  try {
    await makeFolder(dirname(path));
    await writeFileAtomically(path, async (file) => {
      if (format === 'PNG') {
        for await (const bytes of encodePng(width, height, rows)) await file.writeFile(bytes); // each after the last
      } else {
        await file.writeFile(
          await encodeBuffered(path, format, width, height, await collectScanlines(width, height, rows)),
        );
      }
    });
  } catch (error) {
    // What `rows` throws is about drawing, not about the file.
    throw isFileError(error) ? fileError('write', path, error) : error;
  }
}

async function encodeBuffered(path: string, format: BufferedFormat, width: number, height: number, pixels: Uint8Array) {
  try {
    return await format.encode(sharp(pixels, { raw: { width, height, channels: 3 } })).toBuffer();
  } catch (error) {
    throw new RunError(`can't encode ${path} as ${format.name}: ${messageOf(error)}; use .png`);
  }
}

async function collectScanlines(width: number, height: number, rows: Scanlines): Promise<Uint8Array> {
  const pixels = new Uint8Array(width * height * 3);
  let at = 0;
  for await (const lines of rows) {
    if (at + lines.length > pixels.length) throw new Error(`more than ${height} scanlines`);
    pixels.set(lines, at);
    at += lines.length;
  }
  if (at !== pixels.length) throw new Error(`${at} bytes of ${pixels.length}`);
  return pixels;
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
