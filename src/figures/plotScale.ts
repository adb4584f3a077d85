/** Axes of plots: where a value lies, which ticks to draw, how numbers are written. */

export type ScaleKind = 'linear' | 'log' | 'log2';

export interface Scale {
  /** Where a value lies, 0 at the start of the axis and 1 at its end; NaN where the axis has no place for it. */
  position(value: number): number;
  ticks: { value: number; label: string }[];
  /** Unlabelled ticks between. */
  minorTicks: number[];
}

interface ScaleOptions {
  kind: ScaleKind;
  /** Fixes the ends of the axis. */
  domain?: readonly [number, number];
  /** Moves the ends of a linear axis out to ticks, and of a logarithmic one out a little. */
  roomy: boolean;
  /** About how many labels there is room for. */
  tickCount: number;
}

/** Makes an axis that holds all values it can: the finite ones, on a logarithmic axis the positive ones. */
export function makeScale(values: readonly number[], options: ScaleOptions): Scale {
  const { kind, domain } = options;
  if (domain && !(domain[0] < domain[1] && (kind === 'linear' || domain[0] > 0))) {
    throw new RangeError(`no ${kind} axis from ${domain[0]} to ${domain[1]}`);
  }
  return kind === 'linear' ? linearScale(values, options) : logScale(values, options);
}

function extent(values: readonly number[], accept: (value: number) => boolean): [number, number] | undefined {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!Number.isFinite(value) || !accept(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : undefined;
}

function linearScale(values: readonly number[], { domain, roomy, tickCount }: ScaleOptions): Scale {
  let [low, high] = domain ?? extent(values, () => true) ?? [0, 1];
  // Closer than that, ticks could not be told apart in float64.
  if (high - low < Math.max(1e-12 * Math.max(Math.abs(low), Math.abs(high)), 1e-290)) {
    const margin = Math.abs(low) > 1e-290 ? Math.abs(low) / 10 : 1;
    [low, high] = [low - margin, high + margin];
  }
  const step = niceStep((high - low) / tickCount);
  if (roomy && !domain) [low, high] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  return {
    position: (value) => (Number.isFinite(value) ? (value - low) / (high - low) : Number.NaN),
    ticks: linearTicks(low, high, step),
    minorTicks: [],
  };
}

function linearTicks(low: number, high: number, step: number): Scale['ticks'] {
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const slack = 1e-9 * step;
  const ticks: Scale['ticks'] = [];
  for (let i = Math.ceil((low - slack) / step); i * step <= high + slack; i++) {
    const value = i * step + 0; // not −0
    const plain = decimals <= 4 && Math.abs(value) < 1e7;
    ticks.push({ value, label: plain ? withMinus(grouped(value, decimals)) : formatNumber(value, 4) });
  }
  return ticks;
}

/** The smallest of 1, 2, 5 times a power of ten that is at least `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
}

function logScale(values: readonly number[], { kind, domain, roomy, tickCount }: ScaleOptions): Scale {
  // Well inside what float64 holds, so that there is room for margins.
  let [low, high] = (domain ?? extent(values, (value) => value > 0) ?? [1, 10]).map((end) =>
    Math.min(Math.max(end, 1e-300), 1e300),
  );
  if (high / low < 1 + 1e-12) [low, high] = [low / 2, high * 2];
  if (roomy && !domain) {
    const margin = Math.min(Math.exp(0.04 * (Math.log(high) - Math.log(low))), 1e6);
    [low, high] = [low / margin, high * margin];
  }
  const [start, span] = [Math.log(low), Math.log(high) - Math.log(low)];
  const within = (value: number) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  const base = kind === 'log2' ? 2 : 10;
  const exponents: number[] = [];
  for (let e = Math.floor(Math.log2(low) / Math.log2(base)); base ** e <= high; e++) exponents.push(e);
  const powers = exponents.filter((e) => within(base ** e));
  const stride = Math.max(1, Math.ceil(powers.length / tickCount));
  // Too short an axis for powers of the base: multiples of them, and in the end plain steps.
  const rungs = (factors: readonly number[]) =>
    exponents.flatMap((e) => factors.map((factor) => factor * base ** e)).filter(within);
  const candidates = [
    powers.filter((e) => e % stride === 0).map((e) => base ** e),
    ...(base === 10 ? [rungs([1, 2, 5]), rungs([1, 2, 3, 4, 5, 6, 7, 8, 9])] : []),
  ];
  const labelled = candidates.find(({ length }) => length >= 3) ?? candidates.find(({ length }) => length === 2);
  return {
    position: (value) => (value > 0 && Number.isFinite(value) ? (Math.log(value) - start) / span : Number.NaN),
    ticks:
      labelled?.map((value) => ({ value, label: powerLabel(value, base) })) ??
      linearTicks(low, high, niceStep((high - low) / tickCount)),
    minorTicks: base === 10 && stride === 1 ? rungs([2, 3, 4, 5, 6, 7, 8, 9]) : powers.map((e) => base ** e),
  };
}

function powerLabel(value: number, base: number): string {
  if (base === 10 || (value >= 2 ** -4 && value < 1e7)) return formatNumber(value, 4);
  return `2${superscript(Math.round(Math.log2(value)))}`;
}

/** A number for people: `0.0125`, `12,500`, `1.25×10⁻⁷`, `−3`, `∞`, and `–` for what is undefined. */
export function formatNumber(value: number, significantDigits = 3): string {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const rounded = Number(value.toPrecision(significantDigits));
  const magnitude = Math.abs(rounded);
  if (magnitude === 0) return '0';
  if (magnitude >= 1e-3 && magnitude < 1e7)
    return withMinus(rounded.toLocaleString('en-US', { maximumFractionDigits: 10 }));
  const [mantissa, exponent] = rounded.toExponential().split('e');
  const power = `10${superscript(Number(exponent))}`;
  return withMinus(Math.abs(Number(mantissa)) === 1 ? mantissa.replace('1', power) : `${mantissa}×${power}`);
}

function grouped(value: number, decimals: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function withMinus(text: string): string {
  return text === '-0' ? '0' : text.replace('-', '−');
}

function superscript(exponent: number): string {
  return [...String(exponent)].map((digit) => (digit === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)])).join('');
}
