/**
 * Balanced half-samples (McCarthy 1969; Wolter 2007, "Introduction to Variance Estimation", ch. 3): a set is cut into
 * pairs of parts, and each split has one part of each pair in one half and the other in the other. Which one, the
 * columns of a Hadamard matrix of order 8 say, so that splits are as different from each other as can be.
 */

/** Splits that a floor is the mean of, where there are parts enough. */
export const MOST_SPLITS = 8;
/** Pairs that the Hadamard matrix has columns for. */
export const MOST_PAIRS = 7;

/**
 * @param pairs of parts, 1 to 7; below 4 there are fewer different splits than 8.
 * @returns for each split and pair, whether its parts change sides.
 */
export function balancedSplits(pairs: number): boolean[][] {
  if (pairs < 1 || pairs > MOST_PAIRS)
    throw new RangeError(`balanced splits of ${pairs} pairs, not 1 to ${MOST_PAIRS}`);
  return Array.from({ length: Math.min(MOST_SPLITS, 2 ** (pairs - 1)) }, (_, split) =>
    Array.from({ length: pairs }, (_, pair) => isOdd(split & (pair + 1))),
  );
}

/**
 * A note on a floor that is the mean of fewer splits than usual, because images are few, or so large that they make few
 * parts; none on other floors.
 */
export function floorNote(metric: string, floor?: { splits: number }): string[] {
  if (!floor || floor.splits === MOST_SPLITS) return [];
  return [`${metric}'s floor is of ${floor.splits} split${floor.splits === 1 ? '' : 's'}, not of ${MOST_SPLITS}`];
}

/** Whether a number below 8 has an odd number of ones. */
function isOdd(bits: number): boolean {
  return ((bits ^ (bits >> 1) ^ (bits >> 2)) & 1) === 1;
}
