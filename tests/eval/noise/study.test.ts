/** The noise study: fields beside each other don't meet, theory is met where it applies, the result holds together. */
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { loadExperiment } from '../../../src/config/load.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { wienerBaseline } from '../../../src/eval/noise/baselines.ts';
import { type Optimizer, trainNoiseFits } from '../../../src/eval/noise/fits.ts';
import { noisePage } from '../../../src/eval/noise/page.ts';
import { noiseResult } from '../../../src/eval/noise/result.ts';
import { noiseOfDraw, runNoiseStudy, stepsToDraw } from '../../../src/eval/noise/study.ts';
import { imageOfFile, imageOfSpectrum, type StudyImage } from '../../../src/eval/noise/studyImage.ts';
import { differencePictures } from '../../../src/eval/noise/writeStudy.ts';
import type { BandNoiseWithIntervals } from '../../../src/metrics/noiseResponse.ts';
import { FLOAT32_ROUNDING_POWER, ROUNDING_POWER } from '../../../src/metrics/signal/imageStack.ts';
import { makeGenerator } from '../../../src/models/generator.ts';
import { Random } from '../../../src/random.ts';
import { tf } from '../../../src/tf.ts';
import { availableEngines } from '../../support/engines.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

const settings = [
  'objective=fit',
  'data.size=12',
  'model.field.output=linear',
  'model.field.width=24',
  'model.field.depth=1',
  'model.encoding.frequencies=8',
  'model.encoding.sigma=2',
  'train.points=144',
];
const image = (size: number): StudyImage => ({
  name: 'random',
  width: size,
  height: size,
  values: new Random(0, 'synthetic').uniforms(size * size * 3, 0, 1),
  rounding: 0,
});

async function lastFits(
  targets: Float32Array[],
  optimizer: Optimizer,
  overrides: string[] = [],
): Promise<Float32Array[]> {
  const experiment = await loadExperiment(undefined, [...settings, 'train.steps=12', ...overrides]);
  const generator = makeGenerator(experiment.model, 0);
  let last: Float32Array[] = [];
  await trainNoiseFits({
    experiment,
    generator,
    optimizer,
    width: 12,
    height: 12,
    targets,
    drawAt: [12],
    onDrawn: (_, fits) => {
      last = fits;
    },
  });
  return last;
}

describe.each(availableEngines)('fits in one batch on %s', (engine) => {
  it('take the same path alone as beside others, with either optimiser and with batches of pixels', async () => {
    await startEngine(engine);
    const { values } = image(12);
    const other = values.map((value) => 1 - value);
    for (const [optimizer, overrides] of [
      ['adam', []],
      ['gd', []],
      ['adam', ['train.points=40']],
    ] as const) {
      const before = tf.memory().numTensors;
      const [alone] = await lastFits([values], optimizer, [...overrides]);
      const [beside, same, different] = await lastFits([values, values, other], optimizer, [...overrides]);
      expect(tf.memory().numTensors).toBe(before);
      expect(beside).toEqual(same);
      for (let i = 0; i < alone.length; i++) expect(beside[i]).toBeCloseTo(alone[i], 4);
      expect(different.some((value, i) => Math.abs(value - beside[i]) > 1e-3)).toBe(true);
    }
  });
});

