/**
 * Discrete Fourier transforms of any length, in float64. Unnormalised forward, X[k] = Σ x[n] e^(−2πi kn/N); the
 * inverse divides by N. (An "ortho" coefficient is X/√N, so its energy is |X|²/N.)
 */
import { type Complex, makeComplex, transformOf } from './fftBlock.ts';

export type { Complex } from './fftBlock.ts';

/** Lanes transformed together: enough to amortise the loops, few enough for the second-level cache. */
const BLOCK_LANES = 32;

/** DFT of a complex (or, without `im`, real) signal of any length ≥ 1. */
export function fft(re: ArrayLike<number>, im?: ArrayLike<number>): Complex {
  const input = { re: Float64Array.from(re), im: im ? Float64Array.from(im) : new Float64Array(re.length) };
  const output = transformOf(re.length)(input, 1);
  return { re: output.re.slice(0, re.length), im: output.im.slice(0, re.length) };
}

/**
 * 2-D DFT of a real image [height, width], any size, non-square too.
 *
 * @returns all [height, width] coefficients: row k_y, column k_x, DC first, negative frequencies in the upper halves.
 */
export function fft2(image: ArrayLike<number>, width: number, height: number): Complex {
  const spectrum = halfFft2(image, width, height);
  // A real image has X[−k] = X*[k].
  for (let ky = 0; ky < height; ky++) {
    const row = ky * width;
    const mirrorRow = ((height - ky) % height) * width;
    for (let kx = (width >> 1) + 1; kx < width; kx++) {
      spectrum.re[row + kx] = spectrum.re[mirrorRow + width - kx];
      spectrum.im[row + kx] = -spectrum.im[mirrorRow + width - kx];
    }
  }
  return spectrum;
}

/** `fft2` with columns 0…width/2 only, which determine the others; those stay 0. */
export function halfFft2(image: ArrayLike<number>, width: number, height: number): Complex {
  if (image.length !== width * height)
    throw new RangeError(`${image.length} values for an image of ${width}x${height}`);
  const spectrum = { re: new Float64Array(width * height), im: new Float64Array(width * height) };
  transformRealRows(image, spectrum, width, height);
  transformAxis(spectrum, { length: height, stride: width }, { count: (width >> 1) + 1, stride: 1 });
  return spectrum;
}

/** The real part of the inverse 2-D DFT of [height, width] coefficients: the image, where they are an image's. */
export function inverseFft2(spectrum: Complex, width: number, height: number): Float64Array {
  // Swapping the parts conjugates up to a factor of i, which turns the forward transform into the inverse.
  const swapped = { re: spectrum.im.slice(), im: spectrum.re.slice() };
  transformAxis(swapped, { length: width, stride: 1 }, { count: height, stride: width });
  transformAxis(swapped, { length: height, stride: width }, { count: width, stride: 1 });
  return swapped.im.map((value) => value / (width * height));
}

/** Transforms real rows two at a time, as real and imaginary part of one signal; fills columns 0…width/2. */
function transformRealRows(image: ArrayLike<number>, output: Complex, width: number, height: number): void {
  const transform = transformOf(width);
  const half = (width >> 1) + 1;
  const pairs = Math.ceil(height / 2);
  const block = makeComplex(width * Math.min(BLOCK_LANES, pairs));
  for (let first = 0; first < pairs; first += BLOCK_LANES) {
    const lanes = Math.min(BLOCK_LANES, pairs - first);
    for (let lane = 0; lane < lanes; lane++) {
      const upper = 2 * (first + lane) * width;
      const hasLower = 2 * (first + lane) + 1 < height;
      for (let x = 0; x < width; x++) {
        block.re[x * lanes + lane] = image[upper + x];
        block.im[x * lanes + lane] = hasLower ? image[upper + width + x] : 0;
      }
    }
    const { re, im } = transform(block, lanes);
    for (let kx = 0; kx < half; kx++) {
      const mirror = (width - kx) % width;
      for (let lane = 0; lane < lanes; lane++) {
        const [a, b] = [kx * lanes + lane, mirror * lanes + lane];
        const upper = 2 * (first + lane) * width + kx;
        output.re[upper] = (re[a] + re[b]) / 2;
        output.im[upper] = (im[a] - im[b]) / 2;
        if (2 * (first + lane) + 1 < height) {
          output.re[upper + width] = (im[a] + im[b]) / 2;
          output.im[upper + width] = (re[b] - re[a]) / 2;
        }
      }
    }
  }
}

/** Transforms `count` lines in place, each of `length` values; strides are between values of a line and between lines. */
function transformAxis(
  data: Complex,
  line: { length: number; stride: number },
  lines: { count: number; stride: number },
): void {
  const transform = transformOf(line.length);
  const block = makeComplex(line.length * Math.min(BLOCK_LANES, lines.count));
  for (let first = 0; first < lines.count; first += BLOCK_LANES) {
    const lanes = Math.min(BLOCK_LANES, lines.count - first);
    for (let i = 0; i < line.length; i++) {
      const from = i * line.stride + first * lines.stride;
      for (let lane = 0; lane < lanes; lane++) {
        block.re[i * lanes + lane] = data.re[from + lane * lines.stride];
        block.im[i * lanes + lane] = data.im[from + lane * lines.stride];
      }
    }
    const { re, im } = transform(block, lanes);
    for (let i = 0; i < line.length; i++) {
      const to = i * line.stride + first * lines.stride;
      for (let lane = 0; lane < lanes; lane++) {
        data.re[to + lane * lines.stride] = re[i * lanes + lane];
        data.im[to + lane * lines.stride] = im[i * lanes + lane];
      }
    }
  }
}
