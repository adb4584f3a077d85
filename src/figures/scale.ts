/** Axes of plots on d3's scales: where a value lies, which ticks to draw, how numbers are written. */
import { format, precisionFixed } from 'd3-format';
import { scaleLinear, scaleLog } from 'd3-scale';

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

/** Significant digits of a tick that is not written with fixed decimals. */
const TICK_DIGITS = 4;

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
  const scale = scaleLinear([low, high], [0, 1]);
  if (roomy && !domain) scale.nice(tickCount);
  const ticks = scale.ticks(tickCount);
  return { position: finitePosition(scale), ticks: linearTicks(ticks), minorTicks: [] };
}

/** Equally spaced ticks, all with the decimals that tell them apart. */
function linearTicks(values: readonly number[]): Scale['ticks'] {
  const decimals = values.length > 1 ? precisionFixed(values[1] - values[0]) : 0;
  const formatFixed = format(`,.${decimals}f`);
  return values.map((value) => {
    const plain = decimals <= 4 && Math.abs(value) < 1e7;
    return { value, label: plain ? formatFixed(value) : formatNumber(value, TICK_DIGITS) };
  });
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
  const base = kind === 'log2' ? 2 : 10;
  const scale = scaleLog([low, high], [0, 1]).base(base);
  // Asked for many more ticks than there are powers of two, d3 would give linear ones, crowded at the axis' end.
  const octaves = Math.log2(high / low);
  const ticks = scale.ticks(base === 2 ? Math.min(tickCount, Math.max(3, Math.floor(octaves) + 1)) : tickCount);
  // d3 leaves labels empty where there would be too many. On an axis shorter than a decade it may leave all empty.
  const isLabelled = scale.tickFormat(tickCount);
  const some = ticks.filter((value) => isLabelled(value) !== '');
  const labelled = some.length > 1 ? some : ticks;
  return {
    position: finitePosition(scale),
    ticks: labelled.map((value) => ({ value, label: powerLabel(value, base) })),
    minorTicks: ticks.filter((value) => !labelled.includes(value)),
  };
}

function finitePosition(scale: (value: number) => number): Scale['position'] {
  return (value) => {
    const position = scale(value);
    return Number.isFinite(position) ? position : Number.NaN;
  };
}

function powerLabel(value: number, base: number): string {
  const plain = base === 10 || !Number.isInteger(Math.log2(value)) || (value >= 2 ** -4 && value < 1e7);
  return plain ? formatNumber(value, TICK_DIGITS) : `2${superscript(Math.log2(value))}`;
}

/** A number for people: `0.0125`, `12,500`, `1.25×10⁻⁷`, `−3`, `∞`, and `–` for what is undefined. */
export function formatNumber(value: number, significantDigits = 3): string {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const magnitude = Math.abs(Number(value.toPrecision(significantDigits)));
  if (magnitude === 0 || (magnitude >= 1e-3 && magnitude < 1e7)) return format(`,.${significantDigits}~r`)(value);
  const [mantissa, exponent] = format(`.${significantDigits - 1}~e`)(value).split('e');
  const power = `10${superscript(Number(exponent))}`;
  return /^−?1$/.test(mantissa) ? mantissa.replace('1', power) : `${mantissa}×${power}`;
}

function superscript(exponent: number): string {
  return [...String(exponent)].map((digit) => (digit === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)])).join('');
}
