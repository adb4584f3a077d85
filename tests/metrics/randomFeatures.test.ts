import { describe, expect, it } from 'vitest';
import { RANDOM_FEATURES, randomFeatures } from '../../src/metrics/randomFeatures.ts';
import { Random } from '../../src/random.ts';

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('randomFeatures', () => {
  const image = Float64Array.from(new Random(9, 'synthetic').uniforms(32 * 32 * 3, 0, 1));

  it('equal the network written out pixel by pixel', () => {
    let [values, side, inputs] = [image.map((value) => (value - 0.5) / 0.25) as Float64Array, 32, 3];
    for (const [layer, outputs] of [16, 32, 64].entries()) {
      const weights = new Random(0, 'randomFeatures', layer).normals(9 * inputs * outputs, Math.sqrt(2 / (9 * inputs)));
      const next = new Float64Array((side / 2) ** 2 * outputs);
      for (let at = 0; at < next.length; at++) {
        const [o, x, y] = [at % outputs, Math.floor(at / outputs) % (side / 2), Math.floor(at / outputs / (side / 2))];
        let sum = 0;
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) {
            for (let c = 0; c < inputs; c++) {
              const [sy, sx] = [2 * y + dy, 2 * x + dx];
              if (sy < 0 || sx < 0) continue;
              sum +=
                values[(sy * side + sx) * inputs + c] * weights[((3 * (dy + 1) + dx + 1) * inputs + c) * outputs + o];
            }
          }
        }
        next[at] = Math.max(0, sum);
      }
      [values, side, inputs] = [next, side / 2, outputs];
    }
    const features = randomFeatures({ count: 1, width: 32, height: 32, pixels: image });
    for (const [quadrant, x, y] of [
      [0, 0, 0],
      [1, 2, 0],
      [2, 0, 2],
      [3, 2, 2],
    ]) {
      for (let o = 0; o < 64; o += 7) {
        const pixels = [0, 1, 4, 5].map((step) => values[((y + (step >> 2)) * 4 + x + (step & 3)) * 64 + o]);
        expect(features[quadrant * 64 + o]).toBeCloseTo(mean(pixels), 10);
      }
    }
  });

  it('see an enlarged image as the same, and a grey one as RGB', () => {
    const doubled = Float64Array.from({ length: 64 * 64 * 3 }, (_, at) => {
      const [c, x, y] = [at % 3, Math.floor(at / 3) % 64, Math.floor(at / 192)];
      return image[((y >> 1) * 32 + (x >> 1)) * 3 + c];
    });
    const [own, large] = [
      randomFeatures({ count: 1, width: 32, height: 32, pixels: image }),
      randomFeatures({ count: 1, width: 64, height: 64, pixels: doubled }),
    ];
    expect(own).toHaveLength(RANDOM_FEATURES);
    own.forEach((value, i) => {
      expect(large[i]).toBeCloseTo(value, 12);
    });
    const grey = image.filter((_, at) => at % 3 === 0);
    const rgb = Float64Array.from({ length: 32 * 32 * 3 }, (_, at) => grey[Math.floor(at / 3)]);
    expect(randomFeatures({ count: 1, width: 32, height: 32, channels: 1, pixels: grey })).toEqual(
      randomFeatures({ count: 1, width: 32, height: 32, pixels: rgb }),
    );
  });
});
