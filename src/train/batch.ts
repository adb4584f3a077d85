/** What a training step is given: images, points and their features, as functions of (seed, step). */
import type { Experiment } from '../config/schema.ts';
import { batchIndices, gatherTargets, pointIndices } from '../data/batches.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { fullView } from '../grid.ts';
import { makeGridEncoder } from '../models/encoding.ts';
import type { Generator } from '../models/generator.ts';
import { Random } from '../random.ts';
import { type Tensor2D, type Tensor3D, tf } from '../tf.ts';

export interface Batch {
  /** Indices of the images, [B]. */
  images: Int32Array;
  /** Features of the points, [P,F], the same for every image. */
  features: Tensor2D;
  /** Colours of the points, [B,P,3]. */
  targets: Tensor3D;
  /** Added to the latents [B,D] (Zadeh et al. 2019, variational auto-decoder), or none. */
  latentNoise?: Tensor2D;
  /** How often each of these images will have been trained on after this step; sets the latents' bias correction. */
  visits: number;
}

/** Makes the batches of a run. */
export class Batches {
  private readonly points: number;
  private readonly size: number;
  private readonly everyImage: Int32Array;
  private readonly encoder;
  /** Where every step sees every pixel, their features are the same each time. */
  private readonly allFeatures?: Tensor2D;

  constructor(
    private readonly experiment: Experiment,
    private readonly generator: Generator,
    private readonly images: ImageSet,
  ) {
    const { points, batch } = experiment.train;
    const pixels = images.width * images.height;
    this.points = Math.min(points, pixels);
    this.size = experiment.objective === 'fit' ? images.count : Math.min(batch, images.count);
    this.everyImage = Int32Array.from({ length: images.count }, (_, i) => i);
    this.encoder = makeGridEncoder(generator.encoding, fullView(images.width, images.height));
    if (this.points === pixels) this.allFeatures = this.encoder.tensor({ firstRow: 0, rowCount: images.height });
  }

  /** The batch of step 0, 1, …; `release` it when done. */
  at(step: number): Batch {
    const { experiment, generator, images, size } = this;
    const { seed, train } = experiment;
    // A fit's fields lie in the order of the images, and all of them are trained in every step.
    const drawn = experiment.objective === 'fit' ? this.everyImage : batchIndices(seed, step, size, images.count);
    const pixels = pointIndices(seed, step, this.points, images.width * images.height);
    const noise = () => new Random(seed, 'noise', step).normals(size * generator.latentSize, train.latentNoise);
    return {
      images: drawn,
      features: this.allFeatures ?? this.encoder.tensor(pixels),
      targets: tf.tensor3d(gatherTargets(images, drawn, pixels), [size, this.points, 3]),
      latentNoise:
        generator.latentSize > 0 && train.latentNoise > 0
          ? tf.tensor2d(noise(), [size, generator.latentSize])
          : undefined,
      visits: Math.floor(step / Math.floor(images.count / size)) + 1,
    };
  }

  release(batch: Batch): void {
    batch.targets.dispose();
    batch.latentNoise?.dispose();
    if (!this.allFeatures) batch.features.dispose();
  }

  dispose(): void {
    this.allFeatures?.dispose();
  }
}
