import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import type { View } from '../../src/grid.ts';
import { type GridEncoder, gridEncoder } from '../../src/models/encodings/encoding.ts';
import { type FourierFeatures, footprintAttenuation } from '../../src/models/encodings/fourierFeatures.ts';
import { type EncodingConfig, makeEncoding } from '../../src/models/encodings/registry.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, type Tensor2D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';
import { centralDifferences } from '../support/slowModel.ts';

const configs: EncodingConfig[] = [
  { kind: 'none', range: 'signed' },
  { kind: 'none', range: 'unit' },
  { kind: 'basic' },
  { kind: 'positional', frequencies: 5, maxLog2: 4 },
  { kind: 'gaussian', frequencies: 9, sigma: 3 },
];

const fourier = (config: EncodingConfig, seed: number) => makeEncoding(config, seed) as FourierFeatures;

/** Numbers of an encoder that writes them. */
const numbers = (encoder: GridEncoder, pixels: Parameters<GridEncoder['tensor']>[0]) =>
  encoder.values?.(pixels) as Float32Array;

/** [sin 2πBv, cos 2πBv] from the paper's formula. */
function slowFeatures(config: EncodingConfig, x: number, y: number): number[] {
  if (config.kind === 'none') return config.range === 'unit' ? [x, y] : [2 * x - 1, 2 * y - 1];
  const encoding = fourier(config, 4);
  const phases: number[] = [];
  for (let k = 0; k < encoding.frequencies.length; k += 2) {
    phases.push(2 * Math.PI * (encoding.frequencies[k] * x + encoding.frequencies[k + 1] * y));
  }
  return [...phases.map(Math.sin), ...phases.map(Math.cos)];
}

describe.each(availableEngines)('encodings on the %s engine', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it.each(configs)('encode points by their formula ($kind $range)', async (config) => {
    const encoding = makeEncoding(config, 4);
    const points = [0.1, 0.9, 0.5, 0.25, -0.3, 1.4];
    const features = await encoding.points(tf.tensor2d(points, [3, 2]), {}).data();
    const expected = [0, 1, 2].flatMap((p) => slowFeatures(config, points[2 * p], points[2 * p + 1]));
    expect(features.length).toBe(3 * encoding.features);
    expected.forEach((value, i) => {
      expect(Math.abs(features[i] - value)).toBeLessThan(1e-5);
    });
  });

  it.each(configs)(
    'have the derivative of finite differences with respect to the coordinates ($kind $range)',
    async (config) => {
      const encoding = makeEncoding(config, 4);
      const points = Float64Array.of(0.12, 0.81, 0.43, 0.29);
      const weights = Array.from({ length: 2 * encoding.features }, (_, i) => Math.cos(3 * i));
      const weighted = (x: Tensor) =>
        tf.sum(tf.mul(encoding.points(x as Tensor2D, {}), tf.reshape(tf.tensor1d(weights), [2, -1])));
      const gradient = await tf
        .grad(weighted)(tf.tensor2d(Float32Array.from(points), [2, 2]))
        .data();
      const slow = () => {
        const features = [0, 1].flatMap((p) => slowFeatures(config, points[2 * p], points[2 * p + 1]));
        return features.reduce((sum, value, i) => sum + value * weights[i], 0);
      };
      centralDifferences(slow, points, [0, 1, 2, 3]).forEach((expected, i) => {
        expect(Math.abs(gradient[i] - expected)).toBeLessThan(1e-3 * Math.max(1, Math.abs(expected)));
      });
    },
  );
});