describe('the noise study', () => {
  it('finds what the kernel of the untrained field predicts, where training is plain gradient descent', async () => {
    await startEngine('auto');
    const experiment = await loadExperiment(undefined, [
      ...settings,
      'model.field.width=2048',
      'train.steps=60',
      'train.learningRate=0.002',
      'train.schedule.kind=constant',
    ]);
    const data = await runNoiseStudy({
      image: imageOfSpectrum(experiment, 2),
      experiment,
      encodings: [experiment.model.encoding],
      sigmas: [0.1],
      draws: 16,
      optimizer: 'gd',
      impulses: 0,
      impulseAmplitude: 1,
    });
    const [{ kernel, levels }] = data.studies;
    expect(kernel).toMatchObject({ exact: true, width: 12, height: 12 });
    const steps = stepsToDraw(60);
    let learned = 0;
    const half = (band: BandNoiseWithIntervals, name: 'noiseCopy' | 'noiseGain') =>
      (band[`${name}High`] - band[`${name}Low`]) / 2;
    for (const [i, step] of steps.entries()) {
      const { bands } = levels[0].trajectory[i];
      expect(levels[0].trajectory[i].step).toBe(step);
      for (const [b, band] of bands.entries()) {
        const predicted = kernel.atSteps![i][b];
        learned = Math.max(learned, predicted.gain);
        expect(Math.abs(band.transfer - predicted.transfer)).toBeLessThan(0.06);
        if (band.modes < 8) continue; // too few for a mean
        // The field is not infinitely wide, and there are 16 draws.
        expect(Math.abs(band.noiseCopy - predicted.copy)).toBeLessThan(0.02 + half(band, 'noiseCopy'));
        expect(Math.abs(band.noiseGain - predicted.gain)).toBeLessThan(0.02 + half(band, 'noiseGain'));
      }
    }
    expect(learned).toBeGreaterThan(0.5);
  });

  it('gives metrics, bands and rings of every encoding and level, and a page that shows them', async () => {
    await startEngine('auto');
    const experiment = await loadExperiment(undefined, [
      ...settings,
      'data.size=16x12',
      'train.steps=20',
      'train.points=64',
    ]);
    const data = await runNoiseStudy({
      image: { ...image(16), height: 12, values: image(16).values.slice(0, 16 * 12 * 3), name: '<b>"image"' },
      experiment,
      encodings: [{ kind: 'basic' }, experiment.model.encoding],
      sigmas: [0.05, 0.2],
      draws: 3,
      optimizer: 'adam',
      impulses: 2,
      impulseAmplitude: 0.5,
    });
    const result = noiseResult(data);
    const bandCount = data.wiener[0].bands.length;
    expect(result.bands).toHaveLength(2 * 2 * bandCount);
    expect(result.bands![0]).toMatchObject({ encoding: 'basic', sigma: 0.05, kind: 'dc', modes: 1 });
    expect(result.rings!.every((ring) => Number(ring.noiseGain) >= Number(ring.noiseCopy) ** 2 - 1e-9)).toBe(true);
    // Everything that random draws move has an interval, around it.
    for (const [name, [low, high]] of Object.entries(result.intervals!)) {
      expect(low <= result.metrics[name] && result.metrics[name] <= high, name).toBe(true);
    }
    const without = Object.keys(result.metrics).filter((name) => !(name in result.intervals!));
    expect(without.filter((name) => !/wiener|crossing|_s0_|peak_step/.test(name))).toEqual([]);
    const clean = (what: string) => result.metrics[`noise_gaussian_s0.2_16x12px_adam20_m3_clean_psnr_${what}_db`];
    expect(clean('peak') - clean('final')).toBeCloseTo(clean('drop'), 10);
    expect(result.metrics['noise_basic_16x12px_adam20_impulse_a0.5_n2_peak']).toBeTypeOf('number');
    expect(result.metrics['noise_s0.2_16x12px_wiener_psnr_db']).toBeGreaterThan(0);
    expect(result.protocol).toContain(
      '1 × 24 relu units, linear output, encodings basic, gaussian frequencies 8 sigma 2; learning rate',
    );
    expect(result.protocol).toContain('seed 0');
    // bias² and variance of all bands are the MSE against the clean image, on average.
    const parts = data.studies[1].levels[1].trajectory.at(-1)!;
    const mse = parts.bands.reduce((sum, band) => sum + band.biasSquaredMse + band.varianceMse, 0);
    expect(-10 * Math.log10(mse)).toBeCloseTo(parts.psnrCleanDb, 0);

    const page = noisePage(data, await differencePictures(data), 'npm run evaluate -- noise');
    expect(page).toContain('&lt;b&gt;&quot;image&quot;');
    expect(page).not.toContain('NaN');
    expect(page.match(/<svg/g)!.length).toBeGreaterThan(6);
    expect(page).not.toMatch(/(src|href)="http/);
  });

  it('compares every fit with the noisy image it was trained on', async () => {
    await startEngine('auto');
    const frozen = ['train.steps=1', 'train.learningRate=1e-12'];
    const experiment = await loadExperiment(undefined, [...settings, ...frozen]);
    const { values } = image(12);
    const { studies } = await runNoiseStudy({
      image: image(12),
      experiment,
      encodings: [experiment.model.encoding],
      sigmas: [0.1, 0.5],
      draws: 3,
      optimizer: 'gd',
      impulses: 0,
      impulseAmplitude: 1,
    });
    const [{ levels, lastCleanFit }] = studies;
    // Nothing moves: all fits are the untrained field, and their targets alone differ.
    for (const { sigma, trajectory } of levels) {
      const expected = [0, 1, 2].map((draw) => {
        const noise = noiseOfDraw(experiment.seed, draw, values.length);
        const squares = lastCleanFit.map((fit, i) => (fit - values[i] - sigma * noise[i]) ** 2);
        return -10 * Math.log10(squares.reduce((sum, square) => sum + square, 0) / squares.length);
      });
      trajectory.at(-1)!.psnrNoisyDbOfDraws.forEach((psnr, draw) => {
        expect(psnr).toBeCloseTo(expected[draw], 3);
      });
      expect(Math.abs(expected[1] - expected[0])).toBeGreaterThan(0.01);
    }
  });

  it('has no transfer where an image holds nothing but rounding, and says so', async () => {
    await startEngine('auto');
    const experiment = await loadExperiment(undefined, [...settings, 'data.size=16', 'train.steps=2']);
    // One slow wave: what lies above 4 cycles per image is the rounding to 8 bits.
    const wave = (i: number) => Math.round(127 + 100 * Math.cos((2 * Math.PI * (Math.floor(i / 3) % 16)) / 16));
    const data = await runNoiseStudy({
      image: {
        ...image(16),
        values: Float32Array.from({ length: 768 }, (_, i) => wave(i) / 255),
        rounding: ROUNDING_POWER,
      },
      experiment,
      encodings: [experiment.model.encoding],
      sigmas: [0.1],
      draws: 2,
      optimizer: 'gd',
      impulses: 0,
      impulseAmplitude: 1,
    });
    const { metrics, bands = [], rings = [], notes = [], wiener, kernels } = noiseResult(data);
    const known = (band: object) => 'transfer' in band && Number.isFinite(band.transfer);
    expect(bands.filter(known).map(({ name }) => name)).toEqual(['dc', '1-2']);
    expect(rings.filter(known).map(({ name }) => name)).toEqual(['dc', '1-2']);
    expect(wiener[0].bands.filter(known).map(({ name }) => name)).toEqual(['dc', '1-2']);
    expect(kernels[0].bands.map(({ flow }) => known(flow[9]))).toEqual([true, true, false, false, false]);
    expect(Object.keys(metrics).filter((name) => name.includes('_transfer_'))).toHaveLength(2);
    expect(metrics['noise_gaussian_s0.1_16px_gd2_m2_noise_gain_4-8']).toBeTypeOf('number');
    expect(notes).toEqual([expect.stringMatching(/^transfer is left out of 2-4, 4-8, corner: .*rounding/)]);
    const page = noisePage(data, await differencePictures(data), '');
    expect(page).toContain('No T in 2-4, 4-8, corner');
    expect(page).not.toContain('NaN');
  });

  it('knows how its image was rounded: a file to 8 bits, a random field to floats', async () => {
    const experiment = await loadExperiment(undefined, settings);
    const path = join(await temporaryFolder(), 'grey.png');
    await sharp({ create: { width: 12, height: 12, channels: 3, background: '#808080' } }).toFile(path);
    expect((await imageOfFile(path, experiment)).rounding).toBe(ROUNDING_POWER);
    expect(imageOfSpectrum(experiment, 2).rounding).toBe(FLOAT32_ROUNDING_POWER);
  });

  it('uses the same draws of white noise at every level', () => {
    const [a, again, other] = [noiseOfDraw(1, 0, 4000), noiseOfDraw(1, 0, 4000), noiseOfDraw(1, 1, 4000)];
    expect(a).toEqual(again);
    const correlation = a.reduce((sum, value, i) => sum + value * other[i], 0) / 4000;
    expect(Math.abs(correlation)).toBeLessThan(0.06);
    expect(a.reduce((sum, value) => sum + value ** 2, 0) / 4000).toBeCloseTo(1, 1);
  });

  it('knows the error of the oracle Wiener filter by trying it', () => {
    const clean = { ...image(12), values: Float32Array.from({ length: 432 }, (_, i) => Math.sin(i / 40)) };
    const { psnrDb, isotropicPsnrDb, bands, crossingCyclesPerPixel } = wienerBaseline(clean, 0.2);
    expect(psnrDb).toBeGreaterThan(isotropicPsnrDb);
    // Doing nothing has the noise's own PSNR.
    expect(isotropicPsnrDb).toBeGreaterThan(-20 * Math.log10(0.2));
    expect(bands.every(({ gain, copy }) => gain >= copy ** 2 - 1e-12)).toBe(true);
    expect(crossingCyclesPerPixel).toBeGreaterThan(0);
  });

  it('draws the first and the last step and evenly between them', () => {
    expect(stepsToDraw(1)).toEqual([0, 1]);
    const steps = stepsToDraw(1000);
    expect(steps[0]).toBe(0);
    expect(steps.at(-1)).toBe(1000);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
  });
});
