import { beforeAll, describe, expect, it } from 'vitest';
import { experimentSchema } from '../../src/config/schema.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { drawSamples } from '../../src/eval/run/evaluateSamples.ts';
import { boxReduce, evaluateScaleConsistency } from '../../src/eval/run/scaleConsistency.ts';
import { fullView } from '../../src/grid.ts';
import { evaluateImageSets } from '../../src/metrics/imageSets.ts';
import { PairedImages, psnrMetricName } from '../../src/metrics/pairedImages.ts';
import { PairedSpectrum } from '../../src/metrics/pairedSpectrum.ts';
import { psnrOfMse } from '../../src/metrics/psnr.ts';
import { metricNames } from '../../src/metrics/registry.ts';
import { octavePartition, ringPartition } from '../../src/metrics/signal/bands.ts';
import { firstChannel, isGrey, selectImages, withFewestChannels } from '../../src/metrics/signal/imageStack.ts';
import { initGenerator, makeGenerator } from '../../src/models/generator.ts';
import { Random } from '../../src/random.ts';
import type { Model } from '../../src/render/model.ts';
import { tf } from '../../src/tf.ts';

const bytes = (count: number, width: number, height: number, step: number, channels = 3) => ({
  count,
  width,
  height,
  channels,
  pixels: Uint8Array.from(new Random(12, 'synthetic', step).normals(count * width * height * channels, 30), (value) =>
    Math.max(0, Math.min(255, 128 + value)),
  ),
});

