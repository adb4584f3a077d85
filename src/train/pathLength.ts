/** How far a generator's images move along a path of latents, per band. */
import type { BandPartition } from '../eval/bands.ts';
import { meanInterval, meanOf } from '../eval/bootstrap.ts';
import { planeSpectra } from '../eval/noise.ts';
import type { PathLength } from '../eval/perturbStudyData.ts';
import { Random } from '../random.ts';
import { disposeFields } from '../render/drawableField.ts';
import { latentFields, type Model, sampleLatents } from '../render/model.ts';
import { renderImagesFloat } from '../render/render.ts';

/** Fields drawn at once; bounds memory. */
const BATCH = 16;

/**
 * Perceptual path length without a perceptual network (Karras et al. 2019, §4.1): d is the squared difference in a band.
 * Between pairs of latents, linearly, at a random place; float differences, so ε is not as small as for 8-bit images.
 */
export async function pathLength(
  model: Model,
  partition: BandPartition,
  { pairs, epsilon, seed }: { pairs: number; epsilon: number; seed: number },
): Promise<PathLength> {
  const { latentSize } = model.generator;
  const ends = await sampleLatents(model, { seed, count: 2 * pairs });
  const random = new Random(seed, 'evaluation', 1);
  const perPair: Float64Array[] = [];
  const { width, height } = partition;
  for (let first = 0; first < pairs; first += BATCH) {
    const count = Math.min(BATCH, pairs - first);
    const places = Array.from({ length: count }, () => random.uniform());
    const at = (offset: number) =>
      Float32Array.from({ length: count * latentSize }, (_, i) => {
        const pair = Math.floor(i / latentSize);
        const [a, b] = [0, 1].map((end) => ends[(2 * (first + pair) + end) * latentSize + (i % latentSize)]);
        return a + (places[pair] + offset) * (b - a);
      });
    const images: Float32Array[][] = [];
    for (const offset of [0, epsilon]) {
      const field = latentFields(model, at(offset));
      images.push(await renderImagesFloat(field, model.training));
      disposeFields(field);
    }
    for (let i = 0; i < count; i++) {
      const difference = images[1][i].map((value, p) => (value - images[0][i][p]) / epsilon);
      const sums = new Float64Array(partition.bands.length);
      for (const { re, im } of planeSpectra(difference, { width, height, channels: 3 })) {
        for (let k = 0; k < re.length; k++) {
          sums[partition.membership[k]] += (re[k] ** 2 + im[k] ** 2) / (3 * (width * height) ** 2);
        }
      }
      perPair.push(sums);
    }
  }
  return { epsilon, pairs, bands: summarize(perPair, partition, new Random(seed, 'evaluation', 2)) };
}

function summarize(perPair: readonly Float64Array[], partition: BandPartition, random: Random): PathLength['bands'] {
  return partition.bands.map(({ name }, b) => {
    const values = perPair.map((sums) => sums[b]);
    const [low, high] = meanInterval(values, random);
    return { name, pathLength: meanOf(values), low, high };
  });
}
