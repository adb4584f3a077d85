/** The image of a noise study: a file, one of a config's images, or a random field of known spectrum. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Experiment } from '../../config/schema.ts';
import { decodeImage } from '../../data/decodeImage.ts';
import { trainingSize } from '../../data/schema.ts';
import { reasonOf } from '../../data/source.ts';
import { UsageError } from '../../errors.ts';
import { FLOAT32_ROUNDING_POWER, ROUNDING_POWER } from '../../metrics/signal/imageStack.ts';
import { Random } from '../../random.ts';
import { loadWithProgress } from '../../train/session.ts';
import { powerLawField } from './theory/syntheticField.ts';

/** Values of all three channels, sRGB-encoded in [0,1], [height,width,3]. */
export interface StudyImage {
  name: string;
  width: number;
  height: number;
  values: Float32Array;
  /** Error of rounding the values, as power in each mode of the orthonormal DFT: `ROUNDING_POWER` of 8-bit files. */
  rounding: number;
}

/** Decodes one file at the config's size.
 *
 * @throws UsageError where it can't be read. */
export async function imageOfFile(path: string, { data }: Experiment): Promise<StudyImage> {
  try {
    const { fit, background } = data;
    const { pixels } = await decodeImage(await readFile(path), { ...trainingSize(data), fit, background, scale: 1 });
    return studyImage(basename(path), data, pixels);
  } catch (error) {
    throw new UsageError(`--image ${path}: ${reasonOf(error)}`);
  }
}

/** An image of the config's data by name or index. */
export async function imageOfData(
  experiment: Experiment,
  which: string,
  say: (line: string) => void,
): Promise<StudyImage> {
  const images = await loadWithProgress(experiment, say);
  const byName = images.names.indexOf(which);
  const index = byName >= 0 ? byName : /^\d+$/.test(which) ? Number(which) : -1;
  if (index < 0 || index >= images.count) {
    throw new UsageError(
      `--which ${which}: the data has no such image; it has ${images.count}, such as ${images.names[0]}`,
    );
  }
  const length = images.width * images.height * 3;
  return studyImage(images.names[index], experiment.data, images.pixels.subarray(index * length, (index + 1) * length));
}

/** Standard deviation of a synthetic image about middle grey: few of its values leave [0,1]. */
const SYNTHETIC_CONTRAST = 0.15;

/** Grey random field of power ∝ ρ^−exponent around middle grey. */
export function imageOfSpectrum({ data, seed }: Experiment, exponent: number): StudyImage {
  const { width, height } = trainingSize(data);
  const field = powerLawField(width, height, exponent, new Random(seed, 'synthetic'), SYNTHETIC_CONTRAST);
  const values = Float32Array.from({ length: 3 * field.length }, (_, i) => 0.5 + field[Math.floor(i / 3)]);
  return { name: `random field, power ρ^−${exponent}`, width, height, values, rounding: FLOAT32_ROUNDING_POWER };
}

function studyImage(name: string, data: Experiment['data'], pixels: Uint8Array): StudyImage {
  const values = Float32Array.from(pixels, (value) => value / 255);
  return { name, ...trainingSize(data), values, rounding: ROUNDING_POWER };
}
