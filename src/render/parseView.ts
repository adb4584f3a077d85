/** Sizes and windows as they are typed on the command line. */
import { UsageError } from '../errors.ts';
import { pixelFootprint, type View } from '../grid.ts';

/** Longest side of a picture, in pixels: a row still fits comfortably in memory. */
const MAX_SIDE = 1_000_000;
/** Farthest coordinate of a window, in image units. */
const MAX_COORDINATE = 1e6;
/** Pixels whose distance is fewer steps of float64 than this are not told apart reliably. */
const MIN_STEPS_PER_PIXEL = 16;

/**
 * "2048x1024" or "512" (a square).
 *
 * @param option what the message calls it, `--size` say.
 * @throws UsageError naming the option and the form expected.
 */
export function parseSize(text: string, option = '--size'): { width: number; height: number } {
  const match = /^\s*(\d+)(?:\s*[x×]\s*(\d+))?\s*$/i.exec(text);
  const [width, height] = match ? [Number(match[1]), Number(match[2] ?? match[1])] : [0, 0];
  if (width < 1 || height < 1) {
    throw new UsageError(`${option} "${text}" must be WIDTHxHEIGHT in whole pixels, such as 2048x1024, or one number`);
  }
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new UsageError(`${option} "${text}" is too large: a side may have ${MAX_SIDE.toLocaleString('en')} pixels`);
  }
  return { width, height };
}

/**
 * "x0,y0,x1,y1" in image units: left, top, right and bottom edge; the whole image is 0,0,1,1, and more is legal.
 *
 * @throws UsageError naming the option and the form expected.
 */
export function parseWindow(text: string, option = '--window'): View['window'] {
  const parts = text.split(',').map((part) => part.trim());
  const numbers = parts.map((part) => (part === '' ? Number.NaN : Number(part)));
  if (numbers.length !== 4 || !numbers.every(Number.isFinite)) {
    throw new UsageError(`${option} "${text}" must be x0,y0,x1,y1, such as 0.25,0.25,0.5,0.5 (the image is 0,0,1,1)`);
  }
  const [x0, y0, x1, y1] = numbers;
  if (x1 <= x0 || y1 <= y0) {
    throw new UsageError(`${option} "${text}" has no area: x0,y0,x1,y1 needs x0 < x1 and y0 < y1`);
  }
  if (numbers.some((value) => Math.abs(value) > MAX_COORDINATE)) {
    throw new UsageError(`${option} "${text}" is too far out: x0,y0,x1,y1 may be ${MAX_COORDINATE} at most`);
  }
  return [x0, y0, x1, y1];
}

/**
 * The view that `--size` and `--window` name together.
 *
 * @throws UsageError too where the window is so small that float64 can't tell its pixels apart.
 */
export function parseView(size: string, window = '0,0,1,1'): View {
  const view: View = { window: parseWindow(window), ...parseSize(size) };
  const [width, height] = pixelFootprint(view);
  const [x0, y0, x1, y1] = view.window;
  const step = (a: number, b: number) => Number.EPSILON * Math.max(Math.abs(a), Math.abs(b));
  if (width < MIN_STEPS_PER_PIXEL * step(x0, x1) || height < MIN_STEPS_PER_PIXEL * step(y0, y1)) {
    throw new UsageError(`--window "${window}" is too deep for --size ${size}: float64 can't tell its pixels apart`);
  }
  return view;
}
