import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/random.ts';
import { addon, instructionSets, isBuilt, relativeError, sameBits, withSettings } from './support.ts';

const SIZES: [batch: number, m: number, n: number, k: number][] = [
  [1, 1, 1, 1],
  [1, 6, 64, 64],
  [2, 7, 65, 3],
  [3, 121, 19, 33],
  [1, 5, 130, 300],
  [1, 125, 1030, 5],
  [4, 1, 50, 17],
  [2, 64, 3, 513],
];

function slowProduct(
  [batch, m, n, k]: (typeof SIZES)[number],
  a: Float32Array,
  b: Float32Array,
  flags: { oneA: boolean; oneB: boolean; transposeA: boolean; transposeB: boolean },
): Float64Array {
  const c = new Float64Array(batch * m * n);
  for (let t = 0; t < batch; t++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const x = a[(flags.oneA ? 0 : t * m * k) + (flags.transposeA ? l * m + i : i * k + l)];
          sum += x * b[(flags.oneB ? 0 : t * k * n) + (flags.transposeB ? j * k + l : l * n + j)];
        }
        c[(t * m + i) * n + j] = sum;
      }
    }
  }
  return c;
}

interface Convolution {
  name: string;
  images: number;
  height: number;
  width: number;
  channels: number;
  outputs: number;
  kernel: [number, number];
  stride: [number, number];
  dilation: [number, number];
  pad: [number, number];
}

const CONVOLUTIONS: Convolution[] = [
  {
    name: '3×3, same',
    images: 2,
    height: 9,
    width: 11,
    channels: 16,
    outputs: 32,
    kernel: [3, 3],
    stride: [1, 1],
    dilation: [1, 1],
    pad: [1, 1],
  },
  {
    name: 'odd channels, stride 2',
    images: 3,
    height: 13,
    width: 8,
    channels: 5,
    outputs: 7,
    kernel: [3, 2],
    stride: [2, 2],
    dilation: [1, 1],
    pad: [0, 1],
  },
  {
    name: 'dilated, many channels',
    images: 1,
    height: 12,
    width: 12,
    channels: 67,
    outputs: 70,
    kernel: [3, 3],
    stride: [1, 2],
    dilation: [2, 2],
    pad: [2, 2],
  },
  {
    name: '1×1',
    images: 2,
    height: 30,
    width: 30,
    channels: 3,
    outputs: 1,
    kernel: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    pad: [0, 0],
  },
];

function convolution({ images, height, width, channels, outputs, kernel, stride, dilation, pad }: Convolution) {
  const extent = (size: number, d: 0 | 1) =>
    Math.floor((size + 2 * pad[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1;
  const [outHeight, outWidth] = [extent(height, 0), extent(width, 1)];
  const extents = [
    images,
    height,
    width,
    channels,
    outHeight,
    outWidth,
    outputs,
    ...kernel,
    ...stride,
    ...dilation,
    ...pad,
  ];
  const random = new Random(6, 'synthetic');
  const x = random.normals(images * height * width * channels);
  const filter = random.normals(kernel[0] * kernel[1] * channels * outputs);
  const dy = random.normals(images * outHeight * outWidth * outputs);
  const y = new Float64Array(dy.length);
  const dx = new Float64Array(x.length);
  const dFilter = new Float64Array(filter.length);
  // Every product x·w that enters y, once: the definition of all three results.
  for (let pixel = 0; pixel < images * outHeight * outWidth; pixel++) {
    const [image, oy, ox] = [
      Math.floor(pixel / (outHeight * outWidth)),
      Math.floor(pixel / outWidth) % outHeight,
      pixel % outWidth,
    ];
    for (let tap = 0; tap < kernel[0] * kernel[1]; tap++) {
      const iy = oy * stride[0] + Math.floor(tap / kernel[1]) * dilation[0] - pad[0];
      const ix = ox * stride[1] + (tap % kernel[1]) * dilation[1] - pad[1];
      if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
      for (let c = 0; c < channels; c++) {
        const from = ((image * height + iy) * width + ix) * channels + c;
        for (let o = 0; o < outputs; o++) {
          const w = (tap * channels + c) * outputs + o;
          y[pixel * outputs + o] += x[from] * filter[w];
          dx[from] += dy[pixel * outputs + o] * filter[w];
          dFilter[w] += dy[pixel * outputs + o] * x[from];
        }
      }
    }
  }
  return { extents, x, filter, dy, y, dx, dFilter };
}

describe.skipIf(!isBuilt)('products, on every instruction set', () => {
  it.each(SIZES)('multiplies batch %i of [%i, %i] over %i, transposed, shared or neither', (...size) => {
    const [batch, m, n, k] = size;
    const random = new Random(7, 'synthetic');
    const [a, b] = [random.normals(batch * m * k), random.normals(batch * k * n)];
    for (let bits = 0; bits < 16; bits++) {
      const [oneA, oneB, transposeA, transposeB] = [1, 2, 4, 8].map((bit) => (bits & bit) !== 0);
      const left = oneA ? a.slice(0, m * k) : a;
      const right = oneB ? b.slice(0, k * n) : b;
      const expected = slowProduct(size, left, right, { oneA, oneB, transposeA, transposeB });
      for (const instructionSet of instructionSets) {
        const results = [1, 2].map((threads) => {
          const c = new Float32Array(batch * m * n).fill(Number.NaN);
          withSettings({ instructionSet, threads }, () =>
            addon.gemm(left, right, c, batch, m, n, k, oneA, oneB, transposeA, transposeB),
          );
          return c;
        });
        expect(relativeError(results[0], expected), instructionSet).toBeLessThan(1e-6);
        expect(sameBits(results[1], results[0])).toBe(true);
      }
    }
  });

  it('writes zeros where nothing is summed', () => {
    const c = new Float32Array(6).fill(Number.NaN);
    addon.gemm(new Float32Array(0), new Float32Array(0), c, 1, 2, 3, 0, false, false, false, false);
    expect([...c]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it.each(CONVOLUTIONS)('convolves, with both gradients: $name', (shape) => {
    const { extents, x, filter, dy, y, dx, dFilter } = convolution(shape);
    for (const instructionSet of instructionSets) {
      const results = [1, 2].map((threads) =>
        withSettings({ instructionSet, threads }, () => {
          const out = [y, dx, dFilter].map((expected) => new Float32Array(expected.length).fill(Number.NaN));
          addon.conv(0, extents, x, filter, null, out[0]);
          addon.conv(1, extents, null, filter, dy, out[1]);
          addon.conv(2, extents, x, null, dy, out[2]);
          return out;
        }),
      );
      [y, dx, dFilter].forEach((expected, i) => {
        expect(relativeError(results[0][i], expected), instructionSet).toBeLessThan(2e-6);
      });
      results[0].forEach((result, i) => {
        expect(sameBits(results[1][i], result)).toBe(true);
      });
    }
  });
});
