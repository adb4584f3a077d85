/** A set of generated images against a set of reference images, unpaired: everything that needs no learned weights. */
import { Random } from '../random.ts';
import { densityCoverage, expectedCoverage } from './densityCoverage.ts';
import { diversityPairs, pairSimilarities } from './diversity.ts';
import { kernelDistance } from './kernelDistance.ts';
import { RANDOM_FEATURES, randomFeatures } from './randomFeatures.ts';
import type { EvaluationResult } from './result.ts';
import { slicedFindings, waveletFindings } from './setDistances.ts';
import { type Findings, leftOut, SET_METRICS, type SetMetric, type Sets } from './setFindings.ts';
import { compareSpectra } from './setSpectra.ts';
import { FEWEST_RESAMPLED, type Interval, meanInterval, meanOf, withoutUnknown } from './signal/bootstrap.ts';
import { channelsOf, type ImageStack, selectImages } from './signal/imageStack.ts';
import { similarityScales } from './ssim.ts';

export { SET_METRICS, type SetMetric };

export interface SetEvaluation {
  result: EvaluationResult;
  /** What was left out, and why. */
  notes: string[];
}

export interface SetOptions {
  metrics?: readonly SetMetric[];
  /** Of resampling, splits, patches and directions. */
  seed?: number;
  /** Before the metrics' names: `samples_`. */
  prefix?: string;
  /** Called as each metric begins. */
  onMetric?: (metric: SetMetric) => void;
}

/** Neighbours whose distance is a ball's radius, where there are so many images. */
const NEIGHBOURS = 5;
/** Features are compared all with all, so of at most this many images a side, drawn at random. */
const MOST_FEATURES = 1000;

const EVALUATORS: Record<Exclude<SetMetric, 'kid' | 'coverage'>, (sets: Sets) => Findings> = {
  spectrum: spectrumFindings,
  fwd: waveletFindings,
  swd: slicedFindings,
  diversity: diversityFindings,
};

/** @throws RangeError for sets of different sizes, or of fewer than 2 images; RunError where a value is not finite. */
export function evaluateImageSets(
  generated: ImageStack,
  reference: ImageStack,
  options: SetOptions = {},
): SetEvaluation {
  const { metrics = SET_METRICS, seed = 0, prefix = '', onMetric = () => {} } = options;
  const shape = (stack: ImageStack) => `${stack.width}x${stack.height}x${channelsOf(stack)}`;
  if (shape(generated) !== shape(reference)) {
    throw new RangeError(`images of ${shape(generated)} against images of ${shape(reference)}`);
  }
  if (Math.min(generated.count, reference.count) < 2) throw new RangeError('a set needs at least 2 images');
  for (const [side, stack] of Object.entries({ generated, reference })) {
    const values = stack.count * stack.width * stack.height * channelsOf(stack);
    if (stack.pixels.length !== values) {
      throw new RangeError(
        `${stack.count} ${side} images of ${shape(stack)} are ${values} values, got ${stack.pixels.length}`,
      );
    }
  }
  // Each metric's parts have steps of their own.
  const random: Sets['random'] = (metric, part = 0) =>
    new Random(seed, 'evaluation', SET_METRICS.indexOf(metric) + SET_METRICS.length * part);
  const sets: Sets = { generated, reference, random };
  let features: ReturnType<typeof featuresOf> | undefined;
  const found = metrics.map((metric): Findings => {
    onMetric(metric);
    if (metric !== 'kid' && metric !== 'coverage') return EVALUATORS[metric](sets);
    features ??= featuresOf(sets);
    return metric === 'kid' ? kernelFindings(features) : coverageFindings(features);
  });
  const named = <T>(part: 'metrics' | 'intervals') =>
    Object.fromEntries(
      found.flatMap((one) => Object.entries(one[part] ?? {}).map(([name, value]) => [prefix + name, value as T])),
    );
  return {
    result: {
      protocol: protocolOf(generated, reference, metrics),
      metrics: {
        [`${prefix}images_generated`]: generated.count,
        [`${prefix}images_reference`]: reference.count,
        ...named<number>('metrics'),
      },
      intervals: withoutUnknown(named<Interval>('intervals')),
      bands: found.find(({ bands }) => bands)?.bands,
      rings: found.find(({ rings }) => rings)?.rings,
    },
    notes: found.flatMap(({ notes = [] }) => notes),
  };
}

