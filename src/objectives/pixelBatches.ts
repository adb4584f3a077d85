/** Batches of pixels: some images, at points that they share, with the points' features and the images' colours there. */
import { batchIndices, gatherTargets, pointIndices } from '../data/batches.ts';
import { addImageNoise, noiseOfImages } from '../data/imageNoise.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { fullView, type View } from '../grid.ts';
import { psnrOfMse } from '../metrics/psnr.ts';
import { type Encoding, type GridEncoder, gridEncoder, pixelCoordinates } from '../models/encodings/encoding.ts';
import { fieldWeights, type Generator } from '../models/generator.ts';
import type { Parameters } from '../models/parameters.ts';
import { type FieldSpec, fieldForward, fieldLoss, type Precision } from '../ops/field.ts';
import { gridFeatureKernel } from '../ops/gridFeatures.ts';
import { type ImageTable, makeImageTable } from '../ops/imageTable.ts';
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../tf.ts';
import type { Batch, Batches, InputArray } from './objective.ts';

/** Where colours come from: images of one size. */
export interface ColourSource {
  count: number;
  width: number;
  height: number;
  /** Of the given pixels (row-major indices) of the given images, [B,P,3]. */
  colours(images: Int32Array, pixels: Int32Array): Float32Array;
  /** The images on the device, where the engine in use keeps them there. */
  table?(): ImageTable | undefined;
}

/** Colours of an image set in [0,1], with the noise of `data.noise` where asked for, the same in every step. */
export function imageColours(images: ImageSet, seed: number, imageNoise: number): ColourSource {
  const { count, width, height, pixels } = images;
  if (imageNoise === 0) {
    return {
      count,
      width,
      height,
      colours: (chosen, points) => gatherTargets(images, chosen, points),
      table: () => makeImageTable(pixels, width * height),
    };
  }
  const noise = noiseOfImages(seed, imageNoise, images); // [count,H,W,3]
  return {
    count,
    width,
    height,
    colours(chosen, points) {
      const targets = gatherTargets(images, chosen, points);
      addImageNoise(targets, noise, chosen, points, images);
      return targets;
    },
  };
}

export interface PixelBatchOptions {
  source: ColourSource;
  encoding: Encoding;
  seed: number;
  /** Pixels of an image in a step, at most. */
  points: number;
  /** Images of a step, in a random order that visits each once an epoch; `all`: every image, in its place. */
  batch: number | 'all';
  /**
   * What else a step needs, by name.
   *
   * @param images of the step, by index.
   */
  more?(step: number, images: Int32Array): Record<string, InputArray>;
}

/**
 * A batch has `images` (int32 [B]), `targets` [B,P,3] and either `features` [P,F], the same for every image, or, where
 * the encoding is trained, `coordinates` [P,2].
 */
export class PixelBatches implements Batches {
  readonly size: number;
  private readonly points: number;
  private readonly view: View;
  private readonly everyImage: Int32Array;
  private readonly encoder: GridEncoder;
  /** Where every step sees every pixel: their indices, here and on the device. */
  private readonly whole?: { values: Int32Array; pixels: Tensor1D };
  /** How features come about: the same in each step, made on the device from indices or coordinates, or uploaded. */
  private readonly features: 'constant' | 'indices' | 'coordinates' | 'uploaded';
  private readonly constantFeatures?: Tensor2D;
  private readonly encodeAt?: (pixels: Tensor1D) => Tensor2D;
  /** And targets: the same in each step, gathered on the device, or uploaded. */
  private readonly targets: 'constant' | 'gathered' | 'uploaded';
  private readonly constantTargets?: Tensor3D;
  private readonly table?: ImageTable;

