import { beforeAll, describe, expect, it } from 'vitest';
import { gatherTargets } from '../../../src/data/batches.ts';
import type { ImageSet } from '../../../src/data/imageSet.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { type FourierGrid, type GridFeatureKernel, gridFeatureKernel } from '../../../src/ops/gridFeatures.ts';
import { type ImageTable, makeImageTable } from '../../../src/ops/imageTable.ts';
import { Random } from '../../../src/random.ts';
import { type Tensor2D, tf } from '../../../src/tf.ts';
import { availableEngines } from '../../support/engines.ts';

/** Images in which every byte occurs. */
function everyByte(count: number, width: number, height: number): ImageSet {
  const pixels = Uint8Array.from({ length: count * width * height * 3 }, (_, i) => (i * 7 + (i >> 8)) % 256);
  return { count, width, height, pixels, names: [], skipped: [], nativeScale: 1, digest: '' };
}

describe.skipIf(!availableEngines.includes('webgpu'))('batches made by the webgpu engine', () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  it.each([
    ['odd sizes', 3, 5, 7, 11],
    ['sizes whose bytes fill no word', 1, 3, 3, 4],
    ['whole images', 40, 16, 16, 256],
  ])('have the colours that the processor gathers, bit for bit (%s)', async (_, count, width, height, points) => {
    const images = everyByte(count, width, height);
    const table = makeImageTable(images.pixels, width * height);
    const random = new Random(1, 'synthetic');
    const chosen = Int32Array.from({ length: count }, (_, i) => count - 1 - i);
    const pixels = Int32Array.from(random.uniforms(points, 0, width * height), Math.floor);
    pixels.set([0, width * height - 1]);
    const colours = table?.gather(tf.tensor1d(chosen, 'int32'), tf.tensor1d(pixels, 'int32'));
    expect(colours?.shape).toEqual([count, points, 3]);
    table?.dispose(); // the device may not have been told to gather yet
    expect(await colours?.data()).toEqual(gatherTargets(images, chosen, pixels));
  });

  it('have them where they take more workgroups than lie side by side', async () => {
    const { limits } = (tf.backend() as unknown as { device: GPUDevice }).device;
    const points = Math.ceil((limits.maxComputeWorkgroupsPerDimension * 64) / 3) + 1000;
    const images = everyByte(1, 16, 16);
    const table = makeImageTable(images.pixels, 256) as ImageTable;
    const pixels = Int32Array.from({ length: points }, (_, i) => (i * 31) % 256);
    const colours = await table.gather(tf.tensor1d([0], 'int32'), tf.tensor1d(pixels, 'int32')).data();
    const expected = gatherTargets(images, Int32Array.of(0), pixels);
    expect(Buffer.from(colours.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    table.dispose();
  });

  it('keep no table that is too large for the device', () => {
    const limit = (tf.backend() as unknown as { device: GPUDevice }).device.limits.maxStorageBufferBindingSize;
    const large = { byteLength: limit } as Uint8Array;
    expect(makeImageTable(large, 1)).toBeUndefined();
  });

  const kernel = () => gridFeatureKernel() as Required<GridFeatureKernel>;

  /** Features in float64, the frequencies' whole phase at once. */
  function exactFeatures({ xs, ys, frequencies, gains }: FourierGrid, pixels: Iterable<number>): number[] {
    const count = frequencies.length / 2;
    const phases = (pixel: number) => {
      const [x, y] = [xs[pixel % xs.length], ys[Math.floor(pixel / xs.length)]];
      return Array.from(
        { length: count },
        (_, k) => 2 * Math.PI * (frequencies[2 * k] * x + frequencies[2 * k + 1] * y),
      );
    };
    return [...pixels].flatMap((pixel) => [
      ...phases(pixel).map((phase, k) => (gains?.[k] ?? 1) * Math.sin(phase)),
      ...phases(pixel).map((phase, k) => (gains?.[k] ?? 1) * Math.cos(phase)),
    ]);
  }

  const upTo = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i);
  const [width, height] = [13, 9];
  const gridOf = (scale: number, gains?: Float64Array): FourierGrid => ({
    xs: Float64Array.from(upTo(width), (i) => (i + 0.5) / width),
    ys: Float64Array.from(upTo(height), (i) => (i + 0.5) / height),
    frequencies: Float64Array.from(new Random(2, 'synthetic').normals(2 * 10, scale)),
    gains,
  });
  const grids = {
    'low frequencies': gridOf(2),
    'high frequencies': gridOf(300),
    gains: gridOf(
      5,
      Float64Array.from(upTo(10), (k) => 1 / (k + 1)),
    ),
    'a deep zoom': { ...gridOf(40), xs: Float64Array.from(upTo(width), (i) => 0.4 + 1e-9 * i) },
  };
  const off = async (features: Tensor2D, exact: number[]) => {
    const values = await features.data();
    expect(values.length).toBe(exact.length);
    return Math.max(...exact.map((value, i) => Math.abs(values[i] - value)));
  };

  it.each(Object.entries(grids))('have the features that float64 gives, to 2e-7 (%s)', async (_, grid) => {
    const rows = kernel().encode(grid, { firstRow: 2, rowCount: 4 });
    expect(rows.shape).toEqual([4 * width, 20]);
    expect(await off(rows, exactFeatures(grid, upTo(4 * width, 2 * width)))).toBeLessThan(2e-7);
    const pixels = Int32Array.of(0, width * height - 1, 17, 17, 40);
    const some = kernel().encode(grid, pixels);
    expect(await off(some, exactFeatures(grid, pixels))).toBeLessThan(2e-7);
    const indices = tf.tensor1d(pixels, 'int32');
    expect(await kernel().encodeAt(grid, indices).data()).toEqual(await some.data());
  });

  it('leak nothing', async () => {
    const indices = tf.tensor1d([1, 2, 3], 'int32');
    const encode = async () => {
      for (const features of [
        kernel().encodeAt(grids.gains, indices),
        kernel().encode(grids.gains, Int32Array.of(1, 2)),
      ]) {
        await features.data();
        features.dispose();
      }
      await tf.zeros([1]).data();
    };
    await encode();
    const tensors = tf.memory().numTensors;
    await encode();
    const { numBytesInGPU } = tf.memory() as unknown as { numBytesInGPU: number };
    for (let i = 0; i < 3; i++) await encode();
    expect((tf.memory() as unknown as { numBytesInGPU: number }).numBytesInGPU).toBe(numBytesInGPU);
    expect(tf.memory().numTensors - tensors).toBe(4); // the zeros
  });
});
