import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { DatasetNoise, datasetNoiseResult } from '../../../src/eval/datasetNoise/bands.ts';
import { BandChanges } from '../../../src/eval/perturb/changes.ts';
import { perturbationsResult } from '../../../src/eval/perturb/studyData.ts';
import type { FidelityAtScale, ReportData } from '../../../src/eval/report/data.ts';
import { renderReport } from '../../../src/eval/report/page.ts';
import { evaluateImageSets } from '../../../src/metrics/imageSets.ts';
import { planeSpectra } from '../../../src/metrics/noiseResponse.ts';
import { PairedSpectrum } from '../../../src/metrics/pairedSpectrum.ts';
import type { EvaluationResult } from '../../../src/metrics/result.ts';
import { octavePartition, ringPartition } from '../../../src/metrics/signal/bands.ts';
import { Random } from '../../../src/random.ts';

function fidelityAt(scale: number): FidelityAtScale {
  const [width, height] = [16 * scale, 12 * scale];
  const spectrum = new PairedSpectrum(width, height);
  const reference = new Random(1, 'synthetic', scale).uniforms(width * height * 3, 0, 1);
  spectrum.add(
    reference,
    reference.map((value) => 0.5 * value),
  );
  return {
    scale,
    width,
    height,
    images: 1,
    bands: spectrum.fidelity(octavePartition(width, height)),
    rings: spectrum.fidelity(ringPartition(width, height)),
  };
}

const noise = (count: number) => ({
  count,
  width: 16,
  height: 12,
  pixels: Uint8Array.from(new Random(count, 'synthetic').uniforms(count * 576, 0, 256)),
});

/** One disturbance of every kind of picture noise, its change known: half of each image. */
function perturbed(): EvaluationResult {
  const changes = new BandChanges(16, 12);
  const stack = noise(3);
  for (let i = 0; i < 3; i++) {
    const image = Float64Array.from(stack.pixels.subarray(i * 576, (i + 1) * 576));
    const spectra = [1, 0.5].map((gain) =>
      planeSpectra(
        image.map((value) => gain * value),
        { ...stack, channels: 3 },
      ),
    );
    changes.add(i, spectra[0], spectra[1]);
  }
  const kinds = ['latent', 'weights', 'weights-layer', 'weights-layer-0', 'jitter', 'frequencies'];
  const perturbations = kinds.map((kind) => ({ kind, size: 0.1, ...changes.result() }));
  return perturbationsResult({ step: 7, images: 3, repeats: 1, seed: 0, perturbations });
}

/** A model that copies half of the noise. */
function learnedNoise(): EvaluationResult {
  const measured = new DatasetNoise(16, 12);
  for (let i = 0; i < 3; i++) {
    const [clean, added] = ['a', 'b'].map((_, k) => new Random(k, 'synthetic', i).uniforms(576, 0, 1));
    measured.add(
      clean,
      clean.map((value, k) => value + 0.5 * added[k]),
      added,
    );
  }
  const protocol = { images: 3, sigma: 0.1, step: 7, seed: 0, width: 16, height: 12 };
  return datasetNoiseResult(measured.result(), protocol);
}

let data: Required<ReportData>;
beforeAll(async () => {
  const png = (width: number, height = width) =>
    sharp({ create: { width, height, channels: 3, background: '#c04020' } })
      .png()
      .toBuffer();
  const small = await png(16, 12);
  data = {
    name: 'my <run>',
    summary: 'What was trained & how',
    headline: [{ value: '31.2', unit: 'dB', label: 'reconstruction PSNR' }],
    facts: [{ label: 'Engine', text: 'wasm' }],
    reconstructions: {
      pairs: [{ name: 'fox<b>', original: small, reconstruction: small, psnrDb: Number.POSITIVE_INFINITY }],
      note: '1 of 9.',
    },
    differences: {
      magnification: 4,
      images: [{ name: 'fox', pictures: ['drawn', '8–16'].map((label) => ({ label, png: small })) }],
    },
    samples: [small, small],
    interpolations: [[small, small, small]],
    resolutions: {
      name: 'fox',
      drawings: [
        { scale: 1, image: small, truth: small },
        { scale: 4, image: await png(64, 48) },
      ],
      detail: [0.25, 0.5, 0.5, 0.75],
    },
    curves: [
      {
        plot: {
          title: 'Loss',
          x: { label: 'step' },
          y: { label: 'MSE' },
          series: [{ name: 'loss', x: [1, 2], y: [2, 1] }],
        },
        caption: 'Of batches.',
      },
    ],
    fidelity: { trainingNyquist: 6, scales: [fidelityAt(1), fidelityAt(2)] },
    sampleSpectra: {
      samples: evaluateImageSets(noise(20), noise(24), { prefix: 'samples_' }).result,
      scaleConsistency: { protocol: '', metrics: { scale_consistency_x4_n8_psnr_db: 41 } },
    },
    perturbations: perturbed(),
    datasetNoise: learnedNoise(),
    skipped: [{ name: 'a"b.png', reason: 'not an image' }],
    config: 'name: my\n\n\ndata:\n  path: <here>\n',
    commands: [{ purpose: 'Train', command: 'npm run train -- --set "a=b" && echo' }],
    footer: 'version 1',
  };
});

const headings = (page: string) => [...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, heading]) => heading);

