/** The estimators of T, G, C and bias² on fits whose answer to noise is known exactly. */
import { describe, expect, it } from 'vitest';
import { impulseResponse, summarizePsnrCurve } from '../../src/eval/noise/curves.ts';
import { descentGain, filterResponse, gridEigenvalues } from '../../src/eval/noise/theory/linearFit.ts';
import { NoiseDraws, noiseByBand, noiseStatistics, totalDegreesOfFreedom } from '../../src/metrics/noiseResponse.ts';
import { type BandPartition, octavePartition, ringPartition } from '../../src/metrics/signal/bands.ts';
import { fft2, inverseFft2 } from '../../src/metrics/signal/fft.ts';
import { Random } from '../../src/random.ts';

const shape = { width: 20, height: 14, channels: 3 };
const pixels = shape.width * shape.height;
const random = new Random(7, 'synthetic');
const image = (deviation = 1) => Float64Array.from({ length: pixels * 3 }, () => deviation * random.normal());

/** One real gain per mode, the same at k and −k. */
const gains = Float64Array.from({ length: pixels }, (_, k) => {
  const [kx, ky] = [k % shape.width, Math.floor(k / shape.width)];
  const rho = Math.hypot(Math.min(kx, shape.width - kx) / shape.width, Math.min(ky, shape.height - ky) / shape.height);
  return Math.exp(-8 * rho * rho) + (rho > 0.3 ? -0.2 : 0);
});

function filtered(values: ArrayLike<number>, filter: ArrayLike<number>): Float64Array {
  const result = new Float64Array(values.length);
  for (let c = 0; c < 3; c++) {
    const { re, im } = fft2(
      Float64Array.from({ length: pixels }, (_, p) => values[3 * p + c]),
      shape.width,
      shape.height,
    );
    const spectrum = { re: re.map((value, k) => value * filter[k]), im: im.map((value, k) => value * filter[k]) };
    inverseFft2(spectrum, shape.width, shape.height).forEach((value, p) => {
      result[3 * p + c] = value;
    });
  }
  return result;
}

const sum = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a, (value, i) => value + b[i]);
const signal = image(2);
const noises = Array.from({ length: 6 }, () => image(0.5));
const statistics = (fits: ArrayLike<number>[], partition: BandPartition, counts?: number[]) => {
  const grams = new NoiseDraws(shape, signal, noises).response(fits, partition);
  return partition.bands.map((band, b) => noiseStatistics(grams[b], band, shape, counts));
};

