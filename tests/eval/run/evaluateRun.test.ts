import { beforeAll, describe, expect, it } from 'vitest';
import { loadExperiment } from '../../../src/config/load.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { comparisonSheet, DIFFERENCE_GAIN } from '../../../src/eval/run/evaluateRun.ts';
import { fullView } from '../../../src/grid.ts';
import { initGenerator, makeGenerator } from '../../../src/models/generator.ts';
import { tf } from '../../../src/tf.ts';

describe('the comparison sheet', () => {
  beforeAll(() => startEngine('wasm'));

  it('shows original, reconstruction and their amplified difference around grey', async () => {
    const { model } = await loadExperiment(undefined, ['objective=fit', 'model.field={width: 4, depth: 1}']);
    const generator = makeGenerator(model, 0);
    const size = 300; // nothing is enlarged: pixels can be compared
    const pixels = Uint8Array.from({ length: 3 * size * size * 3 }, (_, i) => 100 + ((i * 7) % 60));
    const names = ['a', 'b', 'c'];
    const images = { count: 3, width: size, height: size, pixels, names, skipped: [], nativeScale: 1, digest: '' };
    const parameters = initGenerator(generator, 0, 3);
    const tensors = tf.memory().numTensors;
    const sheet = await comparisonSheet(
      { generator, parameters, training: fullView(size, size), imageNames: names },
      images,
    );
    expect(tf.memory().numTensors).toBe(tensors);
    expect([sheet.width, sheet.height]).toEqual([3 * 302 + 2, 3 * 302 + 2]);
    const at = (row: number, y: number, x: number) => sheet.pixels[((2 + row * 302 + y) * sheet.width + 2 + x) * 3];
    for (const [y, x] of [
      [0, 0],
      [17, 250],
      [299, 299],
    ]) {
      const expected = 128 + DIFFERENCE_GAIN * (at(1, y, x) - at(0, y, x));
      expect(at(2, y, x)).toBe(Math.min(255, Math.max(0, expected)));
    }
  });
});