describe('renderReport', () => {
  it('shows every section there is data for', () => {
    expect(headings(renderReport(data))).toEqual([
      'Reconstructions',
      'One image at any size',
      'Samples',
      'Interpolation',
      'What reconstructions get wrong, band by band',
      'Fidelity per frequency',
      'Samples against training images',
      'What small disturbances change',
      'Noise learned from the training images',
      'Training',
      'Skipped files',
      'Reproduce',
      'Config',
    ]);
  });

  it('leaves out sections without data, empty lists included', () => {
    expect(headings(renderReport({ name: 'bare' }))).toEqual([]);
    const empty = renderReport({
      name: 'bare',
      headline: [],
      facts: [],
      reconstructions: { pairs: [] },
      samples: [],
      interpolations: [],
      resolutions: { name: 'x', drawings: [] },
      curves: [],
      fidelity: { trainingNyquist: 32, scales: [] },
      skipped: [],
      config: '',
      commands: [],
    });
    expect(empty).toBe(renderReport({ name: 'bare' }));
    expect(empty).not.toMatch(/undefined|null|false|>0</);
  });

  it('asks for nothing from elsewhere: all that it refers to is within it', () => {
    const page = renderReport(data);
    const references = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, reference]) => reference);
    expect(references.length).toBeGreaterThan(8);
    for (const reference of references) expect(reference).toMatch(/^(data:image\/png;base64,|#)/);
    // The one address left is the name of the SVG namespace, which nothing loads.
    expect(page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\(|@import|<script|<link/);
    const ids = new Set([...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id));
    for (const reference of references.filter((text) => text.startsWith('#')))
      expect(ids).toContain(reference.slice(1));
  });

  it('escapes all text', () => {
    const page = renderReport(data);
    expect(page).toContain('<title>my &lt;run&gt; · Chladni</title>');
    expect(page).toContain('alt="fox&lt;b&gt;, original"');
    expect(page).toContain('a&quot;b.png');
    expect(page).toContain('--set &quot;a=b&quot; &amp;&amp; echo');
    expect(page).not.toMatch(/<run>|<here>|fox<b>/);
  });

  it('shows the distances of samples with what to compare them with', () => {
    const page = renderReport(data);
    const rows = [...page.matchAll(/<tr><td>([^<]*)<\/td><td>[\d.−–]+<\/td>/g)].map(([, label]) => label);
    expect(rows).toEqual(
      expect.arrayContaining([
        'LSD (dB)',
        'Raw LSD (dB)',
        'Raw FWD',
        'SWD (×10³)',
        'Density',
        'Scale consistency (dB)',
      ]),
    );
    // What decides comes first, and says which way is better.
    expect(rows.indexOf('LSD (dB)')).toBeLessThan(rows.indexOf('Raw LSD (dB)'));
    expect(page).toMatch(/<td>Coverage<\/td>.*?<td>higher<\/td>.*?\(equal sets\)/);
    expect(page).toContain('Power of samples over training images');
  });

  it('tabulates how much of the noise was learned, C = ½ and G = ¼ in every band', () => {
    const rows = renderReport(data).match(/<tr><td>[^<]*<\/td><td>\d+<\/td><td>0\.25<\/td><td>0\.5<\/td>/g);
    expect(rows).toHaveLength(5);
  });

  it('keeps the blank lines of the config', () => {
    expect(renderReport(data)).toContain('name: my\n\n\ndata:\n  path: &lt;here&gt;\n');
  });

  it('embeds images byte for byte, with their sizes, and pixels shown as pixels', () => {
    const page = renderReport(data);
    const encoded = Buffer.from(data.samples[0]).toString('base64');
    expect(page).toContain(
      `<img src="data:image/png;base64,${encoded}" alt="sample 1" title="sample 1" width="16" height="12" class="pixels">`,
    );
    expect(page).toMatch(/\.pixels \{ image-rendering: pixelated; \}/);
  });

  it('embeds each resolution once and magnifies the detail by reference, in units of the image', () => {
    const page = renderReport(data);
    expect(page.split('id="resolution-image-4"')).toHaveLength(2);
    expect(page).toContain(
      '<svg viewBox="250 375 250 187.5" role="img" aria-label="fox at 4×, detail"><use href="#resolution-image-4"/></svg>',
    );
    expect(page).toContain('64 × 48 px');
  });

  it('tabulates every band at every scale, and greys out what lies beyond the training Nyquist frequency', () => {
    const page = renderReport(data);
    const rows = [...page.matchAll(/<tr( class="beyond")?><td>([^<]*)<\/td>/g)].map(([, beyond, band]) => [
      band,
      Boolean(beyond),
    ]);
    const expected = [
      ['DC (the mean)', false],
      ['0.75 – 1.5', false],
      ['1.5 – 3', false],
      ['3 – 6', false],
      ['corner, above 6', false],
      ['DC (the mean)', false],
      ['0.75 – 1.5', false],
      ['1.5 – 3', false],
      ['3 – 6', false],
      ['6 – 12', true],
      ['corner, above 12', true],
    ];
    expect(rows.slice(0, expected.length)).toEqual(expected);
    // Half the image everywhere: T = 0.5, FRC = 1, FVU = ¼, 6.0 dB.
    expect(page.match(/<td>0\.25<\/td><td>6\.0<\/td><td>0\.500<\/td><td>1\.000<\/td>/g)).toHaveLength(expected.length);
  });

  it('shows an infinite PSNR as such', () => {
    expect(renderReport(data)).toContain('<span>∞ dB</span>');
  });

  it('refuses an image that is no PNG', () => {
    expect(() => renderReport({ name: 'x', samples: [new Uint8Array(30)] })).toThrow('no PNG');
  });
});
