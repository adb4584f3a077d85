/** What a training step is given: images, points and their features, as functions of (seed, step). */
import type { Experiment } from '../config/schema.ts';
import { batchIndices, gatherTargets, pointIndices } from '../data/batches.ts';
import { addImageNoise, noiseOfImages } from '../data/imageNoise.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { fullView } from '../grid.ts';
import { makeGridEncoder } from '../models/encoding.ts';
import type { Generator } from '../models/generator.ts';
import { gridFeatureKernel } from '../ops/gridFeatures.ts';
import { type ImageTable, makeImageTable } from '../ops/imageTable.ts';
import { Random } from '../random.ts';
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../tf.ts';

/** A batch on the device. */
export interface Batch {
  /** Indices of the images, int32 [B]. */
  images: Tensor1D;
  /** Features of the points, [P,F], the same for every image. */
  features: Tensor2D;
  /** Colours of the points, [B,P,3]. */
  targets: Tensor3D;
  /** Added to the latents [B,D] (Zadeh et al. 2019, variational auto-decoder), or none. */
  latentNoise?: Tensor2D;
}

/** Numbers that go to the device in a step, and the shape of the tensor they become there. */
export interface InputArray {
  values: Float32Array | Int32Array;
  shape: number[];
}

/** What of a batch differs from step to step; the rest is on the device already, or is made there. */
export type BatchInputs = { images: InputArray } & Partial<
  Record<'pixels' | 'features' | 'targets' | 'latentNoise', InputArray>
>;
export type BatchTensors = { [Name in keyof BatchInputs]: Tensor };

/** Tensors of inputs, by the same names. */
export function uploaded<Inputs extends Record<string, InputArray | undefined>>(inputs: Inputs) {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => {
      const { values, shape } = input as InputArray;
      return [name, tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32')];
    }),
  ) as { [Name in keyof Inputs]: Tensor };
}

/** Makes the batches of a run. */
export class Batches {
  private readonly points: number;
  /** Images in a step. */
  readonly size: number;
  private readonly everyImage: Int32Array;
  private readonly encoder;
  /** Where every step sees every pixel, their features are the same each time. */
  private readonly allFeatures?: Tensor2D;
  /** Their indices then, on the device, where targets are gathered there. */
  private readonly allPixels?: Tensor1D;
  /** [count,H,W,3], where `data.noise` asks for it. */
  private readonly imageNoise?: Float32Array;
  /** The images on the device, where the engine keeps them there. */
  private readonly table?: ImageTable;
  /** Makes features on the device from the points' indices there, where the engine can. */
  private readonly encodeAt?: (pixels: Tensor1D) => Tensor2D;

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
    const { grid } = this.encoder;
    const kernel = gridFeatureKernel();
    if (this.points === pixels) this.allFeatures = this.encoder.tensor({ firstRow: 0, rowCount: images.height });
    else if (grid && kernel?.encodeAt) this.encodeAt = (indices) => (kernel.encodeAt as EncodeAt)(grid, indices);
    if (experiment.data.noise > 0) this.imageNoise = noiseOfImages(experiment.seed, experiment.data.noise, images);
    else this.table = makeImageTable(images.pixels, pixels);
    if (this.table && this.allFeatures) {
      this.allPixels = tf.tensor1d(pointIndices(experiment.seed, 0, pixels, pixels), 'int32');
    }
  }

  /** What of the batch of step 0, 1, … goes to the device. */
  inputsAt(step: number): BatchInputs {
    const { experiment, generator, images, size, points } = this;
    const { seed, train } = experiment;
    // A fit's fields lie in the order of the images, and all of them are trained in every step.
    const drawn = experiment.objective === 'fit' ? this.everyImage : batchIndices(seed, step, size, images.count);
    const inputs: BatchInputs = { images: { values: drawn, shape: [size] } };
    if (!this.allPixels) {
      const pixels = pointIndices(seed, step, points, images.width * images.height);
      if (this.table || this.encodeAt) inputs.pixels = { values: pixels, shape: [points] };
      if (!this.allFeatures && !this.encodeAt) {
        inputs.features = { values: this.encoder.pixels(pixels), shape: [points, generator.spec.layers[0].inputs] };
      }
      if (!this.table) {
        const targets = gatherTargets(images, drawn, pixels);
        if (this.imageNoise) addImageNoise(targets, this.imageNoise, drawn, pixels, images);
        inputs.targets = { values: targets, shape: [size, points, 3] };
      }
    }
    if (generator.latentSize > 0 && train.latentNoise > 0) {
      const random = new Random(seed, 'latentNoise', step);
      const values = random.normals(size * generator.latentSize, train.latentNoise);
      inputs.latentNoise = { values, shape: [size, generator.latentSize] };
    }
    return inputs;
  }

  /** The batch of those inputs; its tensors are theirs, the class's own, or belong to the surrounding tidy. */
  assemble({ images, pixels, features, targets, latentNoise }: BatchTensors): Batch {
    const indices = this.allPixels ?? (pixels as Tensor1D);
    return {
      images: images as Tensor1D,
      features: (this.allFeatures ?? features ?? this.encodeAt?.(indices)) as Tensor2D,
      targets: (targets ?? this.table?.gather(images as Tensor1D, indices)) as Tensor3D,
      latentNoise: latentNoise as Tensor2D | undefined,
    };
  }

  /** How often each image of the batch of that step will have been trained on after it. */
  visitsAfter(step: number): number {
    return Math.floor(step / Math.floor(this.images.count / this.size)) + 1;
  }

  dispose(): void {
    this.allFeatures?.dispose();
    this.allPixels?.dispose();
    this.table?.dispose();
  }
}

type EncodeAt = NonNullable<NonNullable<ReturnType<typeof gridFeatureKernel>>['encodeAt']>;
