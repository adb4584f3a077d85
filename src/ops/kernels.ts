/**
 * What an engine may bring to make models fast: one object of kernels, each of which stands in for an operation that is
 * otherwise composed of TensorFlow.js ops. Any of them may be missing.
 */
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../tf.ts';
import type { FieldSpec, FieldWeights } from './fieldSpec.ts';

export interface Kernels {
  /** The field and its gradients (field.ts). */
  field?: FieldKernel;
  /** The heads of a hypernetwork (heads.ts). */
  heads?: HeadsKernel;
  /** Fourier features of a grid of pixels (gridFeatures.ts). */
  gridFeatures?: GridFeatureKernel;
  /** Training images kept on the device (imageTable.ts). */
  imageTable?: ImageTableMaker;
  /** Adam and moving averages (optimizer.ts). */
  optimizer?: OptimizerKernel;
  /** Colours as bytes (quantise.ts). */
  quantise?: Quantiser;
  /** Work that is done over and over (recording.ts). */
  record?: Recorder;
}

const kernelsOfBackend = new Map<string, Kernels>();
const NONE: Kernels = {};

/** Makes `kernels` serve, and no others, whenever the TensorFlow.js backend of that name is in use. */
export function useKernels(backendName: string, kernels: Kernels): void {
  kernelsOfBackend.set(backendName, kernels);
}

/** The kernels of the backend in use. */
export function kernelsInUse(): Kernels {
  return kernelsOfBackend.get(tf.getBackend()) ?? NONE;
}

/**
 * How many gradients are being taken around what is computed now: how often it may be differentiated. The gradients of
 * fused kernels are opaque to TensorFlow.js, so they serve within one gradient at most; within a gradient of a gradient
 * the composed operation does, which has derivatives of every order.
 */
export function gradientDepth(): number {
  return tf.engine().state.gradientDepth;
}

/** What `lossAndGradients` computes in one pass. Gradients are of the *mean* loss. */
export interface FieldLossResult {
  /** Mean squared error of each field over its points and channels, [B]. */
  losses: Tensor;
  /** d(mean of losses)/d(kernel), each [B, inputs, outputs]. */
  kernels: Tensor3D[];
  /** d(mean of losses)/d(bias), each [B, outputs]. */
  biases: Tensor2D[];
}

/**
 * A fused implementation. `features` are [P,F], shared by all fields, or [B,P,F]. A kernel that can't serve a spec
 * says so in `supports`, and the reference is used instead.
 *
 * Weights come as [B,…], repeated where fields share them, unless the kernel serves these as they are.
 */
export interface FieldKernel {
  supports(spec: FieldSpec, features: Tensor): boolean;
  /** Whether weights that fields share come as [1,…], and their gradients go back so: summed over the fields. */
  servesShared?: boolean;
  /**
   * The value of a scalar, where the processor knows it. A loss that is minimised by itself, or as one term of a sum, has a
   * gradient of 1 then, and need not be multiplied with it.
   */
  knownValue(scalar: Tensor): number | undefined;
  /** Fewer points than this take about as long: drawing gives it so many at a time. */
  pointsAtOnce?: number;
  /** Whether it multiplies in 16 bits where the spec is `mixed`; otherwise such a spec means 32. */
  isMixed?(spec: FieldSpec): boolean;
  /** [B,P,C] */
  forward(spec: FieldSpec, weights: FieldWeights, features: Tensor): Tensor3D;
  lossAndGradients(spec: FieldSpec, weights: FieldWeights, features: Tensor, targets: Tensor3D): FieldLossResult;
  /** `forward` over whole rows of a grid of pixels whose features need not be made: [B, rowCount·width, C]. */
  forwardOnGrid?(spec: FieldSpec, weights: FieldWeights, grid: FourierGrid, rows: GridRows): Tensor3D;
  /**
   * Gradients of a function of the field's output with respect to the weights and, where wanted, the features, from its
   * gradient with respect to that output [B,P,C].
   */
  gradients(
    spec: FieldSpec,
    weights: FieldWeights,
    features: Tensor,
    outputGradient: Tensor3D,
    wantFeatures: boolean,
  ): { kernels: Tensor3D[]; biases: Tensor2D[]; features?: Tensor };
}

