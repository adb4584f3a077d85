/** Puts a run's report together: draws what it shows, reads what it quotes. */
import { join } from 'node:path';
import { commandLine } from '../../commandLine.ts';
import { formatExperiment } from '../../config/load.ts';
import type { ImageSet } from '../../data/imageSet.ts';
import { writeFileAtomically } from '../../files/atomicFile.ts';
import { fileError } from '../../files/fileErrors.ts';
import { formatDuration } from '../../files/progress.ts';
import { fullView } from '../../grid.ts';
import type { BandFidelity } from '../../metrics/pairedSpectrum.ts';
import { meanSquaredError, psnrOfMse } from '../../metrics/psnr.ts';
import { withFields } from '../../render/drawableField.ts';
import { interpolateLatents } from '../../render/interpolation.ts';
import { imageFields, imageLatents, latentFields, sampleLatents } from '../../render/model.ts';
import { pngOf } from '../../render/png.ts';
import { reconstructions, referenceOf, spreadIndices, toUnitRange } from '../../render/reconstructions.ts';
import { renderImage, renderImages } from '../../render/render.ts';
import type { Environment } from '../../run/environment.ts';
import { readEvaluation, readSummary } from '../../run/evaluations.ts';
import { readMetrics } from '../../run/metricsLog.ts';
import type { OpenedModel } from '../../run/openModel.ts';
import type { RunFolder } from '../../run/runFolder.ts';
import { describeModel, loadWithProgress } from '../../train/session.ts';
import { reconstructionDifferences } from './bandPictures.ts';
import { curvesOf } from './curves.ts';
import type { FidelityAtScale, ReportData } from './data.ts';
import { renderReport } from './page.ts';
import { typicalImage } from './showpieces.ts';
import { sampleHeadline } from './spectra.ts';

const SHOWN_PAIRS = 16;
const SHOWN_SAMPLES = 24;
const STRIPS = 3;
const STRIP_FRAMES = 9;
/** Multiples of the training size at which one image is shown. */
const SHOWN_SCALES = [1, 4, 16];
/** Samples and strips are drawn this large at least: larger than most training sizes, which is the point. */
const SAMPLE_PIXELS = 128;

/**
 * Writes `report.html` of a run from its model, its logs and whatever has been evaluated.
 *
 * @returns the file's path.
 */
export async function writeRunReport(run: RunFolder, model: OpenedModel, say: (line: string) => void): Promise<string> {
  const { experiment } = model;
  const images = await loadWithProgress(experiment, say);
  const entries = await readMetrics(run.metrics);
  const environment = await run.readEnvironment();
  const summary = await readSummary(run.evaluation);
  const seconds = entries.at(-1)?.wallSeconds ?? 0;
  const psnr = summary.reconstruction_psnr_db;
  const heldOut = summary.reconstruction_heldout_psnr_db;
  const sampleSpectra = await sampleSpectraOf(run);
  const data: ReportData = {
    name: experiment.name,
    summary: summaryOf(model, images),
    headline: [
      ...(psnr === undefined ? [] : [{ value: psnr.toFixed(1), unit: 'dB', label: 'reconstruction PSNR' }]),
      ...(heldOut === undefined ? [] : [{ value: heldOut.toFixed(1), unit: 'dB', label: 'PSNR of held-out images' }]),
      ...(sampleSpectra ? sampleHeadline(sampleSpectra.samples) : []),
      { value: images.count.toLocaleString('en'), label: 'training images' },
      { value: formatDuration(seconds), label: 'of training' },
      { value: model.step.toLocaleString('en'), label: 'steps' },
    ],
    facts: factsOf(model, images, environment),
    reconstructions: await reconstructionPairs(model, images),
    differences: await reconstructionDifferences(model, images),
    samples: await samplePngs(model),
    interpolations: await interpolationStrips(model),
    resolutions: await resolutionDrawings(model, images),
    fidelity: await fidelityOf(run, model),
    sampleSpectra,
    perturbations: await readEvaluation(join(run.evaluation, 'perturb.json')),
    datasetNoise: await readEvaluation(join(run.evaluation, 'dataset_noise.json')),
    curves: curvesOf(entries),
    skipped: images.skipped,
    config: formatExperiment(experiment),
    commands: commandsOf(run),
    footer: environment && footerOf(environment),
  };
  await writeFileAtomically(run.report, renderReport(data)).catch((error: unknown) => {
    throw fileError('write', run.report, error);
  });
  return run.report;
}

function factsOf(model: OpenedModel, images: ImageSet, environment?: Environment): ReportData['facts'] {
  const { experiment } = model;
  return [
    { label: 'Model', text: describeModel(experiment, images.count) },
    {
      label: 'Training',
      text: `${experiment.objective}, ${images.width}×${images.height} pixels, seed ${experiment.seed}`,
    },
    ...(environment
      ? [
          { label: 'Engine', text: environment.engine },
          { label: 'Machine', text: `${environment.cpu.count} × ${environment.cpu.model}, Node ${environment.node}` },
        ]
      : []),
    { label: 'Checkpoint', text: `step ${model.step}` },
    ...(images.credit ? [{ label: 'Images', text: images.credit }] : []),
  ];
}

