import { describe, expect, it } from 'vitest';
import { DatasetNoise, datasetNoiseResult } from '../../../src/eval/datasetNoise/bands.ts';
import { Random } from '../../../src/random.ts';

const random = new Random(0, 'synthetic');
const length = 16 * 16 * 3;
const picture = (deviation: number) => Float64Array.from({ length }, () => deviation * random.normal());

/** A model that copies the fraction c of the noise and adds something of its own. */
function measure(copied: number, own: number) {
  const measured = new DatasetNoise(16, 16);
  for (let i = 0; i < 40; i++) {
    const [clean, noise, other] = [picture(1), picture(0.3), picture(own)];
    const noisy = clean.map((value, k) => value + copied * noise[k] + other[k]);
    measured.add(clean, noisy, noise);
  }
  return measured.result();
}

describe('noise that a generator learns from its training images', () => {
  it('is measured exactly where a fraction is copied: C = c, G = c²', () => {
    const { bands, rings } = measure(0.4, 0);
    for (const band of [...bands, ...rings]) {
      expect(band.noiseCopy).toBeCloseTo(0.4, 10);
      expect(band.noiseGain).toBeCloseTo(0.16, 10);
      expect(band.noiseCopyLow).toBeCloseTo(0.4, 10);
    }
  });

  it('tells copied noise from other changes, and adds both to the power', () => {
    const measured = measure(0.4, 0.3);
    for (const band of measured.bands.filter(({ modes }) => modes > 30)) {
      expect(band.noiseCopy).toBeCloseTo(0.4, 1);
      expect(band.noiseGain).toBeCloseTo(1.16, 1);
      expect(band.noiseGain).toBeGreaterThanOrEqual(band.noiseCopy ** 2);
      expect(band.powerExcessLow).toBeLessThan(1.16);
      expect(band.powerExcessHigh).toBeGreaterThan(1.16);
    }
    const {
      metrics,
      intervals = {},
      rings = [],
      protocol,
    } = datasetNoiseResult(measured, {
      images: 40,
      sigma: 0.3,
      step: 7,
      seed: 5,
      width: 16,
      height: 16,
    });
    expect(protocol).toMatch(/7 steps each, seed 5; 40 training images of 16x16/);
    expect(metrics['dataset_noise_s0.3_n40_copy_4-8']).toBeCloseTo(0.4, 1);
    expect(Object.keys(intervals)).toEqual(Object.keys(metrics));
    for (const [low, high] of Object.values(intervals)) expect(low).toBeLessThan(high);
    expect(rings.reduce((sum, { modes }) => sum + modes, 0)).toBe(256);
  });
});