/** A fused implementation. Tensors come as hidden [B,M], then kernel [M,O] and shared [O] of each head in turn. */
export interface HeadsKernel {
  /** [B,O] of each head. */
  forward(inputs: readonly Tensor[]): Tensor[];
  /** Gradients of all inputs, in their order, from those of the outputs. */
  backward(inputs: readonly Tensor[], outputGradients: readonly Tensor[]): Tensor[];
}

/** A separable grid: phases 2π(fx·x + fy·y). */
export interface FourierGrid {
  /** Column and row centres, in image units. */
  xs: Float64Array;
  ys: Float64Array;
  /** [K,2] row-major: cycles per image along x and y. */
  frequencies: Float64Array;
  /** Factor of each frequency, [K], or none. */
  gains?: Float64Array;
}

export interface GridRows {
  firstRow: number;
  rowCount: number;
}

/** Some pixels of a grid: whole rows, or row-major indices. */
export type GridPixels = GridRows | Int32Array;

export interface GridFeatureKernel {
  /** Features [P,2K], all sines and then all cosines of a pixel. */
  encode(grid: FourierGrid, pixels: GridPixels): Tensor2D;
  /** The same for pixels whose row-major indices (int32) are on the device already. */
  encodeAt?(grid: FourierGrid, pixels: Tensor1D): Tensor2D;
}

export interface ImageTable {
  /** Colours of the given pixels of the given images (int32 indices), in [0,1]: [B,P,3]. */
  gather(images: Tensor1D, pixels: Tensor1D): Tensor3D;
  dispose(): void;
}

/** Makes a table of images [count, pixels, 3], or none where they don't fit. */
export type ImageTableMaker = (values: Uint8Array, pixelsOfImage: number) => ImageTable | undefined;

export interface AdamHyperparameters {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Number of this update, from 1: sets the bias corrections. */
  step: number;
}

/** A parameter and its two moments. */
export interface AdamState {
  parameter: Tensor;
  firstMoment: Tensor;
  secondMoment: Tensor;
}

/** A parameter with its moments, its average where it has one, and its gradient where it is to be updated. */
export interface Trained {
  state: AdamState;
  average?: Tensor;
  gradient?: Tensor;
}

/**
 * What all parameters are updated with. `values` holds the same numbers on the device (`updateValues`), for engines that
 * record a step and repeat it with other values; `guard` is the loss: where it is not finite, such an engine changes
 * nothing.
 */
export interface UpdateOptions {
  hyperparameters: AdamHyperparameters;
  /** average ← decay·average + (1−decay)·parameter */
  decay: number;
  values: Tensor1D;
  guard: Tensor;
}

/** What rows of a table are updated with: each has had its own number of updates, which `hyperparameters.step` is not. */
export interface RowUpdateOptions extends UpdateOptions {
  /** Number of this update of each row, from 1, [B]: sets its bias corrections. */
  counts: Int32Array;
  /** Step size and root correction of each row, [B,2]: the same on the device (`rowCorrections`). */
  corrections: Tensor2D;
}

/** A fused implementation. Its functions own the state they are given: they may write in place or dispose it. */
export interface OptimizerKernel {
  adam(state: AdamState, gradient: Tensor, hyperparameters: AdamHyperparameters): AdamState;
  /** average ← decay·average + (1−decay)·value */
  ema(average: Tensor, value: Tensor, decay: number): Tensor;
  /** Both over all parameters at once. */
  updateAll?(parameters: readonly Trained[], options: UpdateOptions): Trained[];
  /** Adam on some rows of a table [N,D]: `rows` [B] int32, gradient [B,D]; the other rows keep values and moments. */
  updateRows?(table: AdamState, rows: Tensor1D, gradient: Tensor, options: RowUpdateOptions): AdamState;
}

/** round(255·x) of every value, x clamped to [0,1]; undefined where a value is not a number. */
export type Quantiser = (colours: Tensor) => Promise<Uint8Array | undefined>;

export interface Recording {
  /** What the work returned when it was recorded. */
  first: Promise<Float32Array>;
  /**
   * Does the work again with other values in its inputs, in their order.
   *
   * @returns the values of what the work returned, once they are there; other repetitions may be asked for before.
   */
  repeat(inputs: readonly (Float32Array | Int32Array)[]): Promise<Float32Array>;
  dispose(): void;
}

/**
 * Does `work` once, recording it. All that may differ next time must be in `inputs`; everything else that it reads or
 * changes in place stays where it is, and must outlive the recording.
 */
export type Recorder = (inputs: readonly Tensor[], work: () => Tensor) => Recording;
