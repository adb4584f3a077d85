import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { fullView, type View } from '../../src/grid.ts';
import { scaledCoordinates } from '../../src/models/encodings/none.ts';
import { disposeFields, fieldCount, selectFields } from '../../src/render/drawableField.ts';
import {
  type RenderOptions,
  renderImage,
  renderImages,
  renderImagesFloat,
  renderRows,
  renderRowsFloat,
  renderScanlines,
} from '../../src/render/render.ts';
import { type Tensor2D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';
import { largestDifference, type RandomField, randomField } from './randomField.ts';

/** Field `b` at each pixel centre of a view, written from the definition of a view. */
function slowImage(field: RandomField, view: View, b = 0): Float64Array {
  const [x0, y0, x1, y1] = view.window;
  const pixels: number[] = [];
  for (let j = 0; j < view.height; j++) {
    for (let i = 0; i < view.width; i++) {
      const x = x0 + ((i + 0.5) * (x1 - x0)) / view.width;
      const y = y0 + ((j + 0.5) * (y1 - y0)) / view.height;
      pixels.push(...field.colour(b, x, y));
    }
  }
  return Float64Array.from(pixels);
}

describe.each(availableEngines)('the renderer on engine %s', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it.each([
    ['a full view, wider than high', { window: [0, 0, 1, 1], width: 37, height: 21 }],
    ['a full view of several blocks', { window: [0, 0, 1, 1], width: 259, height: 66 }],
    ['a window off the canvas', { window: [-1.5, 0.25, -0.5, 2], width: 20, height: 30 }],
    ['a deep zoom', { window: [0.7, 0.2, 0.7 + 1e-9, 0.2 + 1e-9], width: 9, height: 9 }],
    ['a single pixel', { window: [0, 0, 1, 1], width: 1, height: 1 }],
  ] satisfies [string, View][])('draws %s as the network evaluated pixel by pixel', async (_, view) => {
    const field = randomField({ fields: 2 });
    const images = await renderImagesFloat(field, view, { antialias: 'none' });
    expect(images.length).toBe(2);
    images.forEach((image, b) => {
      expect(largestDifference(image, slowImage(field, view, b))).toBeLessThan(2e-5);
    });
    disposeFields(field);
  });

  it('draws fields of plain coordinates and sine activations too', async () => {
    const encoding = scaledCoordinates(2, -1);
    const field = randomField({ encoding, activation: 'sine', output: 'linear' });
    const view = fullView(40, 50);
    const [image] = await renderImagesFloat(field, view);
    expect(largestDifference(image, slowImage(field, view))).toBeLessThan(5e-5);
    disposeFields(field);
  });

  it("gives the same bits whatever the chunk size, or all but the last two where they are TensorFlow's", async () => {
    // TensorFlow computes what is left over at the end of an array in another way than the vectors before it.
    const allowed = engine === 'tensorflow' ? 2 ** -23 : 0;
    const field = randomField({ fields: 2, frequencies: 33, hidden: [13] });
    const cases: [width: number, height: number, options: RenderOptions][] = [
      [270, 67, {}],
      [90, 25, { antialias: 'supersample', subpixels: 3 }],
    ];
    for (const [width, height, options] of cases) {
      const view: View = { window: [-0.1, 0.2, 0.9, 1.3], width, height };
      const whole = await renderImagesFloat(field, view, options);
      for (const maxPoints of [1, 1000, 5000]) {
        const chunked = await renderImagesFloat(field, view, { ...options, maxPoints });
        chunked.forEach((image, b) => {
          expect(largestDifference(image, whole[b])).toBeLessThanOrEqual(allowed);
        });
      }
    }
    disposeFields(field);
  });

  it('draws a window as it drew that part of the whole', async () => {
    const field = randomField();
    const whole = (await renderImagesFloat(field, fullView(320, 320)))[0];
    const view: View = { window: [40 / 320, 90 / 320, 310 / 320, 170 / 320], width: 270, height: 80 };
    const part = (await renderImagesFloat(field, view))[0];
    const cut = Array.from({ length: 80 }, (_, row) => {
      return [...whole.subarray(((90 + row) * 320 + 40) * 3, ((90 + row) * 320 + 310) * 3)];
    });
    // Centres agree to float64 rounding, so colours to that of float32.
    expect(largestDifference(part, cut.flat())).toBeLessThan(1e-6);
    disposeFields(field);
  });

  it('draws each field as it is drawn alone', async () => {
    const field = randomField({ fields: 3 });
    const view = fullView(30, 20);
    const together = await renderImagesFloat(field, view);
    for (let b = 0; b < 3; b++) {
      const single = selectFields(field, b);
      expect(largestDifference((await renderImagesFloat(single, view))[0], together[b])).toBeLessThan(1e-6);
      disposeFields(single);
    }
    disposeFields(field);
  });

  it('draws each field as it is drawn alone where fields share weights', async () => {
    const field = randomField({ fields: 3 });
    const { kernels, biases } = field.weights;
    const shared = {
      ...field,
      weights: { kernels: kernels.map((kernel) => tf.slice(kernel, 0, 1)), biases },
    };
    expect(fieldCount(shared)).toBe(3);
    const view = fullView(30, 20);
    const together = await renderImagesFloat(shared, view);
    expect(together).toHaveLength(3);
    for (let b = 0; b < 3; b++) {
      const single = selectFields(shared, b);
      expect(fieldCount(single)).toBe(1);
      expect(largestDifference((await renderImagesFloat(single, view))[0], together[b])).toBeLessThan(1e-6);
      disposeFields(single);
    }
    const two = selectFields(shared, 1, 2);
    expect(largestDifference((await renderImagesFloat(two, view))[1], together[2])).toBeLessThan(1e-6);
    expect(largestDifference(together[1], together[2])).toBeGreaterThan(0.01);
    for (const each of [two, shared, field]) disposeFields(each);
  });

  it('quantises to round(255·x) with x clamped to [0,1]', async () => {
    const field = randomField({ output: 'linear' });
    const view = fullView(32, 32);
    const [float] = await renderImagesFloat(field, view);
    expect(Math.min(...float)).toBeLessThan(0);
    expect(Math.max(...float)).toBeGreaterThan(1);
    const expected = Array.from(float, (x) => Math.floor(255 * Math.min(Math.max(x, 0), 1) + 0.5));
    expect([...(await renderImage(field, view))]).toEqual(expected);
    disposeFields(field);
  });

  it('leaves no tensor behind, whether it ends, is stopped early or fails', async () => {
    const field = randomField({ fields: 2 });
    const before = tf.memory().numTensors;
    await renderImages(field, fullView(70, 70), { maxPoints: 500 });
    for await (const _ of renderRows(field, fullView(70, 130))) break;
    const broken = { ...field, spec: { ...field.spec, layers: field.spec.layers.slice(1) } };
    await expect(renderImages(broken, fullView(8, 8))).rejects.toThrow(/layers|features/);
    expect(tf.memory().numTensors).toBe(before);
    disposeFields(field);
  });

  it('yields bands of whole rows, top to bottom', async () => {
    const field = randomField();
    const view = fullView(300, 150);
    const [whole] = await renderImagesFloat(field, view);
    let nextRow = 0;
    for await (const { firstRow, rowCount, images } of renderRowsFloat(field, view)) {
      expect(firstRow).toBe(nextRow);
      nextRow += rowCount;
      expect(images[0]).toEqual(whole.subarray(firstRow * 900, nextRow * 900));
    }
    expect(nextRow).toBe(150);
    disposeFields(field);
  });

  it('says that weights are not finite instead of drawing black', async () => {
    const field = randomField();
    const last = field.weights.biases.length - 1;
    const nan = tf.fill([1, 3], Number.NaN) as Tensor2D;
    const biases = field.weights.biases.map((bias, i) => (i === last ? nan : bias));
    const poisoned = { ...field, weights: { ...field.weights, biases } };
    await expect(renderImage(poisoned, fullView(4, 4))).rejects.toThrow('not finite');
    nan.dispose();
    disposeFields(field);
  });

  it('refuses views without area and several fields where one is drawn', async () => {
    const field = randomField({ fields: 2 });
    await expect(renderImages(field, { window: [0, 0, 0, 1], width: 4, height: 4 })).rejects.toThrow('window');
    await expect(renderImages(field, fullView(4, 0))).rejects.toThrow('size');
    await expect(renderImage(field, fullView(4, 4))).rejects.toThrow('one field');
    await expect(renderScanlines(field, fullView(4, 4)).next()).rejects.toThrow('one field');
    await expect(renderImages(field, fullView(4, 4), { subpixels: 2 })).rejects.toThrow('supersample');
    disposeFields(field);
  });
});
