import { describe, expect, it } from 'vitest';
import { fft, fft2, inverseFft2 } from '../../../src/metrics/signal/fft.ts';
import { Random } from '../../../src/random.ts';

function uniforms(length: number, step: number): Float64Array {
  return Float64Array.from(new Random(1, 'synthetic', step).uniforms(length, -1, 1));
}

/** The definition, with the angle reduced exactly. */
function naiveDft(re: Float64Array, im: Float64Array): { re: number[]; im: number[] } {
  const n = re.length;
  const output = { re: new Array<number>(n).fill(0), im: new Array<number>(n).fill(0) };
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < n; j++) {
      const angle = (-2 * Math.PI * ((k * j) % n)) / n;
      output.re[k] += re[j] * Math.cos(angle) - im[j] * Math.sin(angle);
      output.im[k] += re[j] * Math.sin(angle) + im[j] * Math.cos(angle);
    }
  }
  return output;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
}

function energy(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}

describe('fft', () => {
  // 37, 74, 97 and 1009 have a prime factor that only Bluestein serves; 961 = 31² is the largest radix, twice.
  const lengths = [...Array.from({ length: 20 }, (_, i) => i + 1), 27, 31, 37, 60, 64, 74, 97, 100, 128, 961, 1009];
  it.each(lengths)('of length %i agrees with the definition', (length) => {
    const [re, im] = [uniforms(length, 0), uniforms(length, 1)];
    const [fast, slow] = [fft(re, im), naiveDft(re, im)];
    expect(largestDifference(fast.re, slow.re)).toBeLessThan(1e-12 * length);
    expect(largestDifference(fast.im, slow.im)).toBeLessThan(1e-12 * length);
  });

  it('gives the same numbers when lengths are interleaved, although scratch memory is shared', () => {
    const signal = uniforms(97, 2);
    const first = fft(signal);
    fft(uniforms(64, 3));
    fft(uniforms(97, 4));
    expect(fft(signal)).toEqual(first);
  });

  it('refuses an empty signal', () => {
    expect(() => fft([])).toThrow(RangeError);
  });
});

describe('fft2', () => {
  const sizes = [
    [1, 1],
    [1, 7],
    [8, 1],
    [6, 4],
    [5, 9],
    [37, 12],
    [13, 74],
    [64, 64],
    [80, 75],
  ];
  it.each(sizes)(
    'of a real %ix%i image agrees with one-dimensional transforms of columns, then rows',
    (width, height) => {
      const image = uniforms(width * height, 5);
      const expected = { re: new Float64Array(width * height), im: new Float64Array(width * height) };
      for (let x = 0; x < width; x++) {
        const column = naiveDft(
          Float64Array.from({ length: height }, (_, y) => image[y * width + x]),
          new Float64Array(height),
        );
        for (let y = 0; y < height; y++) {
          expected.re[y * width + x] = column.re[y];
          expected.im[y * width + x] = column.im[y];
        }
      }
      for (let start = 0; start < width * height; start += width) {
        const end = start + width;
        const row = naiveDft(expected.re.slice(start, end), expected.im.slice(start, end));
        expected.re.set(row.re, start);
        expected.im.set(row.im, start);
      }
      const spectrum = fft2(image, width, height);
      expect(largestDifference(spectrum.re, expected.re)).toBeLessThan(1e-11);
      expect(largestDifference(spectrum.im, expected.im)).toBeLessThan(1e-11);
      expect(largestDifference(inverseFft2(spectrum, width, height), image)).toBeLessThan(1e-13);
    },
  );

  it.each([
    [64, 64],
    [97, 31],
    [100, 27],
  ])('conserves the energy of a %ix%i image (Parseval) to 1e-10', (width, height) => {
    const image = uniforms(width * height, 6);
    const spectrum = fft2(image, width, height);
    const ratio = (energy(spectrum.re) + energy(spectrum.im)) / (width * height) / energy(image);
    expect(Math.abs(ratio - 1)).toBeLessThan(1e-10);
  });

  it('reads 32-bit images as they are', () => {
    const image = Float32Array.from(uniforms(35, 7));
    expect(fft2(image, 7, 5)).toEqual(fft2(Float64Array.from(image), 7, 5));
  });

  it('refuses an image that is not of the stated size', () => {
    expect(() => fft2(new Float64Array(10), 3, 4)).toThrow('10 values for an image of 3x4');
  });
});