  constructor(private readonly options: PixelBatchOptions) {
    const { source, encoding, batch } = options;
    const { count, width, height } = source;
    const pixels = width * height;
    this.points = Math.min(options.points, pixels);
    this.size = batch === 'all' ? count : Math.min(batch, count);
    this.everyImage = Int32Array.from({ length: count }, (_, i) => i);
    this.view = fullView(width, height);
    this.encoder = gridEncoder(encoding, this.view);
    if (this.points === pixels) {
      const values = pointIndices(options.seed, 0, pixels, pixels);
      this.whole = { values, pixels: tf.tensor1d(values, 'int32') };
    }
    const { grid, values } = this.encoder;
    const encodeAt = gridFeatureKernel()?.encodeAt;
    if (encoding.initial) this.features = 'coordinates';
    else if (this.whole) {
      this.features = 'constant';
      this.constantFeatures = this.encoder.tensor({ firstRow: 0, rowCount: height });
    } else if (grid && encodeAt) {
      this.features = 'indices';
      this.encodeAt = (indices) => encodeAt(grid, indices);
    } else this.features = values ? 'uploaded' : 'coordinates';
    this.table = source.table?.();
    if (this.table) this.targets = 'gathered';
    else if (this.whole && batch === 'all') {
      this.targets = 'constant';
      this.constantTargets = tf.tensor3d(source.colours(this.everyImage, this.whole.values), [count, pixels, 3]);
    } else this.targets = 'uploaded';
  }

  inputsAt(step: number): Record<string, InputArray> {
    const { source, encoding, seed, batch, more } = this.options;
    const { points, size, whole, features, targets } = this;
    const images = batch === 'all' ? this.everyImage : batchIndices(seed, step, size, source.count);
    const pixels = whole?.values ?? pointIndices(seed, step, points, source.width * source.height);
    const inputs: Record<string, InputArray> = { images: { values: images, shape: [size] } };
    if (!whole && (features === 'indices' || targets === 'gathered')) {
      inputs.pixels = { values: pixels, shape: [points] };
    }
    if (features === 'coordinates') {
      inputs.coordinates = { values: pixelCoordinates(this.view, pixels), shape: [points, 2] };
    } else if (features === 'uploaded') {
      const values = this.encoder.values?.(pixels) as Float32Array;
      inputs.features = { values, shape: [points, encoding.features] };
    }
    if (targets === 'uploaded') inputs.targets = { values: source.colours(images, pixels), shape: [size, points, 3] };
    return { ...inputs, ...more?.(step, images) };
  }

  assemble({ pixels, ...inputs }: Record<string, Tensor>): Batch {
    const { encoding } = this.options;
    const indices = this.whole?.pixels ?? (pixels as Tensor1D);
    const batch: Batch = { ...inputs };
    if (this.constantTargets) batch.targets = this.constantTargets;
    else if (this.table) batch.targets = this.table.gather(inputs.images as Tensor1D, indices);
    if (this.constantFeatures) batch.features = this.constantFeatures;
    else if (this.encodeAt) batch.features = this.encodeAt(indices);
    else if (inputs.coordinates && !encoding.initial) {
      batch.features = encoding.points(inputs.coordinates as Tensor2D, {});
    }
    return batch;
  }

  dispose(): void {
    const { whole, constantFeatures, constantTargets, table } = this;
    for (const tensor of [whole?.pixels, constantFeatures, constantTargets]) tensor?.dispose();
    table?.dispose();
  }
}

/** The field as it is trained: drawing always has full precision. One object an objective: engines keep plans by it. */
export function trainedSpec({ spec }: Generator, precision: Precision): FieldSpec {
  return precision === 'float32' ? spec : { ...spec, precision };
}

/** Mean squared error of a batch of pixels, over images, points and channels. */
export function pixelError(
  generator: Generator,
  spec: FieldSpec,
  parameters: Parameters,
  latents: Tensor2D | undefined,
  { features, coordinates, targets }: Batch,
): Scalar {
  const weights = fieldWeights(generator, parameters, latents);
  if (!generator.encoding.initial) return fieldLoss(spec, weights, features, targets as Tensor3D);
  // A trained encoding's features need a gradient, which those that fields share have none of: each gets its own.
  const shared = generator.encoding.points(coordinates as Tensor2D, parameters); // [P,F]
  const own = tf.tile(tf.expandDims(shared, 0), [targets.shape[0], 1, 1]); // [B,P,F]
  return tf.mean(tf.squaredDifference(fieldForward(spec, weights, own), targets)) as Scalar;
}

/** What is logged of a reported `meanSquaredError`: the PSNR in dB. */
export function psnrOfReport({ meanSquaredError }: Readonly<Record<string, number>>): Record<string, number> {
  return { psnr_db: psnrOfMse(meanSquaredError) };
}
