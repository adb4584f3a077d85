/** Which part of an image is used, and where it lands on the target. */
import type { DataConfig } from './schema.ts';

export interface Size {
  width: number;
  height: number;
}
export interface Rectangle extends Size {
  left: number;
  top: number;
}

function fitRatio(image: Size, target: Size, fit: 'crop' | 'pad'): number {
  const ratios = [target.width / image.width, target.height / image.height];
  return fit === 'crop' ? Math.max(...ratios) : Math.min(...ratios);
}

/** The whole image's size once it fits the target: covering it (crop), within it (pad), or equal to it (stretch). */
export function fittedSize(image: Size, target: Size, fit: DataConfig['fit']): Size {
  if (fit === 'stretch') return { width: target.width, height: target.height };
  const ratio = fitRatio(image, target, fit);
  const scale = (length: number) => Math.max(1, Math.round(length * ratio));
  return { width: scale(image.width), height: scale(image.height) };
}

/** A span of `length`, in the middle of `total`. */
function centreOffset(total: number, length: number): number {
  return Math.floor((total - length) / 2);
}

/**
 * The rectangle of the image (in its pixels) that is resized to a rectangle of the target (in target pixels), both
 * centred. At k times the target's size, k times the second rectangle is used with the same first one, so that all
 * scales show exactly the same part of the plane.
 */
export function place(image: Size, target: Size, fit: DataConfig['fit']): { from: Rectangle; to: Rectangle } {
  const fitted = fittedSize(image, target, fit);
  const width = Math.min(fitted.width, target.width);
  const height = Math.min(fitted.height, target.height);
  const used = { width: image.width, height: image.height };
  if (fit === 'crop') {
    const ratio = fitRatio(image, target, fit);
    const cut = (length: number, most: number) => Math.min(most, Math.max(1, Math.round(length / ratio)));
    used.width = cut(width, image.width);
    used.height = cut(height, image.height);
  }
  return {
    from: { left: centreOffset(image.width, used.width), top: centreOffset(image.height, used.height), ...used },
    to: { left: centreOffset(target.width, width), top: centreOffset(target.height, height), width, height },
  };
}