describe('evaluateImageSets', () => {
  it('names every number with its protocol, and finds two draws of one distribution as far apart as halves', () => {
    const { result, notes } = evaluateImageSets(bytes(20, 24, 20, 0), bytes(30, 24, 20, 1), { prefix: 's_' });
    expect(notes).toEqual(['fwd is not debiased and has no interval: its 90 numbers a packet need 180 images a side']);
    const { metrics, intervals, bands, rings, protocol } = result;
    expect(Object.keys(metrics)).toEqual(
      expect.arrayContaining([
        's_images_generated',
        's_lsd_r10_n20_db',
        's_lsd_floor_r10_n15_db',
        's_lsd_debiased_r10_n20_db',
        's_delta_5-10_n20_db',
        's_slope_generated_n20',
        's_slope_reference_n30',
        's_fwd_haar2_c3_n20',
        's_fwd_floor_haar2_c3_n15',
        's_swd_20_c3_n20',
        's_swd_mean_c3_n20',
        's_swd_debiased_20_c3_n20',
        's_swd_debiased_mean_c3_n20',
        's_swd_floor_20_c3_n15',
        's_swd_floor_mean_c3_n15',
        's_kid_random256_n20',
        's_density_k5_random256_n20',
        's_coverage_k5_random256_n20',
        's_coverage_expected_k5_random256_n20',
        's_ms_ssim_generated_s1_pairs10',
        's_ms_ssim_reference_s1_pairs15',
      ]),
    );
    for (const value of Object.values(metrics)) expect(Number.isFinite(value)).toBe(true);
    for (const name of Object.keys(intervals!)) expect(metrics).toHaveProperty([name]);
    expect(metrics.s_lsd_r10_n20_db / metrics.s_lsd_floor_r10_n15_db).toBeLessThan(2);
    expect(metrics.s_fwd_haar2_c3_n20 / metrics.s_fwd_floor_haar2_c3_n15).toBeLessThan(1.5);
    expect(metrics.s_swd_mean_c3_n20 / metrics.s_swd_floor_mean_c3_n15).toBeLessThan(1.5);
    expect(intervals!.s_lsd_debiased_r10_n20_db[0]).toBe(0);
    expect(intervals!.s_swd_debiased_mean_c3_n20[0]).toBe(0);
    expect(intervals!.s_swd_debiased_20_c3_n20[1]).toBeGreaterThan(metrics.s_swd_20_c3_n20);
    // Of the sets as they are there is no interval: it is of what sampling leaves out.
    expect(Object.keys(intervals!).join()).not.toMatch(/s_(lsd_r|fwd_haar|swd_mean|swd_20)/);
    expect(metrics.s_lsd_debiased_r10_n20_db).toBeLessThan(metrics.s_lsd_r10_n20_db);
    expect(metrics.s_swd_debiased_mean_c3_n20).toBeLessThan(0.6 * metrics.s_swd_mean_c3_n20);
    expect(bands?.at(-1)).toMatchObject({ name: 'corner', deltaDb: expect.any(Number), modes: expect.any(Number) });
    expect(rings).toHaveLength(11);
    expect(protocol).toContain('20 generated against 30 reference images of 24x20x3');
  });

  it('tells other contrast from chance in every distance but SWD, which standardises', () => {
    const [reference, other] = [bytes(150, 16, 16, 2, 1), bytes(150, 16, 16, 3, 1)];
    const flatter = { ...other, pixels: other.pixels.map((value) => 128 + (value - 128) / 2) };
    const { metrics, intervals } = evaluateImageSets(flatter, reference).result;
    expect(metrics.lsd_r7_n150_db).toBeGreaterThan(5.5);
    expect(metrics.lsd_r7_n150_db).toBeLessThan(6.5);
    expect(metrics.fwd_haar2_c1_n150 / metrics.fwd_floor_haar2_c1_n75).toBeGreaterThan(1.5);
    expect(intervals!.fwd_debiased_haar2_c1_n150[0]).toBeGreaterThan(0);
    expect(intervals!.kid_random256_n150[0]).toBeGreaterThan(0);
    expect(metrics.swd_mean_c1_n150 / metrics.swd_floor_mean_c1_n75).toBeLessThan(1.5);
  });

  it('depends on nothing but the images and the seed', () => {
    const sets = [bytes(8, 12, 12, 4), bytes(9, 12, 12, 5)] as const;
    const [first, again, other] = [0, 0, 1].map(
      (seed) => evaluateImageSets(...sets, { seed, metrics: ['spectrum', 'coverage', 'diversity'] }).result,
    );
    expect(again).toEqual(first);
    expect(other.intervals).not.toEqual(first.intervals);
    expect(other.metrics.lsd_r5_n8_db).toBe(first.metrics.lsd_r5_n8_db);
  });

  it('leaves out what does not fit tiny images or sets, and says so', () => {
    const { result, notes } = evaluateImageSets(bytes(2, 5, 6, 6), bytes(2, 5, 6, 7));
    expect(notes).toHaveLength(7);
    expect(notes.join()).toMatch(
      /spectra have no intervals.*slope_generated.*slope_reference.*fwd is not debiased and has no interval.*swd.*patches.*coverage.*more than 5 reference images, there are 2.*diversity.*11/s,
    );
    expect(Object.keys(result.metrics).join()).not.toContain('slope');
    expect(Object.keys(result.metrics).join()).toMatch(/lsd_r3_n2_db.*fwd_haar1_c3_n2.*kid/);
  });

  it('leaves FWD out where it has no packets, and where it would take minutes', () => {
    const set = (width: number, height: number) => {
      const pixels = Uint8Array.from({ length: 3 * width * height * 3 }, (_, i) => (i * 37) % 256);
      return { count: 3, width, height, pixels };
    };
    for (const [width, height] of [
      [64, 1],
      [1000, 1000],
    ]) {
      const { result, notes } = evaluateImageSets(set(width, height), set(width, height), { metrics: ['fwd'] });
      expect(notes.join()).toContain('fwd');
      expect(Object.keys(result.metrics).join()).not.toContain('fwd');
    }
  });

  it('measures only what is asked for, on grey images too', () => {
    const asked: string[] = [];
    const { result } = evaluateImageSets(bytes(6, 16, 16, 8, 1), bytes(6, 16, 16, 9, 1), {
      metrics: ['fwd'],
      onMetric: (metric) => asked.push(metric),
    });
    expect(asked).toEqual(['fwd']);
    expect(Object.keys(result.metrics)).toEqual([
      'images_generated',
      'images_reference',
      'fwd_haar2_c1_n6',
      'fwd_floor_haar2_c1_n3',
    ]);
    expect(metricNames()).toContain('fwd');
  });

  it('finds a set at distance 0 from itself, and its floors above', () => {
    const set = bytes(24, 16, 16, 10);
    const { metrics } = evaluateImageSets(set, set, { metrics: ['spectrum', 'fwd', 'swd'] }).result;
    expect(metrics).toMatchObject({ lsd_r7_n24_db: 0, swd_16_c3_n24: 0, swd_mean_c3_n24: 0 });
    expect(metrics.fwd_haar2_c3_n24).toBeLessThan(1e-9);
    for (const floor of ['lsd_floor_r7_n12_db', 'fwd_floor_haar2_c3_n12', 'swd_floor_mean_c3_n12']) {
      expect(metrics[floor]).toBeGreaterThan(0.01);
    }
  });

  it('takes images in random order for an interval: folders are often sorted', () => {
    // The first half has more contrast than the second: folds in that order would be far apart.
    const [reference, other] = [bytes(160, 16, 16, 14, 1), bytes(160, 16, 16, 15, 1)];
    const sorted = {
      ...other,
      pixels: other.pixels.map((value, at) => (at < 80 * 256 ? value : Math.round(128 + (value - 128) / 3))),
    };
    const mixed = selectImages(sorted, new Random(3, 'synthetic').sample(160, 160));
    const widths = [sorted, mixed].map((generated) => {
      const { intervals } = evaluateImageSets(generated, reference, { metrics: ['fwd'] }).result;
      const [low, high] = intervals!.fwd_debiased_haar2_c1_n160;
      return high - low;
    });
    expect(widths[0] / widths[1]).toBeLessThan(1.6);
    // Nor does the reference's order make its floor.
    const floors = [sorted, mixed].map(
      (set) => evaluateImageSets(other, set, { metrics: ['fwd'] }).result.metrics.fwd_floor_haar2_c1_n80,
    );
    expect(Math.abs(floors[0] / floors[1] - 1)).toBeLessThan(0.15);
  });

  it('leaves spectra out where the window does not fit, and says why', () => {
    const set = (width: number, height: number, step: number) => bytes(20, width, height, step);
    for (const [width, height] of [
      [32, 1],
      [1, 32],
    ]) {
      const { result, notes } = evaluateImageSets(set(width, height, 1), set(width, height, 2), {
        metrics: ['spectrum'],
      });
      expect(notes).toEqual(['spectrum is left out: its window needs images of at least 2 pixels along both axes']);
      expect(Object.keys(result.metrics)).toEqual(['images_generated', 'images_reference']);
    }
  });

  it('says of how few splits a floor is, and gives no interval that has no ends', () => {
    const { result, notes } = evaluateImageSets(bytes(3, 16, 16, 1), bytes(6, 16, 16, 2));
    expect(notes).toContain("fwd's floor is of 4 splits, not of 8");
    expect(notes).toContain("swd's floor is of 4 splits, not of 8");
    expect(Object.values(result.intervals!).flat().some(Number.isNaN)).toBe(false);
    expect(Object.keys(result.intervals!).join()).not.toMatch(/lsd|delta|slope|fwd|swd|ms_ssim_generated/);
  });

  it('cuts the halves of a floor at the same places: those of copies are at distance 0', () => {
    const one = bytes(1, 24, 24, 3);
    const copies = selectImages(one, new Int32Array(20));
    const { metrics } = evaluateImageSets(bytes(20, 24, 24, 4), copies, { metrics: ['swd'] }).result;
    expect(metrics).toMatchObject({ swd_floor_24_c3_n10: 0, swd_floor_mean_c3_n10: 0 });
    expect(metrics.swd_mean_c3_n20).toBeGreaterThan(1);
  });

  it('has no number for what constant images do not have: spectra above rounding', () => {
    const plain = { ...bytes(8, 16, 16, 11), pixels: new Uint8Array(8 * 768).fill(77) };
    const floats = { ...plain, pixels: new Float32Array(8 * 768).fill(0.3) };
    for (const set of [plain, floats]) {
      const { result, notes } = evaluateImageSets(set, set, { metrics: ['spectrum', 'coverage'] });
      expect(Object.keys(result.metrics).join()).not.toMatch(/slope|lsd/);
      expect(notes.join()).toMatch(/lsd is left out.*slope_generated is left out.*slope_reference is left out/s);
      expect(notes.join()).toContain('8 of 8 reference images have 5 copies or more');
      expect(result.metrics).toMatchObject({ coverage_k5_random256_n8: 1 });
      expect(result.bands?.every(({ deltaDb }) => Number.isNaN(deltaDb))).toBe(true);
    }
    const one = evaluateImageSets(bytes(8, 16, 16, 12), plain, { metrics: ['spectrum'] });
    expect(one.notes).toHaveLength(2);
    expect(one.result.metrics).toHaveProperty('slope_generated_n8');
    expect(one.result.metrics.lsd_r7_n8_db).toBeGreaterThan(20);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses a pixel that is %d, whatever is measured', (value) => {
    const good = { ...bytes(8, 16, 16, 13), pixels: new Float32Array(8 * 768).map((_, at) => (at % 97) / 97) };
    const bad = { ...good, pixels: good.pixels.slice() };
    bad.pixels[4 * 768 + 5] = value;
    for (const metric of metricNames()) {
      expect(() => evaluateImageSets(bad, good, { metrics: [metric] })).toThrow(/image \d: values are not all finite/);
      expect(() => evaluateImageSets(good, bad, { metrics: [metric] })).toThrow(/image \d: values are not all finite/);
    }
  });

  it('refuses other sizes, other channels, single images and missing values', () => {
    const a = bytes(3, 8, 8, 0);
    expect(() => evaluateImageSets(a, bytes(3, 8, 9, 0))).toThrow('8x8x3 against images of 8x9x3');
    expect(() => evaluateImageSets(a, bytes(3, 8, 8, 0, 1))).toThrow('8x8x3 against images of 8x8x1');
    expect(() => evaluateImageSets(bytes(1, 8, 8, 0), a)).toThrow('at least 2 images');
    expect(() => evaluateImageSets({ ...a, count: 4 }, a)).toThrow(
      '4 generated images of 8x8x3 are 768 values, got 576',
    );
  });
});

