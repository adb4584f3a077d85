/** Encoded image files to RGB pixels of the wanted size. */
import sharp, { type Metadata, type Sharp } from 'sharp';
import { enlarge } from './enlarge.ts';
import { fittedSize, place, type Rectangle, type Size } from './placement.ts';
import type { DataConfig } from './schema.ts';

// Images are decoded once, and several at a time: a cache and threads within one image only cost memory.
sharp.cache(false);
sharp.concurrency(1);

/** sharp's own default, written down because the density of vector art depends on it. */
const PIXEL_LIMIT = 0x3fff * 0x3fff;
/** First frame only; upright by EXIF; anything wrong with the file is an error, so that none is decoded in part. */
const READ_OPTIONS = { autoOrient: true, failOn: 'warning', limitInputPixels: PIXEL_LIMIT } as const;
/**
 * Dots per inch at which vector art is opened, the first that fits the limit; 72 is one pixel per unit. sharp rounds
 * the size to pixels before it scales to the wanted one, so the more pixels, the closer it comes.
 */
const VECTOR_DENSITIES = [16 * 72, 72];

/** The least that sharp takes. */
const LEAST_DENSITY = 1;

/** What the pixels depend on besides the file and the transform. */
export const DECODER_VERSIONS = { sharp: sharp.versions.sharp, vips: sharp.versions.vips, rsvg: sharp.versions.rsvg };

export interface Transform extends Size, Pick<DataConfig, 'fit' | 'background'> {
  /** The result is `scale` times width × height and shows the same part of the image. */
  scale: number;
}

export interface DecodedImage {
  /** [scale·height, scale·width, 3], sRGB-encoded. */
  pixels: Uint8Array;
  /** Source pixels per target pixel at scale 1, on the axis that has fewer; Infinity for vector art. */
  nativeScale: number;
}

/** sharp leaves some inputs in other colours than it says; converting them on entry sets it right. */
function needsEarlyConversion({ space, hasAlpha, hasProfile }: Metadata): boolean {
  const grey = space === 'b-w' || space === 'grey16';
  // A grey image would be flattened on a grey; 16 bits with a profile would come out as Display P3.
  return (grey && hasAlpha) || (space === 'rgb16' && hasProfile);
}

/** Reads the header; returns it with a way to open the file for decoding. */
async function openImage(bytes: Uint8Array): Promise<{ metadata: Metadata; open: () => Sharp }> {
  for (const density of VECTOR_DENSITIES) {
    const metadata = await sharp(bytes, { ...READ_OPTIONS, density, limitInputPixels: false }).metadata();
    if (metadata.format === 'svg' && metadata.width * metadata.height > PIXEL_LIMIT) continue;
    return { metadata, open: () => sharp(bytes, { ...READ_OPTIONS, density }) };
  }
  throw new Error('exceeds pixel limit');
}

/** A rectangle, or a size, at `scale` times its resolution. */
function scaleRectangle({ left = 0, top = 0, width, height }: Size & Partial<Rectangle>, scale: number): Rectangle {
  return { left: left * scale, top: top * scale, width: width * scale, height: height * scale };
}

/** The background with `pixels` [inner.height, inner.width, 3] in their place. */
function placeOnBackground(pixels: Uint8Array, inner: Rectangle, outer: Size, background: string): Uint8Array {
  if (inner.width === outer.width && inner.height === outer.height) return pixels;
  const colour = [1, 3, 5].map((at) => Number.parseInt(background.slice(at, at + 2), 16));
  const padded = new Uint8Array(outer.width * outer.height * 3);
  for (let i = 0; i < padded.length; i++) padded[i] = colour[i % 3];
  for (let y = 0; y < inner.height; y++) {
    const row = pixels.subarray(y * inner.width * 3, (y + 1) * inner.width * 3);
    padded.set(row, ((inner.top + y) * outer.width + inner.left) * 3);
  }
  return padded;
}

/**
 * Decodes one file: embedded profile to sRGB (CMYK without one by sharp's own), 16 to 8 bits, grey to RGB, transparency
 * flattened on the background. Reduced with Lanczos3, enlarged with cubic convolution, both on the sRGB-encoded
 * values, as image tools and data sets commonly do, rather than in linear light. SVG is rasterised at the wanted size,
 * never resampled up to it.
 * @param artSide of a square, opaque SVG: its side in user units, with which the same pixels are drawn in less time.
 * @throws Error with the reason when the file is damaged, cut short, too large or no image
 */
export async function decodeImage(bytes: Uint8Array, transform: Transform, artSide?: number): Promise<DecodedImage> {
  if (bytes.length === 0) throw new Error('empty file');
  const { scale, fit, background, width, height } = transform;
  const artDensity = artSide === undefined ? 0 : (72 * width * scale) / artSide;
  if (width === height && artDensity >= LEAST_DENSITY) {
    // Opened at the wanted size, so that nothing has to be read twice, resized, cut or flattened.
    const art = sharp(bytes, { ...READ_OPTIONS, density: artDensity });
    return { pixels: await art.removeAlpha().raw().toBuffer(), nativeScale: Infinity };
  }
  const { metadata, open } = await openImage(bytes);
  if (metadata.compression === 'hevc') throw new Error('HEIC is not supported; convert it to JPEG, PNG or AVIF');
  const isVector = metadata.format === 'svg';
  // Vector art is as large as it is asked to be: its pixels are those of the target.
  const image = isVector ? fittedSize(metadata.autoOrient, transform, fit) : metadata.autoOrient;
  const { from, to } = place(image, transform, fit);

  // The decoder stops below the part that is used. Read the rest too: a file that was cut short is never used.
  if (!isVector && from.top + from.height < image.height) await open().resize(1, 1).raw().toBuffer();

  const target = scaleRectangle(to, scale);
  let pipeline = open().flatten({ background }).toColourspace('srgb');
  if (needsEarlyConversion(metadata)) pipeline = pipeline.pipelineColourspace('srgb');
  if (isVector) {
    const drawn = scaleRectangle(image, scale);
    pipeline = pipeline.resize(drawn.width, drawn.height, { fit: 'fill' }).extract(scaleRectangle(from, scale));
  } else {
    const reduced = { width: Math.min(from.width, target.width), height: Math.min(from.height, target.height) };
    pipeline = pipeline.extract(from).resize({ ...reduced, fit: 'fill', kernel: 'lanczos3' });
  }
  const { data, info } = await pipeline.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels instead of 3`);
  const pixels = placeOnBackground(enlarge(data, info, target), target, scaleRectangle(transform, scale), background);
  const nativeScale = isVector ? Infinity : Math.min(from.width / to.width, from.height / to.height);
  return { pixels, nativeScale };
}
