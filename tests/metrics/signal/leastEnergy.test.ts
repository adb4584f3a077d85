/** Ratios over a band's energy where the band holds nothing but rounding: there are none. */
import { describe, expect, it } from 'vitest';
import { predictFromKernel } from '../../../src/eval/noise/theory/kernelPrediction.ts';
import { filterResponse } from '../../../src/eval/noise/theory/linearFit.ts';
import { BandChanges } from '../../../src/eval/perturb/changes.ts';
import { predictJitter } from '../../../src/eval/perturb/jitter.ts';
import { perturbationsResult } from '../../../src/eval/perturb/studyData.ts';
import { NoiseDraws, noiseByBand, planeSpectra } from '../../../src/metrics/noiseResponse.ts';
import { octavePartition } from '../../../src/metrics/signal/bands.ts';
import { ROUNDING_POWER } from '../../../src/metrics/signal/imageStack.ts';
import { leastEnergies } from '../../../src/metrics/signal/leastEnergy.ts';
import { Random } from '../../../src/random.ts';

const shape = { width: 16, height: 12, channels: 3 };
const pixels = shape.width * shape.height;
const partition = octavePartition(shape.width, shape.height);
const random = new Random(0, 'synthetic');
const noise = (deviation: number) => Float64Array.from({ length: 3 * pixels }, () => deviation * random.normal());
const plus = (a: Float64Array, b: ArrayLike<number>) => a.map((value, i) => value + b[i]);
/** No 64-bit float is 0.3 exactly: its DFT is not 0 beyond the mean. */
const flat = new Float64Array(3 * pixels).fill(0.3);
/** A wave of one cycle along x, in band 0.75-1.5, rounded to 8 bits or not. */
const wave = (rounded: boolean) =>
  Float64Array.from({ length: 3 * pixels }, (_, i) => {
    const value = 0.5 + 0.4 * Math.cos((2 * Math.PI * (Math.floor(i / 3) % shape.width)) / shape.width);
    return rounded ? Math.round(255 * value) / 255 : value;
  });
const measured = (values: ArrayLike<number>) => Array.from(values, (value) => !Number.isNaN(value));
const names = partition.bands.map(({ name }) => name);

describe('bands without signal', () => {
  const transfers = (signal: Float64Array, rounding?: number) => {
    const noises = [noise(0.1), noise(0.1), noise(0.1)];
    const fits = noises.map((one) => plus(signal, one));
    const grams = new NoiseDraws(shape, signal, noises, rounding).response(fits, partition);
    return noiseByBand(grams, partition.bands, shape);
  };

  it('have no transfer in fits of a flat image, and G and C all the same', () => {
    const bands = transfers(flat);
    expect(names).toEqual(['dc', '0.75-1.5', '1.5-3', '3-6', 'corner']);
    expect(measured(bands.map(({ transfer }) => transfer))).toEqual([true, false, false, false, false]);
    for (const { noiseGain, noiseCopy, biasSquaredMse } of bands) {
      expect(noiseGain).toBeCloseTo(1, 10);
      expect(noiseCopy).toBeCloseTo(1, 10);
      expect(biasSquaredMse).toBeTypeOf('number');
    }
  });

  it('are those within 10 times the rounding of an 8-bit image, and have one where values are not rounded', () => {
    const rounded = transfers(wave(true), ROUNDING_POWER).map(({ transfer }) => transfer);
    expect(measured(rounded)).toEqual([true, true, false, false, false]);
    const faint = plus(wave(false), noise(1e-6));
    expect(measured(transfers(faint).map(({ transfer }) => transfer))).toEqual([true, true, true, true, true]);
  });

  it('have no transfer in the theory either', () => {
    const planes = planeSpectra(flat, shape);
    const power = planes[0].re.map((re, k) => (re ** 2 + planes[0].im[k] ** 2) / pixels);
    const gains = new Float64Array(pixels).fill(0.5);
    const filter = filterResponse(gains, power, partition.membership, names.length);
    expect(measured(filter.map(({ transfer }) => transfer))).toEqual([true, false, false, false, false]);
    const faint = power.map((value) => value + ROUNDING_POWER);
    const withRounding = (rounding?: number) =>
      filterResponse(gains, faint, partition.membership, names.length, rounding).map(({ transfer }) => transfer);
    expect(measured(withRounding(ROUNDING_POWER))).toEqual([true, false, false, false, false]);
    expect(withRounding()).toEqual(names.map(() => 0.5));

    const { transfer, relativeChange } = predictJitter(power, partition, 0.5);
    expect(measured(transfer)).toEqual([true, false, false, false, false]);
    expect(measured(relativeChange)).toEqual([true, false, false, false, false]);

    const identity = Float64Array.from({ length: pixels ** 2 }, (_, i) => (i % (pixels + 1) === 0 ? 1 : 0));
    const kernelTransfers = (signal: Float64Array, rounding?: number) => {
      const plane = Float64Array.from({ length: pixels }, (_, p) => signal[3 * p]);
      const response = predictFromKernel(identity, partition, [plane], { rounding }).response(() => 0.25);
      return response.map(({ transfer }) => transfer);
    };
    expect(measured(kernelTransfers(flat))).toEqual([true, false, false, false, false]);
    expect(measured(kernelTransfers(wave(true), ROUNDING_POWER))).toEqual([true, true, false, false, false]);
    for (const value of kernelTransfers(noise(1))) expect(value).toBeCloseTo(0.25, 10);
  });

  it('have no relative change where a generator draws nothing but the noise of 32-bit floats', () => {
    const changes = new BandChanges(shape.width, shape.height);
    for (let i = 0; i < 3; i++) {
      const before = Float32Array.from(wave(false), (value) => value * (1 + 6e-8 * random.normal()));
      const after = Float32Array.from(before, (value) => value + 0.01 * random.normal());
      changes.add(i, planeSpectra(before, shape), planeSpectra(after, shape));
    }
    const study = { step: 7, images: 3, repeats: 2, seed: 5 };
    const { bands, rings } = changes.result();
    expect(measured(bands.map(({ relativeChange }) => relativeChange))).toEqual([true, true, false, false, false]);
    expect(rings.filter(({ transferHigh }) => Number.isFinite(transferHigh)).map(({ name }) => name)).toEqual([
      'dc',
      '0-1',
    ]);
    const result = perturbationsResult({ ...study, perturbations: [{ kind: 'jitter', size: 1, bands, rings }] });
    expect(Object.keys(result.metrics)).toEqual(
      ['dc', '0.75-1.5'].map((band) => `perturb_jitter_1_n3x2_change_${band}`),
    );
    expect(result.notes).toEqual([expect.stringContaining('1.5-3, 3-6, corner')]);
    expect(result.protocol).toMatch(/seed 5; checkpoint of step 7/);
    expect(result.study).toEqual(study);
  });

  it('are told by energy over modes and by the fraction of the total', () => {
    expect(Array.from(leastEnergies([1, 0], [1, 4], 0.5))).toEqual([5, 20]);
    expect(Array.from(leastEnergies([1, 1], [1, 3]))).toEqual([2e-28, 2e-28]);
    const drawn = leastEnergies([3, 1], [1, 3], 'drawn');
    expect(drawn[1] / drawn[0]).toBeCloseTo(3, 12);
  });
});
