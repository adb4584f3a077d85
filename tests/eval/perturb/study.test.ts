/** Disturbed generators against closed forms: jitter of a band-limited image, path length of a linear generator. */
import { beforeAll, describe, expect, it } from 'vitest';
import { experimentSchema } from '../../../src/config/schema.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { BandChanges } from '../../../src/eval/perturb/changes.ts';
import { predictJitter } from '../../../src/eval/perturb/jitter.ts';
import { pathLength } from '../../../src/eval/perturb/pathLength.ts';
import { drawJittered } from '../../../src/eval/perturb/perturbations.ts';
import { DEFAULT_PERTURBATIONS, perturbRun } from '../../../src/eval/perturb/study.ts';
import { isLarger, perturbationsResult } from '../../../src/eval/perturb/studyData.ts';
import { fullView } from '../../../src/grid.ts';
import { planeSpectra } from '../../../src/metrics/noiseResponse.ts';
import { octavePartition } from '../../../src/metrics/signal/bands.ts';
import { initGenerator, makeGenerator } from '../../../src/models/generator.ts';
import { Random } from '../../../src/random.ts';
import { disposeFields } from '../../../src/render/drawableField.ts';
import { type Model, sampleLatents } from '../../../src/render/model.ts';
import { renderImagesFloat } from '../../../src/render/render.ts';
import { disposeModel, type OpenedModel } from '../../../src/run/openModel.ts';
import { tf } from '../../../src/tf.ts';
import { randomField } from '../../render/randomField.ts';

beforeAll(async () => {
  await startEngine('auto');
});

describe('coordinate jitter of a field', () => {
  it.each([
    { width: 32, height: 32 },
    { width: 48, height: 16 },
  ])('changes a band-limited periodic image as the closed form says, in every band, $width×$height', async (shape) => {
    const { width, height } = shape;
    const random = new Random(0, 'synthetic');
    // Whole frequencies below Nyquist: the DFT of the pixels is all there is.
    const frequencies = Float64Array.from({ length: 40 }, () => random.integer(15) - 7);
    const field = {
      ...randomField({ hidden: [], output: 'linear', given: frequencies }),
      training: fullView(width, height),
    };
    const partition = octavePartition(width, height);
    const [before] = await renderImagesFloat(field, field.training);
    const power = new Float64Array(width * height);
    const spectra = (image: Float32Array) => planeSpectra(image, { ...shape, channels: 3 });
    for (const { re, im } of spectra(before)) {
      for (let k = 0; k < power.length; k++) power[k] += re[k] ** 2 + im[k] ** 2;
    }
    const predicted = predictJitter(power, partition, 0.6);
    const changes = new BandChanges(width, height);
    for (let draw = 0; draw < 150; draw++) {
      const after = await drawJittered(field, 0.6, new Random(draw, 'disturbances'));
      changes.add(0, spectra(before), spectra(after));
    }
    let compared = 0;
    for (const [b, band] of changes.result().bands.entries()) {
      if (!(band.modes > 20) || band.kind === 'corner') continue;
      compared++;
      expect(band.relativeChange / predicted.relativeChange[b]).toBeCloseTo(1, 1);
      expect(band.transfer).toBeCloseTo(predicted.transfer[b], 1);
    }
    expect(compared).toBeGreaterThan(0);
    disposeFields(field);
  });
});

