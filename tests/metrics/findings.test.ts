import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sampleFindings, sampleHeadline, sampleSpectraSection } from '../../src/eval/report/spectra.ts';
import { betterText, byRole, declare, findingsOf, holds } from '../../src/metrics/findings.ts';
import { evaluateImageSets } from '../../src/metrics/imageSets.ts';
import { PAIRED_NUMBERS, PairedImages } from '../../src/metrics/pairedImages.ts';
import { declaredNumbers } from '../../src/metrics/registry.ts';
import type { EvaluationResult } from '../../src/metrics/result.ts';
import { Random } from '../../src/random.ts';
import { parseJson } from '../../src/run/evaluations.ts';

/** `eval/samples.json` as it was written before it had findings, of a quickstart of 300 steps; without its rings. */
const earlier = parseJson(readFileSync(join(import.meta.dirname, 'earlierSamples.json'), 'utf8')) as EvaluationResult;

describe('findingsOf', () => {
  it('tells those of earlier versions from their names: the longest key that a name begins with', () => {
    expect(earlier.findings).toBeUndefined();
    const findings = findingsOf(earlier, declaredNumbers(), 'samples_');
    const counts = ['samples_images_generated', 'samples_images_reference'];
    expect(findings.map(({ name }) => name)).toEqual(
      Object.keys(earlier.metrics).filter((name) => !counts.includes(name)),
    );
    const keys = Object.fromEntries(findings.map(({ name, key }) => [name.replace('samples_', ''), key]));
    expect(keys).toMatchObject({
      lsd_r31_n1000_db: 'lsd',
      lsd_floor_r31_n797_db: 'lsd_floor',
      'delta_1-2_n1000_db': 'delta',
      slope_reference_n1594: 'slope_reference',
      fwd_haar4_c3_n1000: 'fwd',
      fwd_floor_haar4_c3_n797: 'fwd_floor',
      swd_64_c3_n1000: 'swd',
      swd_mean_c3_n1000: 'swd_mean',
      swd_floor_64_c3_n797: 'swd_floor',
      swd_floor_mean_c3_n797: 'swd_floor_mean',
      kid_random256_n1000: 'kid',
      density_k5_random256_n1000: 'density',
      coverage_k5_random256_n1000: 'coverage',
      coverage_expected_k5_random256_n1000: 'coverage_expected',
      ms_ssim_generated_s3_pairs500: 'ms_ssim_generated',
    });
    const of = (key: string) => findings.find((finding) => finding.key === key)!;
    expect(of('fwd')).toMatchObject({
      metric: 'fwd',
      value: earlier.metrics.samples_fwd_haar4_c3_n1000,
      better: 'low',
      against: {
        name: 'samples_fwd_floor_haar4_c3_n797',
        value: earlier.metrics.samples_fwd_floor_haar4_c3_n797,
        label: 'halves',
      },
    });
    expect(findings.filter(({ key }) => key === 'delta').map(({ band }) => band)).toEqual(
      earlier.bands!.map(({ name }) => name),
    );
  });

  it('shows no interval of earlier versions that lies beside its value', () => {
    const beside = {
      ...earlier,
      metrics: { ...earlier.metrics, samples_fwd_haar4_c3_n1000: 0.212 },
      intervals: { ...earlier.intervals, samples_fwd_haar4_c3_n1000: [0.163, 0.199] as const },
    };
    const [before, after] = [earlier, beside].map((result) =>
      findingsOf(result, declaredNumbers(), 'samples_').find(({ key }) => key === 'fwd'),
    );
    expect(before!.interval).toEqual(earlier.intervals!.samples_fwd_haar4_c3_n1000);
    expect(after).not.toHaveProperty('interval');
  });

  it('says of names alone what the metrics themselves said', () => {
    const stack = (step: number) => ({
      count: 20,
      width: 12,
      height: 12,
      channels: 1,
      pixels: Uint8Array.from(new Random(22, 'synthetic', step).uniforms(20 * 144, 0, 256)),
    });
    const { result } = evaluateImageSets(stack(1), stack(2), { prefix: 'p_' });
    const { findings, ...flat } = result;
    expect(findingsOf(flat, declaredNumbers(), 'p_')).toEqual(findings);
    expect(findingsOf(result, new Map(), 'p_')).toBe(findings);
  });

  it('are of pairs too, those of bands with their band', () => {
    const pairs = new PairedImages(12, 12, 1);
    const image = (step: number) => new Random(23, 'synthetic', step).uniforms(144, 0, 1);
    for (let i = 0; i < 3; i++) pairs.add(image(2 * i), image(2 * i + 1));
    const { findings = [], metrics } = pairs.evaluation('reconstruction', 'float');
    expect(findings.map(({ name }) => name)).toEqual(
      Object.keys(metrics).filter((name) => name !== 'reconstruction_images'),
    );
    const named = (name: string) => findings.find((finding) => finding.name === `reconstruction_${name}`);
    expect(named('psnr_db')).toMatchObject({ key: 'psnr', better: 'high' });
    expect(named('psnr_of_mean_mse_n3_db')).toMatchObject({ key: 'psnr_of_mean_mse' });
    expect(named('mse_n3')).not.toHaveProperty('band');
    expect(named('snr_3-6_n3_db')).toMatchObject({ key: 'snr', band: '3-6' });
    expect(named('mse_corner_n3')).toMatchObject({ key: 'mse', band: 'corner' });
    expect(findingsOf({ protocol: '', metrics: { a_msea: 1, b_mse: 2 } }, declare('p', PAIRED_NUMBERS), 'a_')).toEqual(
      [],
    );
  });
});