describe('noise sensitivity of fits', () => {
  it('is exact for a filter with one gain in every band: T = C = g, G = g²', () => {
    const partition = octavePartition(shape.width, shape.height);
    const flat = Float64Array.from(partition.membership, (band) => 0.9 - 0.2 * band);
    const fits = noises.map((noise) => filtered(sum(signal, noise), flat));
    for (const [b, band] of statistics(fits, partition).entries()) {
      const g = 0.9 - 0.2 * b;
      expect(band.noiseCopy).toBeCloseTo(g, 10);
      expect(band.noiseGain).toBeCloseTo(g * g, 10);
      expect(band.degreesOfFreedom).toBeCloseTo(g * band.modes, 8);
    }
    // T sees the mean noise too; of the signal alone it is the gain.
    const clean = new NoiseDraws(shape, signal, noises).response(
      noises.map(() => filtered(signal, flat)),
      partition,
    );
    clean.forEach((grams, b) => {
      const { transfer, noiseGain } = noiseStatistics(grams, partition.bands[b], shape);
      expect(transfer).toBeCloseTo(0.9 - 0.2 * b, 10);
      expect(noiseGain).toBeCloseTo(0, 10);
    });
  });

  it('matches the definitions, written out over modes, for any filter, and with resampled draws', () => {
    const partition = ringPartition(shape.width, shape.height);
    const fits = noises.map((noise) => filtered(sum(signal, noise), gains));
    for (const counts of [
      [1, 1, 1, 1, 1, 1],
      [2, 0, 3, 0, 1, 0],
    ]) {
      const chosen = counts.flatMap((count, m) => Array<number>(count).fill(m));
      const measured = statistics(fits, partition, counts);
      const spectra = (values: ArrayLike<number>) =>
        [0, 1, 2].map((c) =>
          fft2(
            Float64Array.from({ length: pixels }, (_, p) => values[3 * p + c]),
            shape.width,
            shape.height,
          ),
        );
      const [s, f, e] = [spectra(signal), chosen.map((m) => spectra(fits[m])), chosen.map((m) => spectra(noises[m]))];
      partition.bands.forEach((_, b) => {
        let [signalEnergy, cross, scatter, noise, copy, bias] = [0, 0, 0, 0, 0, 0];
        for (let k = 0; k < pixels; k++) {
          if (partition.membership[k] !== b) continue;
          for (let c = 0; c < 3; c++) {
            for (const part of ['re', 'im'] as const) {
              const mean = (of: typeof f) => of.reduce((total, one) => total + one[c][part][k], 0) / of.length;
              const [meanFit, meanNoise] = [mean(f), mean(e)];
              signalEnergy += s[c][part][k] ** 2;
              cross += s[c][part][k] * meanFit;
              bias += (meanFit - s[c][part][k]) ** 2;
              for (let m = 0; m < chosen.length; m++) {
                const [df, de] = [f[m][c][part][k] - meanFit, e[m][c][part][k] - meanNoise];
                scatter += df * df;
                noise += de * de;
                copy += df * de;
              }
            }
          }
        }
        const m = chosen.length;
        expect(measured[b].transfer).toBeCloseTo(cross / signalEnergy, 10);
        expect(measured[b].noiseGain).toBeCloseTo(scatter / noise, 10);
        expect(measured[b].noiseCopy).toBeCloseTo(copy / noise, 10);
        expect(measured[b].biasSquaredMse).toBeCloseTo((bias - scatter / (m * (m - 1))) / (3 * pixels ** 2), 12);
      });
    }
  });

  it('has G ≥ C² whatever the fits are', () => {
    const partition = ringPartition(shape.width, shape.height);
    for (let trial = 0; trial < 20; trial++) {
      const mix = random.normal();
      const fits = noises.map((noise) =>
        sum(image(), noise).map((value, i) => mix * value + Math.sin(3 * value * signal[i])),
      );
      for (const { noiseGain, noiseCopy } of statistics(fits, partition)) {
        expect(noiseGain).toBeGreaterThanOrEqual(noiseCopy ** 2 - 1e-12);
      }
    }
  });

  it('splits the expected MSE against the clean image into bias² and variance, over all bands', () => {
    const partition = octavePartition(shape.width, shape.height);
    let [mse, predicted] = [0, 0];
    const trials = 60;
    for (let trial = 0; trial < trials; trial++) {
      const draws = Array.from({ length: 4 }, () => image(0.5));
      const fits = draws.map((noise) => filtered(sum(signal, noise), gains));
      const grams = new NoiseDraws(shape, signal, draws).response(fits, partition);
      for (const [b, band] of partition.bands.entries()) {
        const { biasSquaredMse, varianceMse } = noiseStatistics(grams[b], band, shape);
        predicted += (biasSquaredMse + varianceMse) / trials;
      }
      for (const fit of fits) {
        mse += fit.reduce((total, value, i) => total + (value - signal[i]) ** 2, 0) / fit.length / 4 / trials;
      }
    }
    expect(predicted / mse).toBeCloseTo(1, 2);
  });

  it('covers the closed form of a linear filter with its intervals from 8 draws, 95 times in 100', () => {
    const partition = octavePartition(shape.width, shape.height);
    const truth = filterResponse(gains, new Float64Array(pixels).fill(1), partition.membership, partition.bands.length);
    const planes = [0, 1, 2].map((c) => {
      const plane = Float64Array.from({ length: pixels }, (_, p) => signal[3 * p + c]);
      return fft2(plane, shape.width, shape.height);
    });
    const power = Float64Array.from({ length: pixels }, (_, k) =>
      planes.reduce((sum, { re, im }) => sum + re[k] ** 2 + im[k] ** 2, 0),
    );
    const transfers = filterResponse(gains, power, partition.membership, partition.bands.length);
    // Of a filter whose gains vary within a band, and bands of so many modes that the truth is no constant.
    const chosen = partition.bands.flatMap(({ modes }, b) => (modes > 30 ? [b] : []));
    const covered = { transfer: 0, noiseGain: 0, noiseCopy: 0, freedom: 0 };
    const trials = 120;
    const inside = ([low, high]: readonly number[], value: number) => (low <= value && value <= high ? 1 : 0);
    const freedom = gains.reduce((sum, g) => sum + g, 0);
    for (let trial = 0; trial < trials; trial++) {
      const draws = Array.from({ length: 8 }, () => image(0.5));
      const fits = draws.map((noise) => filtered(sum(signal, noise), gains));
      const grams = new NoiseDraws(shape, signal, draws).response(fits, partition);
      const bands = noiseByBand(grams, partition.bands, shape);
      for (const b of chosen) {
        const { transferLow, transferHigh, noiseGainLow, noiseGainHigh, noiseCopyLow, noiseCopyHigh } = bands[b];
        covered.transfer += inside([transferLow, transferHigh], transfers[b].transfer) / chosen.length;
        covered.noiseGain += inside([noiseGainLow, noiseGainHigh], truth[b].gain) / chosen.length;
        covered.noiseCopy += inside([noiseCopyLow, noiseCopyHigh], truth[b].copy) / chosen.length;
      }
      covered.freedom += inside(totalDegreesOfFreedom(grams, partition.bands, shape).interval, freedom);
    }
    for (const [name, times] of Object.entries(covered)) {
      expect(times / trials, name).toBeGreaterThan(0.89);
      expect(times / trials, name).toBeLessThan(name === 'freedom' ? 1.01 : 0.995);
    }
  });

  it('measures the grid model as its closed form says: C .7456, G .573, T .804 in band 7–14 (M = 200)', () => {
    const n = 128;
    const line = { width: n, height: 1, channels: 1 };
    const k = (mode: number) => Math.min(mode, n - mode);
    const eigenvalues = gridEigenvalues(
      Float64Array.from({ length: n / 2 + 1 }, (_, i) => 1 / (1 + i)),
      n,
    );
    const g = eigenvalues.map((eigenvalue) => descentGain((0.9 / n) * eigenvalue, 400));
    const bands = ['rest', '7-14', '15-30'].map((name, i) => ({
      name,
      kind: 'ring' as const,
      modes: [n - 48, 16, 32][i],
      fromCyclesPerPixel: 0,
      toCyclesPerPixel: 0,
      fromCyclesPerImage: 0,
      toCyclesPerImage: 0,
    }));
    const membership = Int32Array.from({ length: n }, (_, mode) =>
      k(mode) >= 7 && k(mode) <= 14 ? 1 : k(mode) >= 15 && k(mode) <= 30 ? 2 : 0,
    );
    const phases = Array.from({ length: n / 2 + 1 }, () => 2 * Math.PI * random.uniform());
    const wave = Float64Array.from({ length: n }, (_, x) => {
      let value = 0;
      for (let i = 1; i <= n / 2; i++) value += (1.5 / i) * Math.cos((2 * Math.PI * i * x) / n + phases[i]);
      return value;
    });
    const draws = Array.from({ length: 200 }, () => Float64Array.from({ length: n }, () => 0.3 * random.normal()));
    const fits = draws.map((noise) => {
      const { re, im } = fft2(
        noise.map((value, x) => value + wave[x]),
        n,
        1,
      );
      return inverseFft2({ re: re.map((v, i) => v * g[i]), im: im.map((v, i) => v * g[i]) }, n, 1);
    });
    const grams = new NoiseDraws(line, wave, draws).response(fits, { width: n, height: 1, bands, membership });
    const [, low, high] = grams.map((gram, b) => noiseStatistics(gram, bands[b], line));
    expect(Math.abs(low.transfer - 0.804)).toBeLessThan(0.006);
    expect(Math.abs(low.noiseCopy - 0.7456)).toBeLessThan(0.006);
    expect(Math.abs(low.noiseGain - 0.573)).toBeLessThan(0.009);
    expect(Math.abs(high.transfer - 0.345)).toBeLessThan(0.006);
    expect(Math.abs(high.noiseCopy - 0.3)).toBeLessThan(0.006);
  });

  it('gives intervals around every estimate from 3 draws on, and none for 2', () => {
    const partition = octavePartition(shape.width, shape.height);
    const fits = noises.map((noise) => filtered(sum(signal, noise), gains));
    for (const draws of [3, 2]) {
      const grams = new NoiseDraws(shape, signal, noises.slice(0, draws)).response(fits.slice(0, draws), partition);
      for (const band of noiseByBand(grams, partition.bands, shape)) {
        for (const name of ['transfer', 'noiseGain', 'noiseCopy', 'biasSquaredMse'] as const) {
          const [low, value, high] = [band[`${name}Low`], band[name], band[`${name}High`]];
          expect(Number.isFinite(value)).toBe(true);
          if (draws === 2) expect([low, high]).toEqual([Number.NaN, Number.NaN]);
          else expect(low <= value && value <= high).toBe(true);
        }
      }
    }
  });

  it('refuses fits that are not finite and draws that do not match', () => {
    const partition = octavePartition(shape.width, shape.height);
    const draws = new NoiseDraws(shape, signal, noises);
    const broken = noises.map((noise) => noise.slice().fill(Number.NaN, 3, 4));
    expect(() => draws.response(broken, partition)).toThrow(/not finite/);
    expect(() => draws.response(noises.slice(1), partition)).toThrow(/5 fits for 6 draws/);
    expect(() => new NoiseDraws(shape, signal, noises.slice(0, 1))).toThrow(/two draws/);
  });
});

