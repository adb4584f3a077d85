/** The noise study: fields beside each other don't meet, theory is met where it applies, the result holds together. */
import { describe, expect, it } from 'vitest';
import { loadExperiment } from '../../src/config/load.ts';
import { startEngine } from '../../src/engine/engine.ts';
import type { BandNoiseWithIntervals } from '../../src/eval/noise.ts';
import { noisePage } from '../../src/eval/noisePage.ts';
import { noiseResult } from '../../src/eval/noiseResult.ts';
import type { StudyImage } from '../../src/eval/noiseStudyData.ts';
import { wienerReference } from '../../src/eval/noiseTheory.ts';
import { makeGenerator } from '../../src/models/generator.ts';
import { Random } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { type Optimizer, trainNoiseFits } from '../../src/train/noiseFits.ts';
import { differencePictures } from '../../src/train/noisePictures.ts';
import { noiseDraw, runNoiseStudy, stepsDrawn } from '../../src/train/noiseStudy.ts';
import { imageOfSpectrum } from '../../src/train/studyImage.ts';
import { availableEngines } from '../support/engines.ts';

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
    const steps = stepsDrawn(60);
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
    const last = result.metrics['noise_gaussian_s0.2_m3_clean_psnr_final_db'];
    const peak = result.metrics['noise_gaussian_s0.2_m3_clean_psnr_peak_db'];
    expect(peak - last).toBeCloseTo(result.metrics['noise_gaussian_s0.2_m3_clean_psnr_drop_db'], 10);
    expect(result.metrics.noise_basic_impulse_n2_peak).toBeTypeOf('number');
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

  it('uses the same draws of white noise at every level', () => {
    const [a, again, other] = [noiseDraw(1, 0, 4000), noiseDraw(1, 0, 4000), noiseDraw(1, 1, 4000)];
    expect(a).toEqual(again);
    const correlation = a.reduce((sum, value, i) => sum + value * other[i], 0) / 4000;
    expect(Math.abs(correlation)).toBeLessThan(0.06);
    expect(a.reduce((sum, value) => sum + value ** 2, 0) / 4000).toBeCloseTo(1, 1);
  });

  it('knows the error of the oracle Wiener filter by trying it', () => {
    const clean = { ...image(12), values: Float32Array.from({ length: 432 }, (_, i) => Math.sin(i / 40)) };
    const { psnrDb, isotropicPsnrDb, bands, crossingCyclesPerPixel } = wienerReference(clean, 0.2);
    expect(psnrDb).toBeGreaterThan(isotropicPsnrDb);
    // Doing nothing has the noise's own PSNR.
    expect(isotropicPsnrDb).toBeGreaterThan(-20 * Math.log10(0.2));
    expect(bands.every(({ gain, copy }) => gain >= copy ** 2 - 1e-12)).toBe(true);
    expect(crossingCyclesPerPixel).toBeGreaterThan(0);
  });

  it('draws the first and the last step and evenly between them', () => {
    expect(stepsDrawn(1)).toEqual([0, 1]);
    const steps = stepsDrawn(1000);
    expect(steps[0]).toBe(0);
    expect(steps.at(-1)).toBe(1000);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
  });
});
