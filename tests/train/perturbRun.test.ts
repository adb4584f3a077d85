/** Disturbed generators against closed forms: jitter of a band-limited image, path length of a linear generator. */
import { beforeAll, describe, expect, it } from 'vitest';
import { experimentSchema } from '../../src/config/schema.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { octavePartition } from '../../src/eval/bands.ts';
import { planeSpectra } from '../../src/eval/noise.ts';
import { BandChanges } from '../../src/eval/perturb.ts';
import { predictJitter } from '../../src/eval/theory/jitter.ts';
import { fullView } from '../../src/grid.ts';
import { initGenerator, makeGenerator } from '../../src/models/generator.ts';
import { Random } from '../../src/random.ts';
import { disposeFields } from '../../src/render/drawableField.ts';
import { type Model, sampleLatents } from '../../src/render/model.ts';
import { renderImagesFloat } from '../../src/render/render.ts';
import { tf } from '../../src/tf.ts';
import { pathLength } from '../../src/train/pathLength.ts';
import { jittered } from '../../src/train/perturbRun.ts';
import { randomField } from '../render/randomField.ts';

beforeAll(async () => {
  await startEngine('auto');
});

describe('coordinate jitter of a field', () => {
  it('changes a band-limited periodic image as the closed form says, in every band', async () => {
    const random = new Random(0, 'synthetic');
    // Whole frequencies below Nyquist: the DFT of the pixels is all there is.
    const frequencies = Float64Array.from({ length: 40 }, () => random.integer(19) - 9);
    const field = randomField({
      hidden: [],
      output: 'linear',
      encoding: { kind: 'fourier', frequencies },
      trainingSize: 32,
    });
    const partition = octavePartition(32, 32);
    const [before] = await renderImagesFloat(field, field.training);
    const power = new Float64Array(32 * 32);
    for (const { re, im } of planeSpectra(before, { width: 32, height: 32, channels: 3 })) {
      for (let k = 0; k < power.length; k++) power[k] += re[k] ** 2 + im[k] ** 2;
    }
    const predicted = predictJitter(power, partition, 0.6);
    const changes = new BandChanges(partition);
    for (let draw = 0; draw < 150; draw++) {
      const [after] = await jittered(field, 0.6, new Random(draw, 'evaluation'));
      changes.add(0, before, after);
    }
    let compared = 0;
    for (const [b, band] of changes.result(new Random(0, 'evaluation')).entries()) {
      if (!(band.modes > 20) || band.kind === 'corner') continue;
      compared++;
      expect(band.relativeChange / predicted.relativeChange[b]).toBeCloseTo(1, 1);
      expect(band.transfer).toBeCloseTo(predicted.transfer[b], 1);
    }
    expect(compared).toBeGreaterThan(1);
    disposeFields(field);
  });
});

describe('path length', () => {
  it('of a generator that is linear in its latent is the mean squared change, at any place and ε', async () => {
    const { model: config } = experimentSchema.parse({
      model: {
        encoding: { kind: 'gaussian', frequencies: 4, sigma: 2 },
        field: { width: 4, depth: 1, output: 'linear' },
        conditioner: { kind: 'hypernetwork', latent: 3, mapping: [] },
      },
    });
    const generator = makeGenerator(config, 0);
    const parameters = initGenerator(generator, 0);
    // Only the output's bias depends on the latent: f = something + A·z, the same colour everywhere.
    for (const name of ['head.0.kernel', 'head.0.bias', 'head.1.kernel']) {
      const old = parameters[name];
      parameters[name] = tf.zerosLike(old);
      old.dispose();
    }
    parameters.latents = tf.tensor2d(new Random(0, 'latents').normals(30), [10, 3]);
    const model: Model = {
      generator,
      parameters,
      training: fullView(8, 8),
      imageNames: Array.from({ length: 10 }, (_, i) => `${i}`),
    };
    const partition = octavePartition(8, 8);
    const matrix = await parameters['head.1.bias'].data(); // [3,3]
    const [pairs, seed] = [20, 3];
    const ends = await sampleLatents(model, { seed, count: 2 * pairs });
    let expected = 0;
    for (let pair = 0; pair < pairs; pair++) {
      for (let channel = 0; channel < 3; channel++) {
        let change = 0;
        for (let d = 0; d < 3; d++) change += (ends[6 * pair + 3 + d] - ends[6 * pair + d]) * matrix[3 * d + channel];
        expected += change ** 2 / 3 / pairs;
      }
    }
    for (const epsilon of [0.01, 0.5]) {
      const { bands } = await pathLength(model, partition, { pairs, epsilon, seed });
      expect(bands[0].name).toBe('dc');
      expect(bands[0].pathLength / expected).toBeCloseTo(1, 3);
      expect(bands[0].low).toBeLessThan(bands[0].pathLength);
      for (const band of bands.slice(1)) expect(band.pathLength / expected).toBeLessThan(1e-6);
    }
  });
});
