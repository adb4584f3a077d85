import { describe, expect, it } from 'vitest';
import { octavePartition } from '../../src/eval/bands.ts';
import { DatasetNoise, datasetNoiseResult } from '../../src/eval/datasetNoise.ts';
import { Random } from '../../src/random.ts';

const random = new Random(0, 'synthetic');
const length = 16 * 16 * 3;
const picture = (deviation: number) => Float64Array.from({ length }, () => deviation * random.normal());

/** A model that copies the fraction c of the noise and adds something of its own. */
function measure(copied: number, own: number) {
  const measured = new DatasetNoise(octavePartition(16, 16));
  for (let i = 0; i < 40; i++) {
    const [clean, noise, other] = [picture(1), picture(0.3), picture(own)];
    const noisy = clean.map((value, k) => value + copied * noise[k] + other[k]);
    measured.add(clean, noisy, noise);
  }
  return measured.result(new Random(0, 'evaluation'));
}

describe('noise that a generator learns from its training images', () => {
  it('is measured exactly where a fraction is copied: C = c, G = c²', () => {
    for (const band of measure(0.4, 0)) {
      expect(band.noiseCopy).toBeCloseTo(0.4, 10);
      expect(band.noiseGain).toBeCloseTo(0.16, 10);
      expect(band.noiseCopyLow).toBeCloseTo(0.4, 10);
    }
  });

  it('tells copied noise from other changes, and adds both to the power', () => {
    const bands = measure(0.4, 0.3);
    for (const band of bands.filter(({ modes }) => modes > 30)) {
      expect(band.noiseCopy).toBeCloseTo(0.4, 1);
      expect(band.noiseGain).toBeCloseTo(1.16, 1);
      expect(band.noiseGain).toBeGreaterThanOrEqual(band.noiseCopy ** 2);
      expect(band.powerExcessLow).toBeLessThan(1.16);
      expect(band.powerExcessHigh).toBeGreaterThan(1.16);
    }
    const { metrics } = datasetNoiseResult(bands, 40, 0.3);
    expect(metrics['dataset_noise_s0.3_n40_copy_4-8']).toBeCloseTo(0.4, 1);
  });
});
