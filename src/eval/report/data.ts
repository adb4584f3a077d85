/** What a report shows. Sections without data are left out. */

import type { Heatmap } from '../../figures/heatmap.ts';
import type { LinePlot } from '../../figures/plot.ts';
import type { BandFidelityInterval } from '../../metrics/pairedImages.ts';
import type { BandFidelity } from '../../metrics/pairedSpectrum.ts';
import type { EvaluationResult } from '../../metrics/result.ts';
import type { SampleSpectraData } from './spectra.ts';

/** An encoded PNG file. */
export type Png = Uint8Array;

export interface ReportData {
  /** Name of the run, and title of the page. */
  name: string;
  /** One or two sentences under the title: what was trained on what. */
  summary?: string;
  /** The few numbers that matter, formatted: `{ value: '31.2', unit: 'dB', label: 'reconstruction PSNR' }`. */
  headline?: readonly { value: string; unit?: string; label: string }[];
  /** Model, parameter counts, engine, times: label and text. */
  facts?: readonly { label: string; text: string }[];
  reconstructions?: ReconstructionsData;
  differences?: DifferencesData;
  /** Drawn from random latents. */
  samples?: readonly Png[];
  /** Strips of frames, each from one latent to another. */
  interpolations?: readonly (readonly Png[])[];
  resolutions?: ResolutionsData;
  /** Curves of training: lines, or a heatmap. */
  curves?: readonly { plot: LinePlot | Heatmap; caption?: string }[];
  fidelity?: FidelityData;
  sampleSpectra?: SampleSpectraData;
  /** What `eval/perturb.json` holds. */
  perturbations?: EvaluationResult;
  /** What `eval/dataset_noise.json` holds, where the run is on noisy images. */
  datasetNoise?: EvaluationResult;
  /** Files that were not used. */
  skipped?: readonly { name: string; reason: string }[];
  /** The resolved config, as YAML. */
  config?: string;
  /** Shell commands, in order. */
  commands?: readonly { purpose: string; command: string }[];
  /** When and with what the report was made: the last line. */
  footer?: string;
}

export interface ReconstructionsData {
  pairs: readonly { name: string; original: Png; reconstruction: Png; psnrDb?: number }[];
  /** Which of how many images these are, say. */
  note?: string;
}

/** One image at several multiples of the training size. */
export interface ResolutionsData {
  name: string;
  /** Ascending; `truth` where the source has detail of that size. */
  drawings: readonly { scale: number; image: Png; truth?: Png }[];
  /** A part to magnify: left, top, right, bottom in image units. */
  detail?: readonly [x0: number, y0: number, x1: number, y1: number];
}

export interface FidelityData {
  /** Nyquist frequency of the training images, in cycles per image. */
  trainingNyquist: number;
  scales: readonly FidelityAtScale[];
}

export interface FidelityAtScale {
  /** Multiple of the training size. */
  scale: number;
  width: number;
  height: number;
  images: number;
  /** Octaves, as `PairedSpectrum.fidelity` gives them. */
  bands: readonly BandFidelity[];
  /** Rings with intervals, as `PairedImages` gives them. */
  rings: readonly BandFidelityInterval[];
}

export interface LabelledPicture {
  label: string;
  png: Png;
}

export interface DifferencesData {
  /** By how much differences are magnified. */
  magnification: number;
  images: readonly { name: string; pictures: readonly LabelledPicture[] }[];
}
