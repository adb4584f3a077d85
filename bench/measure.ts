/** Medians of repeated measurements, and the checks that come before them. */

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Largest difference, relative to the largest value expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [error, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    error = Math.max(error, Number.isFinite(actual[i]) ? Math.abs(actual[i] - expected[i]) : Infinity);
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return error / scale;
}

/** @throws Error where a result is further from float64 than `bound`: a wrong figure must not count. */
export function requireCorrect(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound = 1e-5,
): void {
  const error = relativeError(actual, expected);
  if (!(error <= bound)) throw new Error(`${what} is wrong: relative error ${error.toExponential(1)} against float64`);
}

/**
 * How near work comes to a limit: the two are measured in turn, and the median of the ratios is taken, so that other
 * load on the machine weighs on both.
 *
 * @param limit measures the limit, per second.
 * @param amount what one run of the work amounts to, in the limit's unit.
 */
export function fractionOfLimit(
  limit: () => number,
  { run, amount }: { run: () => void; amount: number },
  rounds = 7,
): { fraction: number; rate: number; limit: number } {
  run();
  const [fractions, rates, limits]: number[][] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const perSecond = limit();
    const start = performance.now();
    let runs = 0;
    do {
      run();
      runs++;
    } while (performance.now() - start < 40);
    const rate = (1000 * amount * runs) / (performance.now() - start);
    rates.push(rate);
    limits.push(perSecond);
    fractions.push(rate / perSecond);
  }
  return { fraction: median(fractions), rate: median(rates), limit: median(limits) };
}
