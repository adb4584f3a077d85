/** Pictures that show what a run has learned: a sheet of samples, and one image far beyond the size it was learned at. */
import { join } from 'node:path';
import type { ImageSet } from '../../data/imageSet.ts';
import { fullView } from '../../grid.ts';
import { contactSheet } from '../../render/contactSheet.ts';
import { withFields } from '../../render/drawableField.ts';
import { writeImage } from '../../render/imageFile.ts';
import { imageFields, latentFields, type Model, sampleLatents } from '../../render/model.ts';
import { reconstructionPsnrs, referenceOf, spreadIndices } from '../../render/reconstructions.ts';
import { renderImages, renderScanlines } from '../../render/render.ts';

const LARGE = 2048;
const SHEET = { count: 36, size: 128 };

/** The image that is drawn neither well nor badly: of median PSNR among some. */
export async function typicalImage(model: Model, images: ImageSet): Promise<number> {
  const candidates = spreadIndices(images.count, 64);
  const psnrs = await reconstructionPsnrs(model, referenceOf(images, candidates));
  const ranked = candidates.map((image, i) => ({ image, psnr: psnrs[i] })).sort((a, b) => a.psnr - b.psnr);
  return ranked[Math.floor(ranked.length / 2)].image;
}

/** @returns the files' paths. */
export async function drawShowpieces(
  model: Model,
  { images, seed, folder }: { images: ImageSet; seed: number; folder: string },
): Promise<string[]> {
  const samples = latentFields(model, await sampleLatents(model, { seed, count: SHEET.count }));
  const drawn = await withFields(samples, (field) => renderImages(field, fullView(SHEET.size, SHEET.size)));
  const sheet = contactSheet(drawn, SHEET.size, SHEET.size);
  const sheetPath = join(folder, 'samples.png');
  await writeImage(sheetPath, sheet.width, sheet.height, [sheet.pixels]);

  const large = imageFields(model, [await typicalImage(model, images)]);
  const largePath = join(folder, `large-${LARGE}.png`);
  await withFields(large, (field) =>
    writeImage(largePath, LARGE, LARGE, renderScanlines(field, fullView(LARGE, LARGE))),
  );
  return [sheetPath, largePath];
}