describe('image stacks', () => {
  it('are compared on one channel where both are grey, else as RGB, which is said', () => {
    const colour = bytes(3, 4, 4, 1);
    const grey = { ...colour, pixels: colour.pixels.map((_, at) => colour.pixels[at - (at % 3)]) };
    expect(withFewestChannels(grey, grey)).toMatchObject({
      stacks: [{ channels: 1 }, { channels: 1 }],
      notes: ['all images are grey: measured on one channel'],
    });
    expect(withFewestChannels(grey, colour)).toEqual({
      stacks: [grey, colour],
      notes: ['all generated images are grey, the others are not: measured as RGB'],
    });
    expect(withFewestChannels(colour, colour).notes).toEqual([]);
  });

  it('know grey from colour, and keep one channel or some images', () => {
    const colour = bytes(3, 4, 4, 1);
    const grey = { ...colour, pixels: colour.pixels.map((_, at) => colour.pixels[at - (at % 3)]) };
    expect([isGrey(colour), isGrey(grey)]).toEqual([false, true]);
    expect(firstChannel(grey)).toMatchObject({ channels: 1, count: 3 });
    expect(firstChannel(grey).pixels[5]).toBe(colour.pixels[15]);
    expect(selectImages(colour, [2, 0]).pixels.subarray(0, 48)).toEqual(colour.pixels.subarray(96));
  });
});

