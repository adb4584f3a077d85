import { describe, expect, it } from 'vitest';
import { powerLawField } from '../../../src/eval/noise/theory/syntheticField.ts';
import { octavePartition, ringPartition } from '../../../src/metrics/signal/bands.ts';
import { percentileInterval, resampledMeans } from '../../../src/metrics/signal/bootstrap.ts';
import { columnMeans } from '../../../src/metrics/signal/spectralDistance.ts';
import { meanLogFrequencies, spectralSlope } from '../../../src/metrics/signal/spectralSlope.ts';
import { bandPowers, hannWindow, makePeriodogram } from '../../../src/metrics/signal/windowedSpectrum.ts';
import { Random } from '../../../src/random.ts';

const noise = (count: number, width: number, height: number, sigma = 1) => ({
  count,
  width,
  height,
  channels: 1,
  pixels: new Random(1, 'synthetic').normals(count * width * height, sigma),
});

describe('makePeriodogram', () => {
  it('equals |Σ w(x − m_w) e^(−2πi(k·n))|²/Σw² computed term by term, non-square too', () => {
    const [width, height] = [6, 5];
    const image = new Random(2, 'synthetic').uniforms(width * height, 0, 1);
    const [wx, wy] = [hannWindow(width), hannWindow(height)];
    const weight = (i: number) => wx[i % width] * wy[Math.floor(i / width)];
    const [total, energy] = [0, 0].map((_, power) =>
      image.reduce((sum: number, __, i) => sum + weight(i) ** (power + 1), 0),
    );
    const mean = image.reduce((sum, value, i) => sum + weight(i) * value, 0) / total;
    const power = makePeriodogram(width, height)(image);
    for (let ky = 0; ky < height; ky++) {
      for (let kx = 0; kx <= width / 2; kx++) {
        let [re, im] = [0, 0];
        image.forEach((value, i) => {
          const angle = -2 * Math.PI * ((kx * (i % width)) / width + (ky * Math.floor(i / width)) / height);
          re += weight(i) * (value - mean) * Math.cos(angle);
          im += weight(i) * (value - mean) * Math.sin(angle);
        });
        expect(power[ky * width + kx]).toBeCloseTo((re * re + im * im) / energy, 13);
      }
    }
  });
});

describe('bandPowers', () => {
  it.each([
    [32, 32],
    [40, 24],
  ])('is flat at σ² for white noise of %ix%i, from ring 2 on', (width, height) => {
    const [{ bands, powers }] = bandPowers(noise(400, width, height, 0.3), [ringPartition(width, height)]);
    const means = columnMeans(powers, bands.length);
    bands.forEach((band, b) => {
      if (band.fromCyclesPerImage < 2) return;
      // The window correlates neighbours: 1.37 times the error of independent modes.
      expect(Math.abs(means[b] / 0.09 - 1)).toBeLessThan(4.5 * 1.37 * Math.sqrt(2 / (band.modes * 400)));
    });
  });

  it('reads 0.712σ² in ring 1 of white noise: without the windowed mean, (1,0) keeps 7/12 and (1,1) 121/144', () => {
    const [{ bands, powers }] = bandPowers(noise(6000, 16, 16), [ringPartition(16, 16)]);
    expect(bands[0]).toMatchObject({ name: '1-2', modes: 8 });
    expect(Math.abs(columnMeans(powers, bands.length)[0] / ((7 / 12 + 121 / 144) / 2) - 1)).toBeLessThan(0.03);
  });

  it('has no DC, averages channels, and ignores a constant added to an image', () => {
    const image = Float64Array.from(new Random(3, 'synthetic').uniforms(12 * 12 * 3, 0, 0.5));
    const stack = { count: 1, width: 12, height: 12, pixels: image };
    const partitions = [octavePartition(12, 12)];
    const [{ bands, powers }] = bandPowers(stack, partitions);
    const [shifted] = bandPowers({ ...stack, pixels: image.map((value) => value + 0.4) }, partitions);
    const single = [0, 1, 2].map((c) =>
      bandPowers({ ...stack, channels: 1, pixels: image.filter((_, at) => at % 3 === c) }, partitions),
    );
    expect(bands.map(({ kind }) => kind)).not.toContain('dc');
    powers.forEach((power, b) => {
      expect(shifted.powers[b]).toBeCloseTo(power, 13);
      expect(single.reduce((sum, [own]) => sum + own.powers[b], 0) / 3).toBeCloseTo(power, 13);
    });
  });

  it('refuses values that are not finite', () => {
    const stack = { ...noise(2, 8, 8), pixels: new Float64Array(128).fill(Number.NaN, 100) };
    expect(() => bandPowers(stack, [ringPartition(8, 8)])).toThrow('image 1: values are not all finite');
  });
});

describe('spectralSlope', () => {
  const [size, crops] = [64, 100];
  /** 64-pixel crops of periodic fields four times as large each way: what a camera sees. */
  function cropsOf(alpha: number) {
    const pixels = new Float64Array(crops * size * size);
    for (let crop = 0; crop < crops; crop += 4) {
      const field = powerLawField(256, 256, alpha, new Random(alpha, 'synthetic', crop));
      for (let part = 0; part < 4; part++) {
        const [left, top] = [(part % 2) * 128, (part >> 1) * 128];
        for (let i = 0; i < size * size; i++) {
          pixels[(crop + part) * size * size + i] = field[(top + Math.floor(i / size)) * 256 + left + (i % size)];
        }
      }
    }
    return { count: crops, width: size, height: size, channels: 1, pixels };
  }
  const partition = ringPartition(size, size);
  const frequencies = meanLogFrequencies(partition).slice(1);
  const fitted = (alpha: number, window: 'hann' | 'none') => {
    const [{ bands, powers }] = bandPowers(cropsOf(alpha), [partition], { window });
    const means = resampledMeans(powers, bands.length, new Random(1, 'evaluation'), 100);
    const resampled = Array.from({ length: 100 }, (_, r) =>
      spectralSlope(bands, means.subarray(r * bands.length, (r + 1) * bands.length), frequencies),
    );
    const [low, high] = percentileInterval(resampled);
    return { slope: spectralSlope(bands, columnMeans(powers, bands.length), frequencies), width: high - low };
  };

  it.each([
    [2, 0.02],
    [3, 0.03],
    [4, 0.08],
  ])('recovers α = %i to within %d and its sampling error', (alpha, error) => {
    const { slope, width } = fitted(alpha, 'hann');
    expect(Math.abs(slope - alpha)).toBeLessThan(error + width / 2);
    expect(width).toBeLessThan(0.08);
  });

  it('saturates below 3 without a window, where the true slope is 4', () => {
    expect(fitted(4, 'none').slope).toBeLessThan(3);
    expect(Math.abs(fitted(2, 'none').slope - 2)).toBeLessThan(0.06);
  });

  it('is exact for an exact power law, and NaN where there are not two rings', () => {
    const bands = partition.bands.slice(1);
    const powers = frequencies.map((logFrequency) => 3 * Math.exp(-2.4 * logFrequency));
    expect(spectralSlope(bands, powers, frequencies)).toBeCloseTo(2.4, 12);
    expect(spectralSlope(bands.slice(0, 4), powers, frequencies)).toBeNaN();
  });
});