describe('disturbances of a run', () => {
  /** A fit of some images that are all the same. */
  function fitOf(images: number): OpenedModel {
    const experiment = experimentSchema().parse({
      objective: 'fit',
      data: { size: 16 },
      model: {
        encoding: { kind: 'gaussian', frequencies: 6, sigma: 2 },
        field: { width: 6, depth: 1, output: 'linear' },
        conditioner: { kind: 'direct' },
      },
    });
    const generator = makeGenerator(experiment.model, 0);
    const one = initGenerator(generator, 0);
    const parameters = Object.fromEntries(
      Object.entries(one).map(([name, tensor]) => {
        const repeats = [images, ...tensor.shape.slice(1).map(() => 1)];
        const tiled = tf.tile(tensor, repeats);
        tensor.dispose();
        return [name, tiled];
      }),
    );
    return {
      generator,
      parameters,
      experiment,
      step: 0,
      checkpoint: '',
      training: fullView(16, 16),
      imageNames: Array.from({ length: images }, (_, i) => `${i}`),
    };
  }
  const options = { ...DEFAULT_PERTURBATIONS, repeats: 1, seed: 0 };

  it('are independent for each image, of every kind, so that intervals do not shrink to nothing', async () => {
    const model = fitOf(6);
    const study = await perturbRun(model, { ...options, images: 6 });
    const kinds = study.perturbations.map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(
      new Set(['weights', 'weights-layer', 'weights-layer-0', 'weights-layer-1', 'jitter', 'frequencies']),
    );
    for (const { kind, bands } of study.perturbations) {
      // The images are the same; only their disturbances differ.
      for (const { modes, relativeChangeLow, relativeChangeHigh } of bands) {
        if (modes > 8) expect(relativeChangeHigh / relativeChangeLow, kind).toBeGreaterThan(1.01);
      }
    }
    const { bands = [], rings = [], intervals, metrics } = perturbationsResult(study);
    expect(Object.keys(intervals!)).toEqual(Object.keys(metrics));
    for (const entry of [...bands, ...rings]) {
      expect(entry.modes).toBeGreaterThan(0);
      expect(entry.toCyclesPerPixel).toBeGreaterThanOrEqual(entry.fromCyclesPerPixel);
    }
    disposeModel(model);
  });

  it('have no change, measured or predicted, in bands that hold nothing but rounding, and none in metrics', async () => {
    const model = fitOf(2);
    const { 'field.1.kernel': kernel, 'field.1.bias': bias } = model.parameters;
    // Grey, and detail as faint as 32-bit floats resolve.
    model.parameters['field.1.kernel'] = tf.mul(kernel, 1e-7);
    model.parameters['field.1.bias'] = tf.fill(bias.shape, 0.5);
    tf.dispose([kernel, bias]);
    const study = await perturbRun(model, { ...options, images: 2 });
    const jitter = study.perturbations.find(({ kind }) => kind === 'jitter')!;
    for (const { name, relativeChange, predictedRelativeChange, predictedTransfer } of jitter.bands) {
      for (const value of [relativeChange, predictedRelativeChange, predictedTransfer])
        expect(Number.isNaN(value), name).toBe(name !== 'dc');
    }
    const { metrics, notes } = perturbationsResult(study);
    expect(Object.keys(metrics).every((name) => name.endsWith('_change_dc'))).toBe(true);
    expect(notes).toHaveLength(1);
    disposeModel(model);
  });

  it('are more than others where the checkpoint is the same and there are more of them', () => {
    const study = { step: 7, images: 8, repeats: 3, seed: 0 };
    expect(isLarger(study, 7, 23)).toBe(true);
    expect(isLarger(study, 7, 24)).toBe(false);
    expect(isLarger(study, 8, 1)).toBe(false);
    expect(isLarger(undefined, 7, 1)).toBe(false);
  });

  it('of one image do not depend on which others are disturbed, and have intervals over repeats', async () => {
    const [one, several] = [fitOf(1), fitOf(3)];
    const alone = await perturbRun(one, { ...options, images: 1, repeats: 4 });
    const again = await perturbRun(several, { ...options, images: 1, repeats: 4 });
    expect(again.perturbations).toEqual(alone.perturbations);
    const { intervals, metrics } = perturbationsResult(alone);
    expect(Object.keys(intervals!)).toEqual(Object.keys(metrics));
    disposeModel(one);
    disposeModel(several);
  });
});

describe('path length', () => {
  it('of a generator that is linear in its latent is the mean squared change, at any place and ε', async () => {
    const { model: config } = experimentSchema().parse({
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
    const table = tf.tensor2d(new Random(0, 'latents').normals(30), [10, 3]);
    const model: Model = {
      generator,
      parameters,
      latents: { size: 3, of: (images) => tf.gather(table, images) },
      training: fullView(8, 8),
      imageNames: Array.from({ length: 10 }, (_, i) => `${i}`),
    };
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
      const { bands, rings } = await pathLength(model, { pairs, epsilon, seed });
      expect(rings[0].pathLength).toBeCloseTo(bands[0].pathLength, 12);
      expect(bands[0].name).toBe('dc');
      expect(bands[0].pathLength / expected).toBeCloseTo(1, 3);
      expect(bands[0].pathLengthLow).toBeLessThan(bands[0].pathLength);
      for (const band of bands.slice(1)) expect(band.pathLength / expected).toBeLessThan(1e-6);
    }
  });
});