describe('the grid encoder', () => {
  const view: View = { window: [-0.25, 0.5, 0.75, 1.5], width: 5, height: 3 };

  it.each(configs)('encodes pixel centres, by rows and by index ($kind $range)', (config) => {
    const encoding = makeEncoding(config, 4);
    const expected: number[] = [];
    for (let j = 0; j < 3; j++) {
      for (let i = 0; i < 5; i++) expected.push(...slowFeatures(config, -0.25 + (i + 0.5) / 5, 0.5 + (j + 0.5) / 3));
    }
    const whole = numbers(gridEncoder(encoding, view), { firstRow: 0, rowCount: 3 });
    whole.forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThan(1e-6);
    });
    const encoder = gridEncoder(encoding, view);
    const perRow = 5 * encoding.features;
    expect(numbers(encoder, { firstRow: 1, rowCount: 2 })).toEqual(whole.slice(perRow));
    const count = encoding.features;
    expect(numbers(encoder, Int32Array.of(7, 2))).toEqual(
      Float32Array.from([...whole.slice(7 * count, 8 * count), ...whole.slice(2 * count, 3 * count)]),
    );
  });

  it('keeps its precision in a window of a millionth of the image', () => {
    const encoding = fourier({ kind: 'gaussian', frequencies: 4, sigma: 50 }, 1);
    const size = 1e-6;
    const deep: View = { window: [0.3, 0.7, 0.3 + size, 0.7 + size], width: 4, height: 1 };
    const features = numbers(gridEncoder(encoding, deep), { firstRow: 0, rowCount: 1 });
    for (let i = 0; i < 4; i++) {
      const { frequencies } = encoding;
      for (let k = 0; k < 4; k++) {
        const x = 0.3 + ((i + 0.5) / 4) * size;
        const phase = 2 * Math.PI * (frequencies[2 * k] * x + frequencies[2 * k + 1] * (0.7 + size / 2));
        expect(Math.abs(features[i * 8 + k] - Math.sin(phase))).toBeLessThan(1e-7);
      }
    }
  });
});

describe('published frequencies', () => {
  it('positional encodings run from 0 to 2^S − 1 on each axis', () => {
    const encoding = fourier({ kind: 'positional', frequencies: 128, maxLog2: 6 }, 0);
    expect(encoding.frequencies.length).toBe(512);
    expect([...encoding.frequencies.slice(0, 4)]).toEqual([0, 0, 0, 0]);
    expect([...encoding.frequencies.slice(-4)]).toEqual([63, 0, 0, 63]);
  });

  it('Gaussian ones have the standard deviation of the config', () => {
    const encoding = fourier({ kind: 'gaussian', frequencies: 4096, sigma: 10 }, 0);
    const variance = encoding.frequencies.reduce((sum, f) => sum + f * f, 0) / encoding.frequencies.length;
    expect(Math.abs(Math.sqrt(variance) - 10)).toBeLessThan((4 * 10) / Math.sqrt(2 * 8192));
  });
});

describe('footprint attenuation', () => {
  const encoding = fourier({ kind: 'gaussian', frequencies: 16, sigma: 4 }, 1);

  it('is absent at the training size and above', () => {
    for (const size of [64, 256]) {
      const { gains } = encoding.attenuated([1 / size, 1 / size], [1 / 64, 1 / 64]);
      expect(gains).toBeUndefined();
    }
  });

  it('is the mean of the wave over a Gaussian footprint', () => {
    const gains = footprintAttenuation(encoding.frequencies, [1 / 8, 1 / 8], [1 / 32, 1 / 32]);
    const deviation = Math.sqrt((1 / 64 - 1 / 1024) / 12);
    for (let k = 0; k < 16; k++) {
      const f = Math.hypot(encoding.frequencies[2 * k], encoding.frequencies[2 * k + 1]);
      // E cos(2πft), t ~ N(0, deviation²), by the trapezoidal rule.
      let [sum, total] = [0, 0];
      for (let t = -8; t <= 8; t += 0.001) {
        const weight = Math.exp((-t * t) / 2);
        sum += weight * Math.cos(2 * Math.PI * f * t * deviation);
        total += weight;
      }
      expect(gains[k]).toBeCloseTo(sum / total, 9);
    }
  });
});

describe('shifted frequencies', () => {
  it('move by the asked standard deviation', () => {
    const encoding = fourier({ kind: 'gaussian', frequencies: 12, sigma: 3 }, 1);
    let sum = 0;
    for (let draw = 0; draw < 200; draw++) {
      const shifted = encoding.shifted(0.3, new Random(draw, 'evaluation'));
      sum += shifted.frequencies.reduce((total, f, i) => total + (f - encoding.frequencies[i]) ** 2, 0);
    }
    expect(Math.sqrt(sum / 200 / encoding.frequencies.length)).toBeCloseTo(0.3, 1);
  });

  it('are there for Fourier features alone', () => {
    expect(makeEncoding({ kind: 'none', range: 'unit' }, 0).shifted).toBeUndefined();
  });
});