function spectrumFindings({ generated, reference, random }: Sets): Findings {
  if (Math.min(generated.width, generated.height) < 2) {
    return leftOut('spectrum', 'its window needs images of at least 2 pixels along both axes');
  }
  const spectra = compareSpectra(generated, reference, random('spectrum'));
  const { floor, slopes, octaves, rings } = spectra;
  const metrics: Record<string, number> = {};
  const intervals: Record<string, Interval> = {};
  const notes: string[] = [];
  if (Math.min(generated.count, reference.count) < FEWEST_RESAMPLED) {
    notes.push(`spectra have no intervals: resampling needs ${FEWEST_RESAMPLED} images a side`);
  }
  if (spectra.comparedRings > 0) {
    const lsd = `lsd_r${spectra.comparedRings}_n${generated.count}_db`;
    metrics[lsd] = spectra.lsdDb;
    intervals[lsd] = spectra.lsdIntervalDb;
    if (floor) metrics[`lsd_floor_r${spectra.comparedRings}_n${floor.images}_db`] = floor.lsdDb;
  } else {
    notes.push('lsd is left out: neither set has a ring with more power than rounding');
  }
  for (const { name, deltaDb, deltaDbLow, deltaDbHigh } of octaves) {
    metrics[`delta_${name}_n${generated.count}_db`] = deltaDb;
    intervals[`delta_${name}_n${generated.count}_db`] = [deltaDbLow, deltaDbHigh];
  }
  for (const [side, { count }] of Object.entries({ generated, reference })) {
    const { value, interval } = slopes[side as 'generated' | 'reference'];
    if (Number.isNaN(value)) {
      notes.push(
        `slope_${side} is left out: fewer than two rings from 4 cycles per image up have more power than rounding`,
      );
      continue;
    }
    metrics[`slope_${side}_n${count}`] = value;
    intervals[`slope_${side}_n${count}`] = interval;
  }
  const entries = (bands: typeof rings) => bands.map((band) => ({ ...band }));
  return { metrics, intervals, notes, bands: entries(octaves), rings: entries(rings) };
}

function diversityFindings({ generated, reference, random }: Sets): Findings {
  const scales = similarityScales(generated.width, generated.height);
  if (scales === 0) return leftOut('diversity', "MS-SSIM's window of 11 pixels does not fit the images");
  const source = random('diversity');
  const findings: Required<Pick<Findings, 'metrics' | 'intervals'>> = { metrics: {}, intervals: {} };
  for (const [side, stack] of Object.entries({ generated, reference })) {
    const similarities = pairSimilarities(stack, diversityPairs(stack.count, source));
    const name = `ms_ssim_${side}_s${scales}_pairs${similarities.length}`;
    findings.metrics[name] = meanOf(similarities);
    findings.intervals[name] = meanInterval(similarities, source);
  }
  return findings;
}

function featuresOf({ generated, reference, random }: Sets) {
  const source = random('kid');
  const some = (stack: ImageStack) =>
    randomFeatures(
      stack.count > MOST_FEATURES ? selectImages(stack, source.sample(stack.count, MOST_FEATURES)) : stack,
    );
  const [a, b] = [some(generated), some(reference)];
  return { generated: a, reference: b, count: a.length / RANDOM_FEATURES, references: b.length / RANDOM_FEATURES };
}

function kernelFindings({ generated, reference, count }: ReturnType<typeof featuresOf>): Findings {
  const { value, interval } = kernelDistance(generated, reference, RANDOM_FEATURES);
  const name = `kid_random${RANDOM_FEATURES}_n${count}`;
  return { metrics: { [name]: value }, intervals: { [name]: interval } };
}

function coverageFindings(features: ReturnType<typeof featuresOf>): Findings {
  const { generated, reference, count, references } = features;
  if (references <= NEIGHBOURS) {
    return leftOut('coverage', `it needs more than ${NEIGHBOURS} reference images, there are ${references}`);
  }
  const { density, coverage, points } = densityCoverage(generated, reference, RANDOM_FEATURES, NEIGHBOURS);
  const suffix = `k${NEIGHBOURS}_random${RANDOM_FEATURES}_n${count}`;
  return {
    metrics: {
      [`density_${suffix}`]: density.value,
      [`coverage_${suffix}`]: coverage.value,
      [`coverage_expected_${suffix}`]: expectedCoverage(references, count, NEIGHBOURS),
    },
    intervals: {
      [`density_${suffix}`]: density.interval,
      [`coverage_${suffix}`]: coverage.interval,
    },
    ...(points > 0 && {
      notes: [
        `density and coverage: ${points} of ${references} reference images have ${NEIGHBOURS} copies or more; ` +
          'only further copies count as near them',
      ],
    }),
  };
}

function protocolOf(generated: ImageStack, reference: ImageStack, metrics: readonly SetMetric[]): string {
  const { width, height, count } = generated;
  const bytes = [generated, reference].every(({ pixels }) => pixels instanceof Uint8Array);
  return (
    `unpaired (${metrics.join(', ')}), ${count} generated against ${reference.count} reference images of ` +
    `${width}x${height}x${channelsOf(generated)}, sRGB-encoded in [0,1]${bytes ? ' (both sides 8-bit)' : ''}; spectra: ` +
    'periodic separable Hann window, windowed mean removed, |X|²/Σw², averaged over images and channels before the ' +
    'logarithm, rings by floor; FWD: Haar packets, channels joined, covariance /(N−1); SWD: 7×7 patches, 8,192 a set ' +
    'and level, 256 directions, ×1000; KID, density, coverage: features of a random network, no learned weights; ' +
    'floors: halves of the reference, mean over 8 balanced splits (LSD: root mean square over 16 random ones); intervals: ' +
    '95 %, over images: bootstrap, FWD, KID, density and coverage jackknife, SWD random groups'
  );
}
