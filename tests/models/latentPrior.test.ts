import { describe, expect, it } from 'vitest';
import { fitGaussianPrior, sampleBetweenNeighbours, samplePrior } from '../../src/models/latentPrior.ts';
import { Random } from '../../src/random.ts';

describe('the Gaussian prior', () => {
  it('samples the mean and the covariance of the latents', () => {
    // x = (2 + a, −1 + 0.8a + 0.3b): variances 1 and 0.73, covariance 0.8.
    const count = 20_000;
    const latents = new Float32Array(2 * count);
    const random = new Random(1, 'latents');
    for (let n = 0; n < count; n++) {
      const [a, b] = [random.normal(), random.normal()];
      latents.set([2 + a, -1 + 0.8 * a + 0.3 * b], 2 * n);
    }
    const samples = samplePrior(fitGaussianPrior(latents, 2), 3, count);
    const moment = (f: (x: number, y: number) => number) => {
      let sum = 0;
      for (let n = 0; n < count; n++) sum += f(samples[2 * n], samples[2 * n + 1]) / count;
      return sum;
    };
    expect(moment((x) => x)).toBeCloseTo(2, 1);
    expect(moment((_, y) => y)).toBeCloseTo(-1, 1);
    expect(moment((x) => (x - 2) ** 2)).toBeCloseTo(1, 1);
    expect(moment((_, y) => (y + 1) ** 2)).toBeCloseTo(0.73, 1);
    expect(moment((x, y) => (x - 2) * (y + 1))).toBeCloseTo(0.8, 1);
  });

  it('holds with fewer latents than dimensions, and is the mean at temperature 0', () => {
    const prior = fitGaussianPrior(new Random(1, 'latents').normals(3 * 8), 8);
    expect([...samplePrior(prior, 0, 5)].every(Number.isFinite)).toBe(true);
    expect(samplePrior(prior, 0, 1, 0)).toEqual(Float32Array.from(prior.mean));
  });

  it('draws sample n alike whatever the count', () => {
    const prior = fitGaussianPrior(new Random(1, 'latents').normals(20 * 3), 3);
    expect(samplePrior(prior, 5, 2)).toEqual(samplePrior(prior, 5, 7).slice(0, 6));
  });
});

describe('sampling between neighbours', () => {
  it('stays on the segments between a latent and its nearest neighbours', () => {
    // Two tight clusters: a segment between them would pass through the empty middle.
    const latents = new Float32Array(2 * 12);
    const random = new Random(1, 'latents');
    for (let n = 0; n < 12; n++) latents.set([(n % 2 ? 10 : -10) + random.normal(), random.normal()], 2 * n);
    const samples = sampleBetweenNeighbours(latents, 2, 1, 200, 3);
    for (let n = 0; n < 200; n++) {
      expect(Math.abs(samples[2 * n])).toBeGreaterThan(5);
      for (let i = 0; i < 12; i++) {
        expect(Math.hypot(samples[2 * n] - latents[2 * i], samples[2 * n + 1] - latents[2 * i + 1])).toBeGreaterThan(0);
      }
    }
    expect(sampleBetweenNeighbours(latents, 2, 1, 3, 3)).toEqual(samples.slice(0, 6));
  });

  it('needs two latents', () => {
    expect(() => sampleBetweenNeighbours(new Float32Array(4), 4, 0, 1)).toThrow('two latents or more');
  });
});
