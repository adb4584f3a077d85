import { beforeAll, describe, expect, it } from 'vitest';
import type { EncodingConfig } from '../../src/models/encodings/registry.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { fullView, type View } from '../../src/grid.ts';
import {
  encodePoints,
  featureCount,
  footprintAttenuation,
  makeEncoding,
  makeGridEncoder,
  viewAttenuation,
} from '../../src/models/encoding.ts';
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

/** [sin 2πBv, cos 2πBv] from the paper's formula. */
function slowFeatures(config: EncodingConfig, x: number, y: number): number[] {
  if (config.kind === 'none') return config.range === 'unit' ? [x, y] : [2 * x - 1, 2 * y - 1];
  const encoding = makeEncoding(config, 4);
  if (encoding.kind !== 'fourier') throw new Error('not a Fourier encoding');
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
    const features = await encodePoints(encoding, tf.tensor2d(points, [3, 2])).data();
    const expected = [0, 1, 2].flatMap((p) => slowFeatures(config, points[2 * p], points[2 * p + 1]));
    expect(features.length).toBe(3 * featureCount(encoding));
    expected.forEach((value, i) => {
      expect(Math.abs(features[i] - value)).toBeLessThan(1e-5);
    });
  });

  it.each(configs)(
    'have the derivative of finite differences with respect to the coordinates ($kind $range)',
    async (config) => {
      const encoding = makeEncoding(config, 4);
      const points = Float64Array.of(0.12, 0.81, 0.43, 0.29);
      const weights = Array.from({ length: 2 * featureCount(encoding) }, (_, i) => Math.cos(3 * i));
      const weighted = (x: Tensor) =>
        tf.sum(tf.mul(encodePoints(encoding, x as Tensor2D), tf.reshape(tf.tensor1d(weights), [2, -1])));
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
    const whole = makeGridEncoder(encoding, view).rows(0, 3);
    whole.forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThan(1e-6);
    });
    const encoder = makeGridEncoder(encoding, view);
    const perRow = 5 * featureCount(encoding);
    expect(encoder.rows(1, 2)).toEqual(whole.slice(perRow));
    const count = featureCount(encoding);
    expect(encoder.pixels(Int32Array.of(7, 2))).toEqual(
      Float32Array.from([...whole.slice(7 * count, 8 * count), ...whole.slice(2 * count, 3 * count)]),
    );
  });

  it('keeps its precision in a window of a millionth of the image', () => {
    const encoding = makeEncoding({ kind: 'gaussian', frequencies: 4, sigma: 50 }, 1);
    const size = 1e-6;
    const deep: View = { window: [0.3, 0.7, 0.3 + size, 0.7 + size], width: 4, height: 1 };
    const features = makeGridEncoder(encoding, deep).rows(0, 1);
    for (let i = 0; i < 4; i++) {
      const frequencies = encoding.kind === 'fourier' ? encoding.frequencies : new Float64Array();
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
    const encoding = makeEncoding({ kind: 'positional', frequencies: 128, maxLog2: 6 }, 0);
    if (encoding.kind !== 'fourier') throw new Error();
    expect(encoding.frequencies.length).toBe(512);
    expect([...encoding.frequencies.slice(0, 4)]).toEqual([0, 0, 0, 0]);
    expect([...encoding.frequencies.slice(-4)]).toEqual([63, 0, 0, 63]);
  });

  it('Gaussian ones have the standard deviation of the config', () => {
    const encoding = makeEncoding({ kind: 'gaussian', frequencies: 4096, sigma: 10 }, 0);
    if (encoding.kind !== 'fourier') throw new Error();
    const variance = encoding.frequencies.reduce((sum, f) => sum + f * f, 0) / encoding.frequencies.length;
    expect(Math.abs(Math.sqrt(variance) - 10)).toBeLessThan((4 * 10) / Math.sqrt(2 * 8192));
  });
});

describe('footprint attenuation', () => {
  const encoding = makeEncoding({ kind: 'gaussian', frequencies: 16, sigma: 4 }, 1);

  it('is absent at the training size and above', () => {
    expect(viewAttenuation(encoding, fullView(64, 64), fullView(64, 64))).toBeUndefined();
    expect(viewAttenuation(encoding, fullView(256, 256), fullView(64, 64))).toBeUndefined();
  });

  it('is the mean of the wave over a Gaussian footprint', () => {
    if (encoding.kind !== 'fourier') throw new Error();
    const gains = footprintAttenuation(encoding, [1 / 8, 1 / 8], [1 / 32, 1 / 32]);
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
