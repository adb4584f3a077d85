/** Many images of one size on a sheet. */

/** An RGB image in memory. */
export interface RgbImage {
  width: number;
  height: number;
  /** [height, width, 3] */
  pixels: Uint8Array;
}

export interface SheetOptions {
  /** Images per row; by default as many as make the sheet about square. */
  columns?: number;
  /** Pixels between images, and around all of them. */
  gap?: number;
  background?: readonly [red: number, green: number, blue: number];
}

/** Columns and size of the sheet that `contactSheet` makes of `count` images. */
export function sheetSize(count: number, width: number, height: number, options: SheetOptions = {}) {
  const columns = Math.min(count, options.columns ?? Math.ceil(Math.sqrt((count * height) / width)));
  const { gap = 2 } = options;
  return { columns, width: columns * (width + gap) + gap, height: Math.ceil(count / columns) * (height + gap) + gap };
}

/**
 * Packs images row by row, left to right. For pairs (original, reconstruction) hand them over alternately, with an
 * even number of columns.
 *
 * @param images each [height, width, 3].
 */
export function contactSheet(
  images: readonly Uint8Array[],
  width: number,
  height: number,
  options: SheetOptions = {},
): RgbImage {
  if (images.length === 0) throw new RangeError('a sheet needs at least one image');
  const { columns, width: sheetWidth, height: sheetHeight } = sheetSize(images.length, width, height, options);
  const { gap = 2, background = [255, 255, 255] } = options;
  if (!Number.isInteger(columns) || columns < 1) throw new RangeError(`columns must be positive, got ${columns}`);
  if (!Number.isInteger(gap) || gap < 0) throw new RangeError(`gap must be a number of pixels, got ${gap}`);
  const pixels = new Uint8Array(sheetWidth * sheetHeight * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = background[i % 3];
  images.forEach((image, index) => {
    if (image.length !== width * height * 3) {
      throw new RangeError(
        `image ${index} has ${image.length} bytes, ${width}×${height} RGB has ${width * height * 3}`,
      );
    }
    const left = gap + (index % columns) * (width + gap);
    const top = gap + Math.floor(index / columns) * (height + gap);
    for (let row = 0; row < height; row++) {
      const line = image.subarray(row * width * 3, (row + 1) * width * 3);
      pixels.set(line, ((top + row) * sheetWidth + left) * 3);
    }
  });
  return { width: sheetWidth, height: sheetHeight, pixels };
}

/** Shows each pixel as a square of factor×factor (nearest neighbour), so that single pixels can be seen. */
export function magnify(pixels: Uint8Array, width: number, height: number, factor: number): RgbImage {
  if (!Number.isInteger(factor) || factor < 1) throw new RangeError(`factor must be a positive integer, got ${factor}`);
  const [newWidth, newHeight] = [width * factor, height * factor];
  const large = new Uint8Array(newWidth * newHeight * 3);
  for (let row = 0; row < newHeight; row++) {
    const from = Math.floor(row / factor) * width;
    for (let column = 0; column < newWidth; column++) {
      const source = (from + Math.floor(column / factor)) * 3;
      const target = (row * newWidth + column) * 3;
      for (let channel = 0; channel < 3; channel++) large[target + channel] = pixels[source + channel];
    }
  }
  return { width: newWidth, height: newHeight, pixels: large };
}
