/** A noise study from its options to its files: `noise.json`, `summary.json` and `noise.html` in a folder. */
import { join } from 'node:path';
import { startEngine } from '../../engine/engine.ts';
import { writeFileAtomically } from '../../files/atomicFile.ts';
import { fileError } from '../../files/fileErrors.ts';
import { makeFolder } from '../../files/makeFolder.ts';
import { Progress } from '../../files/progress.ts';
import { readEvaluation, readSummary, writeEvaluation } from '../../run/evaluations.ts';
import { bandDifferences, labelledPicture } from '../report/bandPictures.ts';
import { type NoiseOptions, planNoiseStudy } from './options.ts';
import { type DifferencePictures, noisePage } from './page.ts';
import { noiseResult } from './result.ts';
import { runNoiseStudy } from './study.ts';
import type { EncodingStudy, NoiseStudyData } from './studyData.ts';

/**
 * Plans and runs a study, and writes its files.
 *
 * @param options.engine which engine computes; the config's where left out.
 * @param files.command how the study is made again, for its page.
 * @returns what was measured, and the paths of the numbers and the page.
 */
export async function writeNoiseStudy(
  options: NoiseOptions & { engine?: string },
  { folder, command }: { folder: string; command: string },
  say: (line: string) => void,
): Promise<{ studies: readonly EncodingStudy[]; numbers: string; page: string }> {
  const plan = await planNoiseStudy(options, say);
  const { image, experiment, encodings, sigmas } = plan;
  const engine = await startEngine(options.engine ?? experiment.engine);
  await makeFolder(folder).catch((error: unknown) => {
    throw fileError('make the folder', folder, error);
  });
  const [numbers, page] = [join(folder, 'noise.json'), join(folder, 'noise.html')];
  // Fails before minutes go into fits, rather than after, where what the folder holds is not to be replaced.
  await readSummary(folder);
  await readEvaluation(numbers);
  const { draws, impulses, impulseAmplitude, optimizer } = options;
  const fields = 1 + sigmas.length * draws + impulses;
  say(
    `${image.name}, ${image.width}x${image.height}; ${encodings.length} encodings, ${fields} fits each; engine ${engine.name}`,
  );
  const progress = new Progress({ label: 'noise study', total: encodings.length * experiment.train.steps });
  const data = await runNoiseStudy({
    ...plan,
    draws,
    optimizer,
    impulses,
    impulseAmplitude,
    onProgress: (done) => progress.update(done),
  });
  progress.finish();
  await writeEvaluation(folder, 'noise', noiseResult(data));
  await writeFileAtomically(page, noisePage(data, await differencePictures(data), command));
  return { studies: data.studies, numbers, page };
}

/** By how much differences from the clean image are magnified. */
const MAGNIFICATION = 4;

/**
 * Pictures for every encoding at the middle noise level: the fit, and its difference from the clean image in the upper
 * bands.
 */
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
