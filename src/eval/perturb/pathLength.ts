/** How far a generator's images move along a path of latents, per band. */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { planeSpectra } from '../../metrics/noiseResponse.ts';
import { type Band, octavePartition, ringPartition, sumByBand } from '../../metrics/signal/bands.ts';
import { jackknifeRatio } from '../../metrics/signal/jackknife.ts';
import { Random } from '../../random.ts';
import { withFields } from '../../render/drawableField.ts';
import { latentFields, latentSpaceOf, type Model, sampleLatents } from '../../render/model.ts';
import { renderImagesFloat } from '../../render/render.ts';
import type { BandPathLength, PathLength } from './studyData.ts';

/** Fields drawn at once; bounds memory. */
const BATCH = 16;

/**
 * Perceptual path length without a perceptual network (Karras et al. 2019, §4.1): d is the squared difference in a band.
 * Between pairs of latents, linearly, at a random place; float differences, so ε is not as small as for 8-bit images.
 */
export async function pathLength(
  model: Model,
  { pairs, epsilon, seed }: { pairs: number; epsilon: number; seed: number },
): Promise<PathLength> {
  const { size: latentSize } = latentSpaceOf(model);
  const { width, height } = model.training;
  const partitions = { bands: octavePartition(width, height), rings: ringPartition(width, height) };
  const ends = await sampleLatents(model, { seed, count: 2 * pairs });
  const random = new Random(seed, 'pathPlaces');
  const lengths: Record<keyof typeof partitions, Float64Array[]> = { bands: [], rings: [] };
  for (let first = 0; first < pairs; first += BATCH) {
    await eventLoopTurn(); // lets Ctrl-C in
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
      images.push(
        await withFields(latentFields(model, at(offset)), (field) => renderImagesFloat(field, model.training)),
      );
    }
    for (let i = 0; i < count; i++) {
      const difference = images[1][i].map((value, p) => (value - images[0][i][p]) / epsilon);
      const power = powerOf(difference, model.training);
      for (const kind of ['bands', 'rings'] as const) lengths[kind].push(sumByBand(power, partitions[kind]));
    }
  }
  const over = (kind: keyof typeof partitions) => summarize(lengths[kind], partitions[kind].bands);
  return { epsilon, pairs, bands: over('bands'), rings: over('rings') };
}

/** Each mode's part of the mean square of an image [H,W,3], [H,W]. */
function powerOf(image: Float32Array, { width, height }: { width: number; height: number }): Float64Array {
  const power = new Float64Array(width * height);
  for (const { re, im } of planeSpectra(image, { width, height, channels: 3 })) {
    for (let k = 0; k < power.length; k++) power[k] += (re[k] ** 2 + im[k] ** 2) / (3 * (width * height) ** 2);
  }
  return power;
}

function summarize(lengths: readonly Float64Array[], bands: readonly Band[]): BandPathLength[] {
  const ones = new Float64Array(lengths.length).fill(1);
  return bands.map((band, b) => {
    const values = lengths.map((ofBands) => ofBands[b]);
    const { value, interval } = jackknifeRatio(values, ones, 'log');
    return { ...band, pathLength: value, pathLengthLow: interval[0], pathLengthHigh: interval[1] };
  });
}
