/** Pictures of what fits got wrong, one per octave. */
import { octavePartition } from '../eval/bands.ts';
import { inverseFft2 } from '../eval/fft.ts';
import { planeSpectra } from '../eval/noise.ts';
import type { DifferencePictures } from '../eval/noisePage.ts';
import type { NoiseStudyData } from '../eval/noiseStudyData.ts';
import { pngOf } from '../render/png.ts';

/** Octaves shown, from the highest down. */
const SHOWN = 4;
const MAGNIFICATION = 4;

/** Of every encoding at the middle noise level: the fit, and its difference from the clean image in the upper octaves. */
export async function differencePictures({ image, studies }: NoiseStudyData): Promise<DifferencePictures[]> {
  const { width, height, values } = image;
  const { bands, membership } = octavePartition(width, height);
  const shown = bands.flatMap(({ kind }, b) => (kind === 'octave' ? [b] : [])).slice(-SHOWN);
  return Promise.all(
    studies.map(async ({ encoding, levels }) => {
      const { sigma, lastFit } = levels[Math.floor((levels.length - 1) / 2)];
      const difference = lastFit.map((value, i) => value - values[i]);
      const spectra = planeSpectra(difference, { width, height, channels: 3 });
      const pictures = shown.map((band) => {
        const planes = spectra.map(({ re, im }) => {
          const inBand = (part: Float64Array) => part.map((value, k) => (membership[k] === band ? value : 0));
          return inverseFft2({ re: inBand(re), im: inBand(im) }, width, height);
        });
        return {
          label: `${bands[band].name} cycles per image`,
          values: Float32Array.from(lastFit, (_, i) => 0.5 + MAGNIFICATION * planes[i % 3][Math.floor(i / 3)]),
        };
      });
      const png = (colours: Float32Array) => pngOf({ width, height, pixels: quantised(colours) });
      return {
        encoding: encoding.kind,
        sigma,
        magnification: MAGNIFICATION,
        pictures: [
          { label: 'fit', png: await png(lastFit) },
          ...(await Promise.all(pictures.map(async (one) => ({ label: one.label, png: await png(one.values) })))),
        ],
      };
    }),
  );
}

function quantised(colours: Float32Array): Uint8Array {
  return Uint8Array.from(colours, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
}
