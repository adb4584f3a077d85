/** Dataset-level noise: which noise goes with which image. */
import { beforeAll, describe, expect, it } from 'vitest';
import { experimentSchema } from '../../../src/config/schema.ts';
import { noiseOfImage } from '../../../src/data/imageNoise.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { compareNoisyRuns } from '../../../src/eval/datasetNoise/compareRuns.ts';
import { fullView } from '../../../src/grid.ts';
import { initGenerator, makeGenerator } from '../../../src/models/generator.ts';
import { disposeFields } from '../../../src/render/drawableField.ts';
import { imageFields } from '../../../src/render/model.ts';
import { spreadIndices } from '../../../src/render/reconstructions.ts';
import { renderImagesFloat } from '../../../src/render/render.ts';
import { disposeModel, type OpenedModel } from '../../../src/run/openModel.ts';

beforeAll(async () => {
  await startEngine('auto');
});

const IMAGES = 50;

/** Fits of 50 images that are all different; the seed of their weights stands for what noise does to training. */
function modelOf(noise: number, weightSeed: number): OpenedModel {
  const experiment = experimentSchema().parse({
    objective: 'fit',
    seed: 3,
    data: { size: 8, noise },
    model: {
      encoding: { kind: 'gaussian', frequencies: 6, sigma: 2 },
      field: { width: 6, depth: 1, output: 'linear' },
      conditioner: { kind: 'direct' },
    },
  });
  const generator = makeGenerator(experiment.model, weightSeed);
  return {
    generator,
    parameters: initGenerator(generator, weightSeed, IMAGES),
    experiment,
    step: 0,
    checkpoint: '',
    training: fullView(8, 8),
    imageNames: Array.from({ length: IMAGES }, (_, i) => `${i}`),
  };
}

async function drawn(model: OpenedModel, image: number): Promise<Float32Array> {
  const field = imageFields(model, [image]);
  const [pixels] = await renderImagesFloat(field, model.training);
  disposeFields(field);
  return pixels;
}

describe('a generator trained on noisy images', () => {
  it('is compared, image by image, with the noise that this image had, some chosen among many or beyond one batch', async () => {
    const [clean, noisy] = [modelOf(0, 0), modelOf(0.2, 1)];
    for (const most of [5, 40]) {
      const chosen = spreadIndices(IMAGES, most);
      expect(chosen).not.toEqual([...Array(most).keys()]);
      // The mean of an image is its dc coefficient: C = Σ e·d / Σ e² over images and channels, without a DFT.
      let [copied, energy] = [0, 0];
      for (const image of chosen) {
        const [before, after] = [await drawn(clean, image), await drawn(noisy, image)];
        const noise = noiseOfImage(3, image, 0.2, 8 * 8 * 3);
        for (let channel = 0; channel < 3; channel++) {
          const sum = (value: (i: number) => number) =>
            Array.from({ length: 64 }, (_, p) => value(3 * p + channel)).reduce((total, one) => total + one, 0);
          const [e, d] = [sum((i) => noise[i]), sum((i) => after[i] - before[i])];
          copied += e * d;
          energy += e * e;
        }
      }
      const { measured, images, sigma } = await compareNoisyRuns(clean, noisy, most);
      expect([images, sigma]).toEqual([most, 0.2]);
      expect(measured.bands[0].name).toBe('dc');
      expect(measured.bands[0].noiseCopy / (copied / energy)).toBeCloseTo(1, 4);
    }
    disposeModel(clean);
    disposeModel(noisy);
  });
});