describe('the report', () => {
  it('shows samples that earlier versions measured', () => {
    const page = sampleSpectraSection({ samples: earlier }).text;
    const rows = [...page.matchAll(/<tr><td>(.*?)<\/td><td>(.*?)<\/td>/g)].map(([, label, value]) => [label, value]);
    expect(rows).toEqual(
      expect.arrayContaining([
        ['Raw LSD (dB)', '12.7'],
        ['Raw FWD', '1.07'],
        ['Coverage', '0.712'],
      ]),
    );
    expect(page).toContain('0.069 (halves)');
    expect(page).toContain('0.969 (equal sets)');
    expect(page).not.toMatch(/undefined|NaN/);
    expect(sampleFindings(earlier)).toHaveLength(Object.keys(earlier.metrics).length - 2);
  });

  it('has FWD among its first numbers, without its bias where that is known', () => {
    const [finding] = sampleFindings(earlier).filter(({ key }) => key === 'fwd');
    expect(sampleHeadline(earlier)).toEqual([
      { value: '1.07', unit: undefined, label: 'Raw FWD of samples, lower is better' },
    ]);
    const debiased = { ...finding, key: 'fwd_debiased', label: 'FWD', value: 1.05 };
    expect(sampleHeadline({ ...earlier, findings: [finding, debiased] })).toMatchObject([
      { value: '1.05', label: 'FWD of samples, lower is better' },
    ]);
    expect(sampleHeadline({ protocol: '', metrics: {} })).toEqual([]);
  });
});

describe('byRole and betterText', () => {
  it('put what decides first, and say which way is better', () => {
    const findings = byRole(sampleFindings(earlier));
    expect(findings.slice(0, 3).map(({ key }) => key)).toEqual(['kid', 'density', 'coverage']);
    expect(findings.at(-1)!.role).toBe('detail');
    expect(findings.slice(0, 3).map(betterText)).toEqual(['lower is better', '', 'higher is better']);
  });
});

describe('holds', () => {
  it('forgives rounding, and knows infinities and unknown ends', () => {
    expect(holds([1, 2], 1)).toBe(true);
    expect(holds([1, 2], 2 + 1e-10)).toBe(true);
    expect(holds([1, 2], 2.001)).toBe(false);
    expect(holds([Infinity, Infinity], Infinity)).toBe(true);
    expect(holds([1, 2], Infinity)).toBe(false);
    expect(holds([Number.NaN, 2], 1)).toBe(false);
    expect(holds(undefined, 1)).toBe(false);
  });
});
