/**
 * One-dimensional transforms of blocks, the machinery under `fft.ts`.
 *
 * A transform runs over the first axis of a [length, lanes] block, lanes contiguous, so that every inner loop is a
 * plain sweep of memory. Lengths whose primes are small take the Stockham autosort algorithm with radices 4, 2 and any
 * odd prime (Van Loan 1992, "Computational Frameworks for the FFT", §1.7); others Bluestein's chirp convolution
 * (Bluestein 1970).
 */

/** Real and imaginary parts, of the shape of what was transformed. */
export interface Complex {
  re: Float64Array;
  im: Float64Array;
}

/**
 * Transforms [length, lanes], overwriting it, and returns where the result is: in that block or in scratch memory that
 * the next call reuses. Either may be longer than length·lanes.
 */
export type BlockTransform = (block: Complex, lanes: number) => Complex;

/** Above this prime factor Bluestein costs less than a butterfly of that radix. */
const LARGEST_RADIX = 31;

const transforms = new Map<number, BlockTransform>();

/** Zeros. */
export function makeComplex(length: number): Complex {
  return { re: new Float64Array(length), im: new Float64Array(length) };
}

/** The transform of that length, any integer ≥ 1; made once. */
export function transformOf(length: number): BlockTransform {
  if (!Number.isInteger(length) || length < 1) throw new RangeError(`no Fourier transform of ${length} values`);
  let transform = transforms.get(length);
  if (!transform) {
    const radices = radicesOf(length);
    transform = Math.max(1, ...radices) > LARGEST_RADIX ? makeBluestein(length) : makeStockham(length, radices);
    transforms.set(length, transform);
  }
  return transform;
}

/** Factors of n: fours, at most one two, then odd primes in ascending order. */
function radicesOf(n: number): number[] {
  const radices: number[] = [];
  let rest = n;
  for (const radix of [4, 2]) {
    for (; rest % radix === 0; rest /= radix) radices.push(radix);
  }
  for (let prime = 3; rest > 1; prime += 2) {
    if (prime * prime > rest) prime = rest;
    for (; rest % prime === 0; rest /= prime) radices.push(prime);
  }
  return radices;
}

/** e^(−2πi k/n) for k = 0…n−1. */
function unitRoots(n: number): Complex {
  return {
    re: Float64Array.from({ length: n }, (_, k) => Math.cos((2 * Math.PI * k) / n)),
    im: Float64Array.from({ length: n }, (_, k) => -Math.sin((2 * Math.PI * k) / n)),
  };
}

function makeStockham(length: number, radices: readonly number[]): BlockTransform {
  const roots = unitRoots(length);
  let scratch = makeComplex(0);
  return (block, lanes) => {
    if (scratch.re.length < length * lanes) scratch = makeComplex(length * lanes);
    let [from, to] = [block, scratch];
    let remaining = length;
    let stride = lanes;
    for (const radix of radices) {
      const butterfly = radix === 4 ? radix4 : radix === 2 ? radix2 : radixAny;
      butterfly(from, to, roots, { radix, parts: remaining / radix, stride, rootStep: length / remaining });
      [from, to] = [to, from];
      remaining /= radix;
      stride *= radix;
    }
    return from;
  };
}

/** One stage: `parts` butterflies of `radix` rows, each row `stride` values; roots are taken at multiples of `rootStep`. */
interface Stage {
  radix: number;
  parts: number;
  stride: number;
  rootStep: number;
}

function radix2(x: Complex, y: Complex, roots: Complex, { parts, stride, rootStep }: Stage): void {
  const [xr, xi, yr, yi] = [x.re, x.im, y.re, y.im];
  for (let p = 0; p < parts; p++) {
    const [wr, wi] = [roots.re[p * rootStep], roots.im[p * rootStep]];
    let [a, b, to] = [p * stride, (p + parts) * stride, 2 * p * stride];
    for (const end = a + stride; a < end; a++, b++, to++) {
      const dr = xr[a] - xr[b];
      const di = xi[a] - xi[b];
      yr[to] = xr[a] + xr[b];
      yi[to] = xi[a] + xi[b];
      yr[to + stride] = dr * wr - di * wi;
      yi[to + stride] = dr * wi + di * wr;
    }
  }
}

