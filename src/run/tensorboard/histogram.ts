/** TensorBoard's default (`tensorboard/plugins/histogram/summary_v2.py`). */
export const DEFAULT_BUCKETS = 30;

/**
 * Rows of [left edge, right edge, count], flattened, of `buckets` equal intervals between the smallest and the largest
 * value; the last interval is closed. As TensorBoard defines it: all zero where there is no value; where all values
 * are equal, every edge is that value and the last row counts them.
 *
 * NaN and infinities have no place on the axis and are left out (TensorBoard would show nothing at all for them).
 *
 * @returns [buckets, 3], row by row.
 */
export function histogramRows(values: ArrayLike<number>, buckets = DEFAULT_BUCKETS): Float64Array {
  if (!Number.isInteger(buckets) || buckets < 1) throw new RangeError(`buckets must be at least 1, got ${buckets}`);
  const rows = new Float64Array(buckets * 3);
  let count = 0;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    count++;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (count === 0) return rows;
  const scale = Number.isFinite(high - low) ? 1 : 0.5; // Keeps differences of the largest doubles from overflowing.
  const range = high * scale - low * scale;
  const edge = (i: number) => (range === 0 ? low : low * (1 - i / buckets) + high * (i / buckets));
  for (let i = 0; i < buckets; i++) {
    rows[3 * i] = edge(i);
    rows[3 * i + 1] = edge(i + 1);
  }
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    const fraction = range === 0 ? 1 : (value * scale - low * scale) / range; // in [0,1]
    rows[3 * Math.min(Math.floor(fraction * buckets), buckets - 1) + 2]++;
  }
  return rows;
}
