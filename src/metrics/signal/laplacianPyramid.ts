/**
 * Laplacian pyramids (Burt & Adelson 1983): an image as bands of one octave each and a small rest. The filter is their
 * 5-tap one with a = 3/8, the binomial 1 4 6 4 1.
 */

export interface PyramidLevel {
  width: number;
  height: number;
  values: Float64Array;
}

/**
 * Levels from the finest: differences between each level and what the next, enlarged, says of it; last, what is left.
 * Halving stops before the shorter side falls below `smallest`. Adding all levels up, each enlarged, gives the image.
 */
export function laplacianPyramid(image: PyramidLevel, smallest: number): PyramidLevel[] {
  const levels: PyramidLevel[] = [];
  let rest = image;
  while (Math.ceil(Math.min(rest.width, rest.height) / 2) >= smallest) {
    const reduced = reduce(rest);
    const expanded = expand(reduced, rest.width, rest.height);
    levels.push({ ...rest, values: rest.values.map((value, i) => value - expanded.values[i]) });
    rest = reduced;
  }
  return [...levels, rest];
}

/** Filters, then keeps every other row and column. Borders are mirrored. */
export function reduce(level: PyramidLevel): PyramidLevel {
  const reduceRows = (rows: PyramidLevel) =>
    alongRows(rows, Math.ceil(rows.width / 2), (line, x) => {
      const at = 2 * x + MARGIN;
      return (line[at - 2] + line[at + 2] + 4 * (line[at - 1] + line[at + 1]) + 6 * line[at]) / 16;
    });
  return transpose(reduceRows(transpose(reduceRows(level))));
}

/** Puts zeros between the values and filters, twice as strong along each axis. */
export function expand(level: PyramidLevel, width: number, height: number): PyramidLevel {
  const expandRows = (rows: PyramidLevel, to: number) =>
    alongRows(rows, to, (line, x) => {
      const at = (x >> 1) + MARGIN;
      return x % 2 === 0 ? (line[at - 1] + 6 * line[at] + line[at + 1]) / 8 : (line[at] + line[at + 1]) / 2;
    });
  return transpose(expandRows(transpose(expandRows(level, width)), height));
}

/** What the filter reaches beyond the ends. */
const MARGIN = 2;

/** Applies `value` to each row, which is mirrored about its end pixels' centres: pixel x is line[x + MARGIN]. */
function alongRows(
  { width, height, values }: PyramidLevel,
  newWidth: number,
  value: (line: Float64Array, x: number) => number,
): PyramidLevel {
  const result = new Float64Array(newWidth * height);
  const line = new Float64Array(width + 2 * MARGIN);
  for (let y = 0; y < height; y++) {
    line.set(values.subarray(y * width, (y + 1) * width), MARGIN);
    for (let i = 1; i <= MARGIN; i++) {
      const inside = Math.min(i, width - 1);
      line[MARGIN - i] = line[MARGIN + inside];
      line[MARGIN + width - 1 + i] = line[MARGIN + width - 1 - inside];
    }
    for (let x = 0; x < newWidth; x++) result[y * newWidth + x] = value(line, x);
  }
  return { width: newWidth, height, values: result };
}

function transpose({ width, height, values }: PyramidLevel): PyramidLevel {
  const result = new Float64Array(values.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) result[x * height + y] = values[y * width + x];
  }
  return { width: height, height: width, values: result };
}