function radix4(x: Complex, y: Complex, roots: Complex, { parts, stride, rootStep }: Stage): void {
  const [xr, xi, yr, yi] = [x.re, x.im, y.re, y.im];
  for (let p = 0; p < parts; p++) {
    const step = p * rootStep;
    const [w1r, w2r, w3r] = [roots.re[step], roots.re[2 * step], roots.re[3 * step]];
    const [w1i, w2i, w3i] = [roots.im[step], roots.im[2 * step], roots.im[3 * step]];
    const apart = parts * stride;
    for (let a = p * stride, to = 4 * p * stride, end = a + stride; a < end; a++, to++) {
      const [b, c, d] = [a + apart, a + 2 * apart, a + 3 * apart];
      const sumACr = xr[a] + xr[c];
      const sumACi = xi[a] + xi[c];
      const differenceACr = xr[a] - xr[c];
      const differenceACi = xi[a] - xi[c];
      const sumBDr = xr[b] + xr[d];
      const sumBDi = xi[b] + xi[d];
      // −i(b − d)
      const turnedBDr = xi[b] - xi[d];
      const turnedBDi = xr[d] - xr[b];
      const r1 = differenceACr + turnedBDr;
      const i1 = differenceACi + turnedBDi;
      const r2 = sumACr - sumBDr;
      const i2 = sumACi - sumBDi;
      const r3 = differenceACr - turnedBDr;
      const i3 = differenceACi - turnedBDi;
      yr[to] = sumACr + sumBDr;
      yi[to] = sumACi + sumBDi;
      yr[to + stride] = r1 * w1r - i1 * w1i;
      yi[to + stride] = r1 * w1i + i1 * w1r;
      yr[to + 2 * stride] = r2 * w2r - i2 * w2i;
      yi[to + 2 * stride] = r2 * w2i + i2 * w2r;
      yr[to + 3 * stride] = r3 * w3r - i3 * w3i;
      yi[to + 3 * stride] = r3 * w3i + i3 * w3r;
    }
  }
}

/** y[k] = Σ_j x[j] ω^(k(p + parts·j)): the butterfly's own roots and the twiddle factor in one. */
function radixAny(x: Complex, y: Complex, roots: Complex, { radix, parts, stride, rootStep }: Stage): void {
  const [xr, xi, yr, yi] = [x.re, x.im, y.re, y.im];
  const length = radix * parts;
  for (let p = 0; p < parts; p++) {
    for (let k = 0; k < radix; k++) {
      const to = (radix * p + k) * stride;
      yr.fill(0, to, to + stride);
      yi.fill(0, to, to + stride);
      for (let j = 0; j < radix; j++) {
        const root = ((k * (p + parts * j)) % length) * rootStep;
        const [wr, wi] = [roots.re[root], roots.im[root]];
        const from = (p + parts * j) * stride;
        for (let q = 0; q < stride; q++) {
          yr[to + q] += xr[from + q] * wr - xi[from + q] * wi;
          yi[to + q] += xr[from + q] * wi + xi[from + q] * wr;
        }
      }
    }
  }
}

/** kn = (k² + n² − (k−n)²)/2 makes the DFT a convolution with a chirp, done by transforms of a power of two. */
function makeBluestein(length: number): BlockTransform {
  let padded = 1;
  while (padded < 2 * length - 1) padded *= 2;
  const transform = transformOf(padded);
  const chirp = makeComplex(length); // e^(−πi k²/length)
  const kernel = makeComplex(padded);
  for (let k = 0; k < length; k++) {
    // k² is reduced exactly: the angle of a large square would lose its digits.
    const angle = (Math.PI * ((k * k) % (2 * length))) / length;
    chirp.re[k] = Math.cos(angle);
    chirp.im[k] = -Math.sin(angle);
    kernel.re[k] = kernel.re[(padded - k) % padded] = chirp.re[k];
    kernel.im[k] = kernel.im[(padded - k) % padded] = -chirp.im[k];
  }
  const transformed = transform(kernel, 1);
  const product = { re: transformed.re.slice(0, padded), im: transformed.im.slice(0, padded) };
  let work = makeComplex(0);
  return (block, lanes) => {
    if (work.re.length < padded * lanes) work = makeComplex(padded * lanes);
    work.re.fill(0, length * lanes, padded * lanes);
    work.im.fill(0, length * lanes, padded * lanes);
    multiplyRows(block, chirp, work, length, lanes);
    const spectrum = transform(work, lanes);
    multiplyRows(spectrum, product, work, padded, lanes);
    // The inverse transform, by swapping the parts; what is left to do is dividing by its length.
    const swapped = transform({ re: work.im, im: work.re }, lanes);
    multiplyRows({ re: swapped.im, im: swapped.re }, chirp, block, length, lanes, 1 / padded);
    return block;
  };
}

/** Multiplies row k of a [rows, lanes] block by the complex factor k. `output` may be `input`. */
function multiplyRows(input: Complex, factors: Complex, output: Complex, rows: number, lanes: number, scale = 1): void {
  for (let k = 0; k < rows; k++) {
    const [fr, fi] = [factors.re[k] * scale, factors.im[k] * scale];
    for (let at = k * lanes, end = at + lanes; at < end; at++) {
      const re = input.re[at] * fr - input.im[at] * fi;
      output.im[at] = input.re[at] * fi + input.im[at] * fr;
      output.re[at] = re;
    }
  }
}
