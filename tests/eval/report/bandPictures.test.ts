import { describe, expect, it } from 'vitest';
import { bandDifferences } from '../../../src/eval/report/bandPictures.ts';
import { Random } from '../../../src/random.ts';

describe('differences per band', () => {
  it('add up to the difference, less the mean, and hold a wave in its own octave alone', () => {
    const size = { width: 16, height: 12 };
    const values = (seed: number) => new Random(seed, 'synthetic').uniforms(16 * 12 * 3, 0, 1);
    const [image, truth] = [values(1), values(2)];
    const bands = bandDifferences(image, truth, size, 4);
    expect(bands.map(({ label }) => label)).toEqual(['0.75–1.5', '1.5–3', '3–6', 'corner']);
    for (let channel = 0; channel < 3; channel++) {
      const own = (all: Float32Array) => all.filter((_, i) => i % 3 === channel);
      const differences = own(image.map((value, i) => value - truth[i]));
      const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
      const summed = differences.map((_, p) => bands.reduce((sum, { values }) => sum + own(values)[p] - 0.5, 0) / 4);
      summed.forEach((value, p) => {
        expect(value).toBeCloseTo(differences[p] - mean, 5);
      });
    }
    // Two cycles along the 12 rows lie in 1.5–3.
    const wave = Float32Array.from({ length: 16 * 12 * 3 }, (_, i) => Math.cos((Math.PI * Math.floor(i / 48)) / 3));
    const parts = bandDifferences(wave, new Float32Array(wave.length), size, 1);
    for (const { label, values } of parts) {
      const largest = Math.max(...values.map((value) => Math.abs(value - 0.5)));
      expect(largest, label).toBeCloseTo(label === '1.5–3' ? 1 : 0, 5);
    }
  });
});
