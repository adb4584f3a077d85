import { describe, expect, it } from 'vitest';
import { diversityPairs, pairSimilarities } from '../../src/metrics/diversity.ts';
import { multiScaleSsim, similarityScales, ssim } from '../../src/metrics/ssim.ts';
import { Random } from '../../src/random.ts';

const stack = (count: number, width: number, height: number, step: number, channels = 1) => ({
  count,
  width,
  height,
  channels,
  pixels: Float64Array.from(new Random(6, 'synthetic', step).uniforms(count * width * height * channels, 0, 1)),
});

/** Both parts of SSIM as the paper writes them: at every place, weighted moments about the weighted means. */
function slowParts(x: ArrayLike<number>, y: ArrayLike<number>, width: number, height: number) {
  const weights: number[] = [];
  for (let j = -5; j <= 5; j++) for (let i = -5; i <= 5; i++) weights.push(Math.exp(-(i * i + j * j) / (2 * 1.5 ** 2)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let [similarity, structure, places] = [0, 0, 0];
  for (let top = 0; top + 11 <= height; top++) {
    for (let left = 0; left + 11 <= width; left++) {
      const at = weights.map((_, k) => (top + Math.floor(k / 11)) * width + left + (k % 11));
      const mean = (value: (k: number) => number) =>
        weights.reduce((sum, weight, k) => sum + (weight / total) * value(at[k]), 0);
      const [mx, my] = [mean((k) => x[k]), mean((k) => y[k])];
      const [vx, vy] = [mean((k) => (x[k] - mx) ** 2), mean((k) => (y[k] - my) ** 2)];
      const cs = (2 * mean((k) => (x[k] - mx) * (y[k] - my)) + 0.03 ** 2) / (vx + vy + 0.03 ** 2);
      similarity += (cs * (2 * mx * my + 0.01 ** 2)) / (mx * mx + my * my + 0.01 ** 2);
      structure += cs;
      places++;
    }
  }
  return { similarity: similarity / places, structure: structure / places };
}

describe('ssim', () => {
  it('equals the formula evaluated place by place, non-square, mean over channels', () => {
    const [a, b] = [stack(2, 17, 14, 0, 3), stack(2, 17, 14, 1, 3)];
    const plane = (values: Float64Array, image: number, channel: number) =>
      values.subarray(image * 714, (image + 1) * 714).filter((_, at) => at % 3 === channel);
    const slow = [0, 1, 2].map((c) => slowParts(plane(a.pixels, 1, c), plane(b.pixels, 0, c), 17, 14).similarity);
    expect(ssim(a, 1, b, 0)).toBeCloseTo((slow[0] + slow[1] + slow[2]) / 3, 12);
  });

  it('is 1 for an image and itself, the luminance term for flat images, and symmetric', () => {
    const [a, b] = [stack(1, 16, 16, 2), stack(1, 16, 16, 3)];
    expect(ssim(a, 0, a, 0)).toBeCloseTo(1, 14);
    expect(ssim(a, 0, b, 0)).toBeCloseTo(ssim(b, 0, a, 0), 14);
    const flat = (value: number) => ({ ...a, pixels: new Float64Array(256).fill(value) });
    expect(ssim(flat(0.2), 0, flat(0.6), 0)).toBeCloseTo((0.24 + 1e-4) / (0.4 + 1e-4), 10);
  });

  it('refuses images that its window does not fit, and other sizes', () => {
    expect(() => ssim(stack(1, 10, 30, 0), 0, stack(1, 10, 30, 1), 0)).toThrow('does not fit into 10x30');
    expect(() => ssim(stack(1, 16, 16, 0), 0, stack(1, 16, 17, 1), 0)).toThrow("can't compare images");
  });
});

describe('multiScaleSsim', () => {
  it('takes as many scales as the window fits', () => {
    expect([10, 11, 21, 22, 64, 176, 4000].map((size) => similarityScales(size, size + 3))).toEqual([
      0, 1, 1, 2, 3, 5, 5,
    ]);
  });

  it('is the weighted product of structure at fine scales and similarity at the last', () => {
    const [a, b] = [stack(1, 25, 22, 4), stack(1, 25, 22, 5)];
    // Two scales; the last column is left out of the halves. Noise alone would have negative structure.
    b.pixels.forEach((value, i) => {
      b.pixels[i] = 0.5 * value + 0.5 * a.pixels[i];
    });
    const halved = ({ pixels }: typeof a) =>
      Float64Array.from({ length: 12 * 11 }, (_, i) => {
        const at = 2 * Math.floor(i / 12) * 25 + 2 * (i % 12);
        return (pixels[at] + pixels[at + 1] + pixels[at + 25] + pixels[at + 26]) / 4;
      });
    const fine = slowParts(a.pixels, b.pixels, 25, 22).structure;
    const coarse = slowParts(halved(a), halved(b), 12, 11).similarity;
    const [w1, w2] = [0.0448 / 0.3304, 0.2856 / 0.3304];
    expect(multiScaleSsim(a, 0, b, 0)).toBeCloseTo(fine ** w1 * coarse ** w2, 12);
  });

  it('counts negative structure as 0', () => {
    const a = stack(1, 24, 24, 7);
    const negative = { ...a, pixels: a.pixels.map((value) => 1 - value) };
    expect(ssim(a, 0, negative, 0)).toBeLessThan(0);
    expect(multiScaleSsim(a, 0, negative, 0)).toBe(0);
  });
});

describe('diversity', () => {
  it('pairs different images, none twice, as many as there are or are wanted', () => {
    const pairs = diversityPairs(11, new Random(1, 'evaluation'));
    expect(pairs).toHaveLength(5);
    expect(new Set(pairs.flat()).size).toBe(10);
    expect(diversityPairs(11, new Random(1, 'evaluation'), 2)).toHaveLength(2);
  });

  it('is 1 for a set of equal images', () => {
    const one = stack(1, 22, 22, 8);
    const equal = { ...one, count: 3, pixels: Float64Array.from([...one.pixels, ...one.pixels, ...one.pixels]) };
    const similarities = pairSimilarities(equal, [
      [0, 1],
      [2, 0],
    ]);
    for (const value of similarities) expect(value).toBeCloseTo(1, 12);
  });
});
