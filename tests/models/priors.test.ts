import { describe, expect, it } from 'vitest';
import { gaussian } from '../../src/models/priors/gaussian.ts';
import { fitMixture, mixture } from '../../src/models/priors/mixture.ts';
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

describe('the mixture prior', () => {
  /** Three Gaussians in the plane, of other shapes, sizes and shares; flat, and where each latent comes from. */
  const PARTS = [
    { share: 0.5, mean: [4, 0], factor: [1, 0.5, 0.3] },
    { share: 0.3, mean: [-4, 1], factor: [0.4, 0, 0.4] },
    { share: 0.2, mean: [0, 6], factor: [0.8, -0.6, 0.2] },
  ];
  function threeGaussians(count: number): Float32Array {
    const random = new Random(3, 'latents');
    const latents = new Float32Array(2 * count);
    for (let n = 0; n < count; n++) {
      const u = random.uniform();
      const { mean, factor } = PARTS[u < 0.5 ? 0 : u < 0.8 ? 1 : 2];
      const [a, b] = [random.normal(), random.normal()];
      latents.set([mean[0] + factor[0] * a, mean[1] + factor[1] * a + factor[2] * b], 2 * n);
    }
    return latents;
  }
  const latents = threeGaussians(6000);
  const fitted = fitMixture(latents, 2, { components: 3, steps: 200, tolerance: 1e-7 });

  it('finds the components that the latents were drawn from', () => {
    for (const { share, mean, factor } of PARTS) {
      const k = [0, 1, 2].find(
        (at) => Math.hypot(fitted.means[2 * at] - mean[0], fitted.means[2 * at + 1] - mean[1]) < 0.2,
      );
      expect(k, `mean ${mean}`).toBeDefined();
      const at = k as number;
      expect(fitted.weights[at]).toBeCloseTo(share, 1);
      expect(fitted.factors[4 * at]).toBeCloseTo(factor[0], 1);
      expect(fitted.factors[4 * at + 2]).toBeCloseTo(factor[1], 1);
      expect(fitted.factors[4 * at + 3]).toBeCloseTo(factor[2], 1);
    }
    expect([...fitted.weights].reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 10);
  });

  it('never lowers what it maximises, which is the likelihood times the prior of the covariances', () => {
    const seen: number[] = [];
    fitMixture(latents, 2, { components: 5, steps: 30, tolerance: -1, onStep: (value) => seen.push(value) });
    expect(seen).toHaveLength(30);
    seen.slice(1).forEach((value, i) => {
      expect(value).toBeGreaterThan(seen[i] - 1e-7);
    });
    // The last of three components, by the densities themselves.
    const last: number[] = [];
    const three = fitMixture(latents, 2, { components: 3, steps: 200, tolerance: 1e-9, onStep: (v) => last.push(v) });
    let sum = 0;
    for (let n = 0; n < 6000; n++) {
      let density = 0;
      three.weights.forEach((weight, k) => {
        const [a, , b, c] = three.factors.slice(4 * k, 4 * k + 4);
        const u = (latents[2 * n] - three.means[2 * k]) / a;
        const v = (latents[2 * n + 1] - three.means[2 * k + 1] - b * u) / c;
        density += (weight * Math.exp(-(u * u + v * v) / 2)) / (2 * Math.PI * a * c);
      });
      sum += Math.log(density) / 6000;
    }
    // The prior counts 1/8 latent a component: far less than a thousandth of 6,000 latents.
    expect(last.at(-1)).toBeCloseTo(sum, 2);
  });

  it('samples with the moments of what it was fitted to, and sample n alike whatever the count', () => {
    const count = 20_000;
    const samples = mixture.sample(fitted, 2, { seed: 1, count, temperature: 1 });
    const moments = (values: Float32Array) => {
      const total = values.length / 2;
      const sums = [0, 0, 0, 0, 0];
      for (let n = 0; n < total; n++) {
        const [x, y] = [values[2 * n], values[2 * n + 1]];
        [x, y, x * x, x * y, y * y].forEach((value, i) => {
          sums[i] += value / total;
        });
      }
      return sums;
    };
    const expected = moments(latents);
    moments(samples).forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThan(0.03 * Math.max(1, Math.abs(expected[i])) + 0.08);
    });
    expect(mixture.sample(fitted, 2, { seed: 1, count: 3, temperature: 1 })).toEqual(samples.slice(0, 6));
    // At temperature 0, the means alone.
    const means = new Set(Array.from({ length: 3 }, (_, k) => Math.fround(fitted.means[2 * k])));
    const still = mixture.sample(fitted, 2, { seed: 1, count: 50, temperature: 0 });
    for (let n = 0; n < 50; n++) expect(means).toContain(still[2 * n]);
  });

  it('has no empty components, of few latents or of equal ones', () => {
    const few = mixture.fit(new Random(1, 'latents').normals(3 * 8), 8);
    expect(few.weights).toHaveLength(1);
    expect([...mixture.sample(few, 8, { seed: 0, count: 5, temperature: 1 })].every(Number.isFinite)).toBe(true);
    const equal = fitMixture(new Float32Array(40).fill(2), 2, { components: 4 });
    expect([...equal.weights].every((weight) => weight > 0)).toBe(true);
    for (const value of mixture.sample(equal, 2, { seed: 0, count: 5, temperature: 1 }))
      expect(value).toBeCloseTo(2, 2);
  });

  it('is one Gaussian where there is one component: the covariance, shrunk a little', () => {
    const one = fitMixture(latents, 2, { components: 1 });
    const { mean, factor } = gaussian.fit(latents, 2);
    one.means.forEach((value, i) => {
      expect(value).toBeCloseTo(mean[i], 6);
    });
    one.factors.forEach((value, i) => {
      expect(value).toBeCloseTo(factor[i], 2);
    });
  });
});