describe('PairedImages', () => {
  const image = (step: number) => new Random(13, 'synthetic', step).uniforms(16 * 12 * 3, 0, 1);

  it('agrees with a paired spectrum of all pairs, and gives every image its own PSNR and SSIM', () => {
    const [pairs, spectrum] = [new PairedImages(16, 12), new PairedSpectrum(16, 12)];
    for (let i = 0; i < 6; i++) {
      const estimate = image(2 * i).map((value, k) => value + 0.1 * image(2 * i + 1)[k]);
      pairs.add(image(2 * i), estimate);
      spectrum.add(image(2 * i), estimate);
    }
    const { metrics, intervals, bands, rings } = pairs.evaluation('p', 'float');
    const columns = ['mse', 'fvu', 'snrDb', 'transfer', 'powerRatio', 'frc'] as const;
    for (const [entries, partition] of [
      [bands, octavePartition(16, 12)],
      [rings, ringPartition(16, 12)],
    ] as const) {
      spectrum.fidelity(partition).forEach((band, b) => {
        for (const column of columns) {
          const entry = entries![b] as unknown as Record<string, number>;
          expect(entry[column]).toBeCloseTo(band[column], 10);
          expect(entry[`${column}Low`]).toBeLessThanOrEqual(band[column]);
          expect(entry[`${column}High`]).toBeGreaterThanOrEqual(band[column]);
        }
      });
    }
    for (const { name, fvu, snrDb, transfer, powerRatio, frc, mse } of spectrum.fidelity(octavePartition(16, 12))) {
      const named = { mse, fvu, transfer, power_ratio: powerRatio, frc };
      for (const [column, value] of Object.entries(named)) {
        expect(metrics[`p_${column}_${name}_n6`]).toBeCloseTo(value, 12);
      }
      expect(metrics[`p_snr_${name}_n6_db`]).toBeCloseTo(snrDb, 10);
    }
    expect(Object.keys(intervals!).sort()).toEqual(
      Object.keys(metrics)
        .filter((name) => name !== 'p_images')
        .sort(),
    );
    expect(pairs.psnrs).toEqual(spectrum.mses.map(psnrOfMse));
    expect(pairs.ssims).toHaveLength(6);
    expect(intervals!.p_psnr_n6_db[0]).toBeLessThan(metrics.p_psnr_n6_db);
    expect(intervals!.p_ssim_n6[1]).toBeGreaterThan(metrics.p_ssim_n6);
    expect(intervals!.p_psnr_of_mean_mse_n6_db.map((db) => 10 ** (-db / 10))).toEqual(
      [1, 0].map((end) => expect.closeTo(intervals!.p_mse_n6[end], 12)),
    );
  });

  it.each([
    [60, 40],
    [100, 8],
    [150, 4],
    [200, 2],
  ])(
    'covers the true FVU and transfer of every ring in about 95 of 100 sets: %i sets of %i pairs',
    (repetitions, images) => {
      // White noise over white images: FVU σ², T = 1, whatever the band.
      const variance = 0.25;
      let [fvus, transfers, rings] = [0, 0, 0];
      for (let repetition = 0; repetition < repetitions; repetition++) {
        const pairs = new PairedImages(8, 8, 1);
        const random = new Random(14, 'synthetic', repetition);
        for (let i = 0; i < images; i++) {
          const reference = random.normals(64);
          pairs.add(
            reference,
            reference.map((value) => value + Math.sqrt(variance) * random.normal()),
          );
        }
        for (const ring of pairs.evaluation('p', 'float').rings as unknown as Record<string, number>[]) {
          rings++;
          fvus += Number(ring.fvuLow <= variance && variance <= ring.fvuHigh);
          transfers += Number(ring.transferLow <= 1 && 1 <= ring.transferHigh);
        }
      }
      for (const share of [fvus / rings, transfers / rings]) {
        expect(share).toBeGreaterThan(images < 16 ? 0.92 : 0.88);
        expect(share).toBeLessThan(0.985);
      }
    },
  );

  it('has no intervals for one pair, and none of the PSNR of identical images, which is infinite', () => {
    const pairs = new PairedImages(16, 12);
    pairs.add(image(1), image(1));
    expect(pairs.evaluation('p', 'float')).toMatchObject({ metrics: { p_ssim_n1: 1, p_images: 1 } });
    expect(pairs.evaluation('p', 'float').intervals).toBeUndefined();
    pairs.add(image(2), image(2));
    expect(pairs.evaluation('p', 'float').intervals).toMatchObject({ p_mse_n2: [0, 0], p_ssim_n2: [1, 1] });
    expect(pairs.evaluation('p', 'float').intervals).not.toHaveProperty('p_psnr_n2_db');
  });
});