function commandsOf(run: RunFolder): ReportData['commands'] {
  return [
    { purpose: 'Train it again', command: `${commandLine('train')} --config ${run.config} --run runs/again` },
    {
      purpose: 'Draw a sample at any size',
      command: `${commandLine('sample')} --run ${run.path} --size 2048x2048 --seed 7 --out sample.png`,
    },
    { purpose: 'Measure it', command: `${commandLine('evaluate')} --run ${run.path}` },
    { purpose: 'Watch it', command: 'tensorboard --logdir runs' },
  ];
}

function footerOf({ packages, git, startedAt }: Environment): string {
  const commit = git ? `, commit ${git.commit.slice(0, 10)}` : '';
  return `Chladni ${packages.chladni}${commit}, trained ${startedAt.slice(0, 10)}`;
}

function summaryOf(model: OpenedModel, images: ImageSet): string {
  const size = `${images.width}×${images.height}`;
  return model.latents
    ? `${images.count.toLocaleString('en')} images of ${size} pixels, each a latent of ${model.latents.size} numbers that becomes the weights of a small coordinate network, drawn at any size.`
    : `${images.count === 1 ? 'One image' : `${images.count} images`} of ${size} pixels, each fitted by a coordinate network of its own.`;
}

async function reconstructionPairs(model: OpenedModel, images: ImageSet): Promise<ReportData['reconstructions']> {
  const shown = referenceOf(images, spreadIndices(images.count, SHOWN_PAIRS));
  const pairs: NonNullable<ReportData['reconstructions']>['pairs'][number][] = [];
  for await (const drawn of reconstructions(model, shown)) {
    const [original, { width, height }] = [shown.pixels(pairs.length), images];
    pairs.push({
      name: images.names[shown.images[pairs.length]],
      original: await pngOf({ width, height, pixels: original }),
      reconstruction: await pngOf({ width, height, pixels: drawn }),
      psnrDb: psnrOfMse(meanSquaredError(toUnitRange(original), toUnitRange(drawn))),
    });
  }
  return {
    pairs,
    note:
      images.count > pairs.length
        ? `${pairs.length} of ${images.count}, evenly spread over the sorted names.`
        : undefined,
  };
}

/** Images of latents [n,D] at the report's sample size, which keeps the training images' shape. */
async function latentPngs(model: OpenedModel, latents: Float32Array): Promise<Uint8Array[]> {
  const { width, height } = model.training;
  const factor = Math.max(1, SAMPLE_PIXELS / Math.min(width, height));
  const view = fullView(Math.round(width * factor), Math.round(height * factor));
  const drawn = await withFields(latentFields(model, latents), (field) => renderImages(field, view));
  return Promise.all(drawn.map((pixels) => pngOf({ ...view, pixels })));
}

async function samplePngs(model: OpenedModel): Promise<Uint8Array[] | undefined> {
  if (!model.latents || model.imageNames.length < 2) return undefined;
  return latentPngs(model, await sampleLatents(model, { seed: model.experiment.seed, count: SHOWN_SAMPLES }));
}

async function interpolationStrips(model: OpenedModel): Promise<Uint8Array[][] | undefined> {
  if (!model.latents || model.imageNames.length < 2) return undefined;
  const { size } = model.latents;
  const table = await imageLatents(model);
  const ends = spreadIndices(model.imageNames.length, STRIPS + 1).map((i) => table.slice(i * size, (i + 1) * size));
  const strips: Uint8Array[][] = [];
  for (let i = 0; i + 1 < ends.length; i++) {
    strips.push(await latentPngs(model, interpolateLatents([ends[i], ends[i + 1]], { frames: STRIP_FRAMES })));
  }
  return strips;
}

async function resolutionDrawings(model: OpenedModel, images: ImageSet): Promise<ReportData['resolutions']> {
  const index = await typicalImage(model, images);
  const drawings: NonNullable<ReportData['resolutions']>['drawings'][number][] = [];
  await withFields(imageFields(model, [index]), async (field) => {
    for (const scale of SHOWN_SCALES) {
      const view = fullView(images.width * scale, images.height * scale);
      // Ground truth as large as this is not always worth its bytes in the page: up to 1024 pixels.
      const known = scale <= images.nativeScale && view.width * view.height <= 2 ** 20;
      const truth = known ? await loadWithProgress(model.experiment, () => {}, { scale, images: [index] }) : undefined;
      drawings.push({
        scale,
        image: await pngOf({ ...view, pixels: await renderImage(field, view) }),
        truth: truth && (await pngOf({ ...view, pixels: truth.pixels })),
      });
    }
  });
  return { name: images.names[index], drawings };
}

async function fidelityOf(run: RunFolder, { experiment, training }: OpenedModel): Promise<ReportData['fidelity']> {
  const scales: FidelityAtScale[] = [];
  for (const scale of experiment.evaluate.scales) {
    const name = scale === 1 ? 'reconstruction' : `reconstruction_x${scale}`;
    const result = await readEvaluation(join(run.evaluation, `${name}.json`));
    if (!result) continue;
    scales.push({
      scale,
      width: training.width * scale,
      height: training.height * scale,
      images: result.metrics[`${name}_images`],
      bands: (result.bands ?? []) as unknown as BandFidelity[],
      rings: (result.rings ?? []) as unknown as BandFidelity[],
    });
  }
  return { trainingNyquist: Math.min(training.width, training.height) / 2, scales };
}

async function sampleSpectraOf(run: RunFolder): Promise<ReportData['sampleSpectra']> {
  const read = (name: string) => readEvaluation(join(run.evaluation, `${name}.json`));
  const samples = await read('samples');
  return samples && { samples, scaleConsistency: await read('scale_consistency') };
}