describe('the response to one disturbed pixel', () => {
  it('is the impulse response of a circulant filter: peak ⟨g⟩, energy ⟨g²⟩', () => {
    const at = { x: 9, y: 6 };
    const impulse = new Float64Array(pixels * 3);
    for (let c = 0; c < 3; c++) impulse[3 * (at.y * shape.width + at.x) + c] = 0.5;
    const response = impulseResponse(filtered(impulse, gains), shape, at, 0.5);
    const mean = (values: Float64Array) => values.reduce((total, value) => total + value, 0) / values.length;
    expect(response.peak).toBeCloseTo(mean(gains), 12);
    expect(response.energy).toBeCloseTo(mean(gains.map((g) => g * g)), 12);
    expect(response.rmsRadiusPixels).toBeGreaterThan(0);
    const untouched = impulseResponse(impulse, shape, at, 0.5);
    expect(untouched).toEqual({ peak: 1, energy: 1, rmsRadiusPixels: 0 });
  });

  it('has the radius of what it spreads over', () => {
    const spread = new Float64Array(pixels * 3);
    for (const [x, y] of [
      [4, 6],
      [8, 6],
      [6, 4],
      [6, 8],
    ])
      for (let c = 0; c < 3; c++) spread[3 * (y * shape.width + x) + c] = 1;
    expect(impulseResponse(spread, shape, { x: 6, y: 6 }, 1)).toEqual({ peak: 0, energy: 4, rmsRadiusPixels: 2 });
    expect(impulseResponse(new Float64Array(pixels * 3), shape, { x: 6, y: 6 }, 1).rmsRadiusPixels).toBeNaN();
  });
});

describe('a PSNR over training', () => {
  it('has a peak, where it is first reached, and a drop since', () => {
    expect(summarizePsnrCurve([0, 10, 20, 30], [5, 22, 22, 20])).toEqual({
      peakDb: 22,
      peakStep: 10,
      finalDb: 20,
      dropDb: 2,
    });
    expect(summarizePsnrCurve([1], [7])).toEqual({ peakDb: 7, peakStep: 1, finalDb: 7, dropDb: 0 });
    expect(() => summarizePsnrCurve([1, 2], [7])).toThrow(RangeError);
  });
});