describe('psnrMetricName', () => {
  it('has the number of images, but for the PSNR that runs are compared by', () => {
    expect([psnrMetricName('paired', 7), psnrMetricName('reconstruction_x2', 64)]).toEqual([
      'paired_psnr_n7_db',
      'reconstruction_x2_psnr_n64_db',
    ]);
    expect(psnrMetricName('reconstruction', 1594)).toBe('reconstruction_psnr_db');
  });
});

describe('a model', () => {
  let model: Model;
  beforeAll(async () => {
    await startEngine('wasm');
    const { model: config } = experimentSchema().parse({
      model: {
        encoding: { kind: 'gaussian', frequencies: 8, sigma: 1 },
        field: { width: 8, depth: 1 },
        conditioner: { kind: 'lowRank', latent: 4, mapping: [8], rank: 2 },
      },
    });
    const generator = makeGenerator(config, 0);
    const table = tf.tensor2d(new Random(1, 'latents').normals(20), [5, 4]);
    model = {
      generator,
      parameters: initGenerator(generator, 0),
      latents: { size: 4, of: (images) => tf.gather(table, images) },
      training: fullView(10, 8),
      imageNames: ['a', 'b', 'c', 'd', 'e'],
    };
  });

  it('gives as many samples as asked for, the same for the same seed, whatever is drawn at once', async () => {
    const before = tf.memory().numTensors;
    const done: number[] = [];
    const many = await drawSamples(model, { seed: 3, count: 40 }, (count) => done.push(count));
    expect(done).toEqual([32, 40]);
    expect(many).toMatchObject({ count: 40, width: 10, height: 8 });
    expect((await drawSamples(model, { seed: 3, count: 40 })).pixels).toEqual(many.pixels);
    expect(many.pixels).toHaveLength(40 * 240);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('has a scale consistency that is the PSNR of drawings reduced by boxes against small ones', async () => {
    const box = boxReduce(
      Float32Array.from({ length: 4 * 2 * 3 }, (_, at) => at),
      2,
      1,
      2,
    );
    expect([...box]).toEqual([7.5, 8.5, 9.5, 13.5, 14.5, 15.5]);
    const { metrics, intervals } = await evaluateScaleConsistency(model, [0, 3, 4]);
    expect(metrics.scale_consistency_x4_n3_psnr_db).toBeGreaterThan(20);
    expect(metrics.scale_consistency_x4_n3_psnr_db).toBeLessThan(90);
    expect(intervals?.scale_consistency_x4_n3_psnr_db).toHaveLength(2);
  });
});
