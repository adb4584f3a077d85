import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { fullView } from '../../src/grid.ts';
import { scaledCoordinates } from '../../src/models/encodings/none.ts';
import { disposeFields } from '../../src/render/drawableField.ts';
import { renderImagesFloat } from '../../src/render/render.ts';
import { availableEngines } from '../support/engines.ts';
import { blockMeans, largestDifference, randomField } from './randomField.ts';

/** ∫ f(x) N(x; 0, deviation²) dx by the trapezium rule on ±7 deviations, which is exact to rounding here. */
function gaussianNodes(deviation: number): { offset: number; weight: number }[] {
  const nodes = Array.from({ length: 57 }, (_, i) => (i - 28) / 4);
  const total = nodes.reduce((sum, z) => sum + Math.exp((-z * z) / 2), 0);
  return nodes.map((z) => ({ offset: deviation * z, weight: Math.exp((-z * z) / 2) / total }));
}

function rootMeanSquare(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum / a.length);
}

describe.each(availableEngines)('anti-aliasing on engine %s', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it('filters a linear field by the Gaussian of the footprint', async () => {
    const field = randomField({ hidden: [], output: 'linear', sigma: 5 });
    // 16 by 8 pixels for a training size of 32: variances (s²−s₀²)/12 that differ along x and y.
    const view = fullView(16, 8);
    const [image] = await renderImagesFloat(field, view);
    const deviation = (pixels: number) => Math.sqrt((1 / pixels ** 2 - 1 / 32 ** 2) / 12);
    const [alongX, alongY] = [gaussianNodes(deviation(16)), gaussianNodes(deviation(8))];
    for (const [i, j] of [
      [0, 0],
      [15, 7],
      [3, 5],
      [9, 2],
    ]) {
      const filtered = [0, 0, 0];
      for (const u of alongX) {
        for (const v of alongY) {
          const colour = field.colour(0, (i + 0.5) / 16 + u.offset, (j + 0.5) / 8 + v.offset);
          for (let c = 0; c < 3; c++) filtered[c] += u.weight * v.weight * colour[c];
        }
      }
      const at = (j * 16 + i) * 3;
      expect(largestDifference(image.subarray(at, at + 3), filtered)).toBeLessThan(5e-6);
    }
    disposeFields(field);
  });

  it('changes nothing at the training size and above', async () => {
    const field = randomField({ trainingSize: 32 });
    for (const size of [32, 50]) {
      const plain = await renderImagesFloat(field, fullView(size, size), { antialias: 'none' });
      for (const antialias of ['footprint', 'supersample'] as const) {
        expect(await renderImagesFloat(field, fullView(size, size), { antialias })).toEqual(plain);
      }
    }
    disposeFields(field);
  });

  it('supersamples to the block mean of the larger image', async () => {
    const field = randomField({ fields: 2, trainingSize: 60 });
    const large = await renderImagesFloat(field, fullView(60, 60));
    const small = await renderImagesFloat(field, fullView(20, 20), { antialias: 'supersample' }); // 3×3 subpixels
    small.forEach((image, b) => {
      expect(largestDifference(image, blockMeans(large[b], 20, 3))).toBeLessThan(1e-6);
    });
    disposeFields(field);
  });

  it('supersamples by default where the encoding has nothing to attenuate', async () => {
    const encoding = scaledCoordinates(20, 0);
    const field = randomField({ encoding, activation: 'sine' });
    const means = await renderImagesFloat(field, fullView(8, 8), { antialias: 'supersample' });
    expect(await renderImagesFloat(field, fullView(8, 8))).toEqual(means);
    const [centres] = await renderImagesFloat(field, fullView(8, 8), { antialias: 'none' });
    expect(largestDifference(means[0], centres)).toBeGreaterThan(0.01);
    disposeFields(field);
  });

  it('brings a reduced image nearer to the reduction of the large one', async () => {
    const field = randomField({ trainingSize: 64, sigma: 12, frequencies: 32, hidden: [32, 32] });
    const [large] = await renderImagesFloat(field, fullView(64, 64));
    for (const factor of [2, 4]) {
      const target = blockMeans(large, 64 / factor, factor);
      const distance = async (antialias: 'none' | 'footprint') => {
        const [image] = await renderImagesFloat(field, fullView(64 / factor, 64 / factor), { antialias });
        return rootMeanSquare(image, target);
      };
      expect(await distance('footprint')).toBeLessThan(0.7 * (await distance('none')));
    }
    disposeFields(field);
  });

  it('attenuates what automatic supersampling leaves, in a view of many images at once', async () => {
    // 64 images across 4 pixels: 16·32 subpixels a side would be needed, 16 are drawn.
    const field = randomField({ hidden: [], output: 'linear', sigma: 8, trainingSize: 32 });
    const view = { window: [0, 0, 64, 64], width: 4, height: 4 } as const;
    const [image] = await renderImagesFloat(field, view, { antialias: 'supersample' });
    const constant = field.colour(0, 0, 0, new Float64Array(12)); // every wave averages out
    for (let i = 0; i < image.length; i++) expect(Math.abs(image[i] - constant[i % 3])).toBeLessThan(0.1);
    disposeFields(field);
  });
});
