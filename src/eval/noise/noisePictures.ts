/** Pictures of what the fits of a noise study got wrong. */

import { bandDifferences, labelledPicture } from '../report/bandPictures.ts';
import type { DifferencePictures } from './page.ts';
import type { NoiseStudyData } from './studyData.ts';

const MAGNIFICATION = 4;

/** Of every encoding at the middle noise level: the fit, and its difference from the clean image in the upper bands. */
export async function differencePictures({ image, studies }: NoiseStudyData): Promise<DifferencePictures[]> {
  return Promise.all(
    studies.map(async ({ encoding, levels }) => {
      const { sigma, lastFit } = levels[Math.floor((levels.length - 1) / 2)];
      const pictures = [
        { label: 'fit', values: lastFit },
        ...bandDifferences(lastFit, image.values, image, MAGNIFICATION),
      ].map(({ label, values }) => labelledPicture(label, values, image));
      return { encoding: encoding.kind, sigma, magnification: MAGNIFICATION, pictures: await Promise.all(pictures) };
    }),
  );
}
