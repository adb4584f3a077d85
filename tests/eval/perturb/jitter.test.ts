import { describe, expect, it } from 'vitest';
import { powerLawField } from '../../../src/eval/noise/theory/syntheticField.ts';
import { bandMeanPower, noiseCrossing } from '../../../src/eval/noise/theory/wiener.ts';
import { jitterGain, predictJitter } from '../../../src/eval/perturb/jitter.ts';
import { octavePartition, ringPartition } from '../../../src/metrics/signal/bands.ts';
import { fft2 } from '../../../src/metrics/signal/fft.ts';
import { Random } from '../../../src/random.ts';

const SIZE = 48;

describe('coordinate jitter', () => {
  it('blurs a wave by e^(−2π²τ²|ν|²) and returns the rest as white noise', () => {
    const [fx, fy, tau] = [6, 4, 1.4];
    const power = new Float64Array(SIZE * SIZE);
    // cos has half its amplitude at ±k: |F|² = HW/4 each.
    power[fy * SIZE + fx] = power[(SIZE - fy) * SIZE + SIZE - fx] = SIZE ** 2 / 4;
    const partition = octavePartition(SIZE, SIZE);
    const prediction = predictJitter(power, partition, tau);
    const gain = jitterGain(Math.hypot(fx, fy) / SIZE, tau);
    const random = new Random(0, 'synthetic');
    let [coherent, incoherent] = [0, 0];
    const draws = 40;
    for (let draw = 0; draw < draws; draw++) {
      const image = Float64Array.from({ length: SIZE * SIZE }, (_, p) => {
        const [x, y] = [(p % SIZE) + tau * random.normal(), Math.floor(p / SIZE) + tau * random.normal()];
        return Math.cos((2 * Math.PI * (fx * x + fy * y)) / SIZE);
      });
      const { re, im } = fft2(image, SIZE, SIZE);
      coherent += re[fy * SIZE + fx] / (SIZE ** 2 / 2) / draws;
      for (let k = 0; k < power.length; k++) {
        if (power[k] === 0) incoherent += (re[k] ** 2 + im[k] ** 2) / SIZE ** 2 / draws;
      }
    }
    expect(Math.abs(coherent - gain)).toBeLessThan(0.01);
    expect(incoherent / (power.length - 2) / prediction.noisePerMode).toBeCloseTo(1, 1);
    const band = partition.membership[fy * SIZE + fx];
    expect(prediction.transfer[band]).toBeCloseTo(gain, 12);
    expect(prediction.relativeChange[band]).toBeCloseTo(
      (1 - gain) ** 2 + (partition.bands[band].modes * prediction.noisePerMode) / (SIZE ** 2 / 2),
      10,
    );
  });

  it('has the published gain .452 at τ|ν| = .2006', () => {
    expect(jitterGain(1, 0.2006)).toBeCloseTo(0.452, 3);
  });
});

describe('where noise crosses the signal', () => {
  it('is found in a random field of known spectrum', () => {
    const size = 128;
    const field = powerLawField(size, size, 3, new Random(0, 'synthetic'));
    const { re, im } = fft2(field, size, size);
    const power = re.map((value, k) => (value ** 2 + im[k] ** 2) / size ** 2);
    const rings = ringPartition(size, size);
    // σ² at the power that the law has at ρ = 0.2, scaled by all modes' energy.
    let law = 0;
    for (let k = 1; k < size * size; k++) {
      const [kx, ky] = [k % size, Math.floor(k / size)];
      law += Math.hypot(Math.min(kx, size - kx), Math.min(ky, size - ky)) ** -3;
    }
    const total = power.reduce((sum, value) => sum + value, 0);
    const at = 0.2;
    const crossing = noiseCrossing(rings, power, (total / law) * (at * size) ** -3);
    expect(Math.abs(crossing - at)).toBeLessThan(0.03);
    expect(noiseCrossing(rings, power, 1e-12)).toBeNaN();
    expect(noiseCrossing(rings, power, 1e12)).toBeCloseTo(1.5 / size, 12);
    expect(bandMeanPower(rings, power).reduce((sum, value) => sum + value, 0)).toBeCloseTo(total, 6);
  });
});
