/** What theory says about the image and the fields of a noise study: Wiener's filter, and the field's own kernel. */
import { fullView } from '../../grid.ts';
import { planeSpectra } from '../../metrics/noiseResponse.ts';
import { psnrOfMse } from '../../metrics/psnr.ts';
import { type Band, type BandPartition, octavePartition, ringPartition } from '../../metrics/signal/bands.ts';
import { gridEncoder } from '../../models/encodings/encoding.ts';
import { type Generator, initGenerator } from '../../models/generator.ts';
import { tf, tidy } from '../../tf.ts';
import type { StudyImage } from './studyImage.ts';
import { predictFromKernel } from './theory/kernelPrediction.ts';
import { type FilterResponse, filterResponse, flowGain } from './theory/linearFit.ts';
import { neuralTangentKernel } from './theory/neuralTangentKernel.ts';
import { bandMeanPower, noiseCrossing, wienerGains, wienerRisk } from './theory/wiener.ts';

const CHANNELS = 3;

export interface WienerBaseline {
  sigma: number;
  /** PSNR of the filter that knows the power of every mode. */
  psnrDb: number;
  /** PSNR of the filter that knows the mean power of every ring only: what an isotropic filter can do. */
  isotropicPsnrDb: number;
  /** T, C and G of the filter that knows every mode, per octave. */
  bands: (Band & FilterResponse)[];
  /** ρ×, in cycles per pixel; NaN where noise never exceeds the signal. */
  crossingCyclesPerPixel: number;
}

/** The oracle Wiener filters of an image under white noise of standard deviation `sigma`. */
export function wienerBaseline(image: StudyImage, sigma: number): WienerBaseline {
  const { width, height, values, rounding } = image;
  const pixels = width * height;
  const powers = planeSpectra(values, { width, height, channels: CHANNELS }).map(({ re, im }) =>
    re.map((value, k) => (value ** 2 + im[k] ** 2) / pixels),
  );
  const rings = ringPartition(width, height);
  const octaves = octavePartition(width, height);
  const power = Float64Array.from(powers.flatMap((plane) => Array.from(plane)));
  const membership = Int32Array.from({ length: power.length }, (_, k) => octaves.membership[k % pixels]);
  const isotropic = powers.flatMap((plane) => Array.from(bandMeanPower(rings, plane)));
  const psnr = (risk: number) => psnrOfMse(risk / power.length);
  const responses = filterResponse(wienerGains(power, sigma ** 2), power, membership, octaves.bands.length, rounding);
  const meanPower = powers[0].map((_, k) => powers.reduce((sum, plane) => sum + plane[k], 0) / powers.length);
  return {
    sigma,
    psnrDb: psnr(wienerRisk(power, sigma ** 2)),
    isotropicPsnrDb: psnr(wienerRisk(isotropic, sigma ** 2)),
    bands: octaves.bands.map((band, b) => ({ ...band, ...responses[b] })),
    crossingCyclesPerPixel: noiseCrossing(rings, meanPower, sigma ** 2),
  };
}

export interface KernelBaseline {
  /** Pixels of the window that the kernel was taken over; equal to the image's where `exact`. */
  width: number;
  height: number;
  /** Whether the window is the whole image. */
  exact: boolean;
  /** T, C and G along gradient flow, per octave in cycles per pixel. */
  bands: { fromCyclesPerPixel: number; toCyclesPerPixel: number; flow: FilterResponse[] }[];
  /** Per octave at given steps of plain gradient descent, where `exact` and rates were given. */
  atSteps?: FilterResponse[][];
}

/** A dense kernel of n pixels costs n² memory and some n³ time: this many a side are a second or two. */
const LARGEST_EXACT = 32;
const WINDOW = 24;
const FLOW_POINTS = 60;

/**
 * The eNTK of the untrained field and what it predicts: of the whole image up to 32 pixels a side, beyond that of a
 * window in the middle, at the image's own pixel pitch, so that octaves are the same in cycles per pixel.
 *
 * @param descent for plain gradient descent on each field's MSE: the learning rate of every step, and the steps to
 *   predict. Over all pixels that is η = 2·rate/(pixels·channels) for ½‖f−y‖².
 */
