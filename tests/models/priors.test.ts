import { describe, expect, it } from 'vitest';
import { gaussian } from '../../src/models/priors/gaussian.ts';
import { nearestTo, neighbours } from '../../src/models/priors/neighbours.ts';
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
    const samples = gaussian.sample(gaussian.fit(latents, 2), 2, { seed: 3, count, temperature: 1 });
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
    const prior = gaussian.fit(new Random(1, 'latents').normals(3 * 8), 8);
    expect([...gaussian.sample(prior, 8, { seed: 0, count: 5, temperature: 1 })].every(Number.isFinite)).toBe(true);
    expect(gaussian.sample(prior, 8, { seed: 0, count: 1, temperature: 0 })).toEqual(Float32Array.from(prior.mean));
  });

  it('draws sample n alike whatever the count', () => {
    const prior = gaussian.fit(new Random(1, 'latents').normals(20 * 3), 3);
    const draw = (count: number) => gaussian.sample(prior, 3, { seed: 5, count, temperature: 1 });
    expect(draw(2)).toEqual(draw(7).slice(0, 6));
  });
});

describe('sampling between neighbours', () => {
  it('stays on the segments between a latent and its nearest neighbours', () => {
    // Two tight clusters: a segment between them would pass through the empty middle.
    const latents = new Float32Array(2 * 16);
    const random = new Random(1, 'latents');
    for (let n = 0; n < 16; n++) latents.set([(n % 2 ? 10 : -10) + random.normal(), random.normal()], 2 * n);
    const draw = (count: number) => neighbours.sample({ latents }, 2, { seed: 1, count, temperature: 1 });
    const samples = draw(200);
    for (let n = 0; n < 200; n++) {
      expect(Math.abs(samples[2 * n])).toBeGreaterThan(5);
      for (let i = 0; i < 16; i++) {
        expect(Math.hypot(samples[2 * n] - latents[2 * i], samples[2 * n + 1] - latents[2 * i + 1])).toBeGreaterThan(0);
      }
    }
    expect(draw(3)).toEqual(samples.slice(0, 6));
  });

  it('needs two latents', () => {
    expect(() => neighbours.fit(new Float32Array(4), 4)).toThrow(
      'the run has one image, so samples have no neighbours',
    );
  });

  it('finds the nearest as sorting all of them by distance does, of equals the first', () => {
    const [count, dimensions] = [300, 5];
    // Whole numbers, so that there are ties.
    const latents = new Random(2, 'latents').normals(count * dimensions, 2).map(Math.round);
    const latent = (i: number) => latents.subarray(i * dimensions, (i + 1) * dimensions);
    for (let from = 0; from < 40; from++) {
      const distance = (i: number) => latent(i).reduce((sum, value, k) => sum + (value - latent(from)[k]) ** 2, 0);
      const sorted = [...Array(count).keys()].filter((i) => i !== from).sort((a, b) => distance(a) - distance(b));
      expect(nearestTo(latents, dimensions, from, 6)).toEqual(sorted.slice(0, 6));
    }
  });
});
