import { describe, expect, it } from 'vitest';
import { meanSquaredError, psnrOfMse, summarizePsnr } from '../../src/metrics/psnr.ts';

describe('psnr', () => {
  it('is 20 dB where every value is off by a tenth of the peak', () => {
    const mse = meanSquaredError([0, 0.5, 1], [0.1, 0.4, 0.9]);
    expect(mse).toBeCloseTo(0.01, 15);
    expect(psnrOfMse(mse)).toBeCloseTo(20, 12);
  });

  it('of an 8-bit rounding error is that of a uniform error of one step, 10·log₁₀(12·255²)', () => {
    const exact = Float64Array.from({ length: 100_000 }, (_, i) => (i + 0.5) / 100_000);
    const rounded = exact.map((value) => Math.round(255 * value) / 255);
    expect(psnrOfMse(meanSquaredError(exact, rounded))).toBeCloseTo(10 * Math.log10(12 * 255 ** 2), 3);
  });

  it('is infinite for identical images and NaN where a value is', () => {
    expect(psnrOfMse(meanSquaredError([0.3], [0.3]))).toBe(Number.POSITIVE_INFINITY);
    expect(psnrOfMse(meanSquaredError([0.3, Number.NaN], [0.3, 0]))).toBeNaN();
  });

  it('refuses images of different sizes and empty ones', () => {
    expect(() => meanSquaredError([1, 2], [1])).toThrow("can't compare 2 values with 1");
    expect(() => meanSquaredError([], [])).toThrow(RangeError);
  });
});

describe('summarizePsnr', () => {
  it('averages decibels for the mean PSNR and errors for the PSNR of the mean', () => {
    const summary = summarizePsnr([1e-2, 1e-4]);
    expect(summary.meanPsnrDb).toBeCloseTo(30, 12);
    expect(summary.psnrOfMeanMseDb).toBeCloseTo(-10 * Math.log10(0.00505), 12);
    expect(summary.psnrOfMeanMseDb).toBeLessThan(summary.meanPsnrDb);
  });

  it('has an infinite mean but a finite PSNR of the mean where one of two images is identical', () => {
    const summary = summarizePsnr([0, 2e-3]);
    expect(summary.meanPsnrDb).toBe(Number.POSITIVE_INFINITY);
    expect(summary.psnrOfMeanMseDb).toBeCloseTo(30, 12);
  });

  it('refuses to summarise nothing', () => {
    expect(() => summarizePsnr([])).toThrow(RangeError);
  });
});