export async function kernelBaseline(
  generator: Generator,
  seed: number,
  image: StudyImage,
  descent?: { learningRates: ArrayLike<number>; steps: readonly number[] },
): Promise<KernelBaseline> {
  const exact = Math.max(image.width, image.height) <= LARGEST_EXACT;
  const width = exact ? image.width : Math.min(WINDOW, image.width);
  const height = exact ? image.height : Math.min(WINDOW, image.height);
  const [left, top] = [(image.width - width) >> 1, (image.height - height) >> 1];
  const pixels = Int32Array.from({ length: width * height }, (_, i) => {
    return (top + Math.floor(i / width)) * image.width + left + (i % width);
  });
  const { features, weights } = await untrained(generator, seed, image, pixels);
  const { kernel, output } = neuralTangentKernel(generator.spec, weights, features);
  const plane = (values: ArrayLike<number>, index: (i: number) => number) =>
    Array.from({ length: CHANNELS }, (_, c) => Float64Array.from(pixels, (_, i) => values[index(i) * CHANNELS + c]));
  const partition: BandPartition = octavePartition(width, height);
  const prediction = predictFromKernel(
    kernel,
    partition,
    plane(image.values, (i) => pixels[i]),
    { initial: plane(output, (i) => i), rounding: image.rounding },
  );
  const largest = prediction.eigenvalues.reduce((a, b) => Math.max(a, b), 0);
  const flow = Array.from({ length: FLOW_POINTS }, (_, i) => {
    const time = 10 ** (-2 + (12 * i) / (FLOW_POINTS - 1)) / largest;
    return prediction.response((eigenvalue) => flowGain(eigenvalue * time));
  });
  const rate = (learningRate: number) => (2 * learningRate) / (width * height * CHANNELS);
  const atSteps = descent?.steps.map((step) =>
    prediction.response((eigenvalue) => {
      let remaining = 1;
      for (let t = 0; t < step; t++) remaining *= 1 - rate(descent.learningRates[t]) * eigenvalue;
      return 1 - remaining;
    }),
  );
  return {
    width,
    height,
    exact,
    bands: partition.bands.map(({ fromCyclesPerPixel, toCyclesPerPixel }, b) => ({
      fromCyclesPerPixel,
      toCyclesPerPixel,
      flow: flow.map((responses) => responses[b]),
    })),
    // Of an encoding that learns too, the kernel knows only what the field learns.
    ...(exact && !generator.encoding.initial && atSteps && { atSteps }),
  };
}

/** The untrained field as plain numbers: its weights, and the features [P,F] of some pixels of an image. */
async function untrained(generator: Generator, seed: number, { width, height }: StudyImage, pixels: Int32Array) {
  const parameters = tidy(() => initGenerator(generator, seed, 1));
  const all = (part: string) =>
    Promise.all(
      generator.spec.layers.map(async (_, l) => (await parameters[`field.${l}.${part}`].data()) as Float32Array),
    );
  const encoder = gridEncoder(generator.encoding, fullView(width, height), parameters);
  const encoded = encoder.values ? undefined : encoder.tensor(pixels);
  const features = encoder.values?.(pixels) ?? ((await encoded?.data()) as Float32Array);
  const weights = { kernels: await all('kernel'), biases: await all('bias') };
  tf.dispose([...Object.values(parameters), ...(encoded ? [encoded] : [])]);
  return { features, weights };
}

/**
 * G of the kernel's flow where its T first reaches a measured one: the linear baseline at matched T. NaN where it never
 * does, or where the window has no such octave.
 */
export function kernelGainAt(baseline: KernelBaseline, band: Band, transfer: number): number {
  const flow = flowOf(baseline, band);
  for (let i = 1; i < flow.length; i++) {
    const [a, b] = [flow[i - 1], flow[i]];
    if (a.transfer <= transfer && transfer <= b.transfer && a.transfer < b.transfer) {
      return a.gain + ((transfer - a.transfer) / (b.transfer - a.transfer)) * (b.gain - a.gain);
    }
  }
  return Number.NaN;
}

/** The flow of the octave with the same edges in cycles per pixel; empty where there is none. */
export function flowOf(baseline: KernelBaseline, band: Band): FilterResponse[] {
  if (band.kind !== 'octave' && !baseline.exact) return [];
  const same = baseline.bands.find(
    ({ fromCyclesPerPixel, toCyclesPerPixel }) =>
      Math.abs(fromCyclesPerPixel - band.fromCyclesPerPixel) < 1e-9 &&
      Math.abs(toCyclesPerPixel - band.toCyclesPerPixel) < 1e-9,
  );
  return same?.flow ?? [];
}
