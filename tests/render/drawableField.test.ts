import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { fullView } from '../../src/grid.ts';
import { withFields } from '../../src/render/drawableField.ts';
import { renderImages } from '../../src/render/render.ts';
import { type Tensor2D, tf } from '../../src/tf.ts';
import { randomField } from './randomField.ts';

describe('withFields', () => {
  beforeAll(() => startEngine('wasm'));

  it('keeps the fields until the work has ended, however long it takes, and disposes them then', async () => {
    const before = tf.memory().numTensors;
    const field = randomField();
    const drawn = await withFields(field, async ({ weights }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return weights.biases[0].data();
    });
    expect(drawn).toHaveLength(16);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('disposes them where the renderer throws, whose error it passes on', async () => {
    const before = tf.memory().numTensors;
    const nowhere = { ...fullView(8, 8), window: [0, 0, 0, 1] } as const;
    await expect(withFields(randomField(), (field) => renderImages(field, nowhere))).rejects.toThrow(
      'a view needs a window',
    );
    // Not only what is refused before anything is drawn.
    const field = randomField();
    const { kernels, biases } = field.weights;
    const unknown = tf.fill(biases[0].shape, Number.NaN) as Tensor2D;
    biases[0].dispose();
    const broken = { ...field, weights: { kernels, biases: [unknown, ...biases.slice(1)] } };
    await expect(withFields(broken, (drawn) => renderImages(drawn, fullView(300, 70)))).rejects.toThrow(
      'the field gives NaN',
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  it('disposes them where work throws before it waits for anything', async () => {
    const before = tf.memory().numTensors;
    const work = () => {
      throw new RangeError('at once');
    };
    await expect(withFields(randomField(), work)).rejects.toThrow('at once');
    expect(tf.memory().numTensors).toBe(before);
  });
});
