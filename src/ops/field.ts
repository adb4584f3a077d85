/**
 * The field operation: B coordinate networks, each with its own weights, evaluated over P points at once.
 *
 * This is the hot path of the whole project. `fieldForward` and `fieldLoss` run as one fused kernel where the engine
 * in use brings one (`registerFieldKernel`); elsewhere they are composed of TensorFlow.js ops (`fieldReference.ts`),
 * which are also the reference that every kernel is tested against.
 */
import { type Scalar, type Tensor, type Tensor2D, type Tensor3D, tf } from '../tf.ts';
import { referenceForward, referenceLoss } from './fieldReference.ts';
import type { FourierGrid, GridRows } from './gridFeatures.ts';

/** Kernels name an activation by its place in this list. */
export const ACTIVATIONS = ['relu', 'leakyRelu', 'gelu', 'sine', 'finer', 'gaussian'] as const;
export type Activation = (typeof ACTIVATIONS)[number];
export type Precision = 'float32' | 'mixed';
export type OutputActivation = 'linear' | 'sigmoid';

export interface FieldLayerShape {
  inputs: number;
  outputs: number;
}

/** Everything about a field but its weights. The last layer is followed by `output`, every other by `activation`. */
export interface FieldSpec {
  layers: readonly FieldLayerShape[];
  /**
   * Index of a layer after the first whose input is [activations of the layer before, features], in this order (Park et
   * al. 2019, DeepSDF; Mildenhall et al. 2020, NeRF): its `inputs` count both. Absent: none.
   */
  skipLayer?: number;
  activation: Activation;
  /**
   * Frequency ω₀ of the sine activation sin(ω₀z), z = xW+b (Sitzmann et al. 2020, §3.2), and of FINER, and the inverse
   * width of the Gaussian; other activations ignore it.
   */
  omega: number;
  output: OutputActivation;
  /**
   * What `fieldLoss` multiplies with, where the engine can: `mixed` rounds weights, activations and deltas to 16 bits and
   * sums in 32 (Micikevicius et al. 2018). Absent, and elsewhere: 32 bits throughout.
   */
  precision?: Precision;
}

/** Weights of B fields: per layer a kernel [B, inputs, outputs] and a bias [B, outputs]. */
export interface FieldWeights {
  kernels: readonly Tensor3D[];
  biases: readonly Tensor2D[];
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
 */
export interface FieldKernel {
  supports(spec: FieldSpec, features: Tensor): boolean;
  /** The value of a scalar, where it can be told at once: what is minimised alone or in a sum has a gradient of 1. */
  knownValue(scalar: Tensor): number | undefined;
  /** Points that it takes about as long over as over one: drawing gives it so many at once. */
  pointsAtOnce?: number;
  /** Whether it multiplies a `mixed` spec in 16 bits here; elsewhere such a spec means 32. */
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

const fieldKernels = new Map<string, FieldKernel>();

/** Makes `kernel` serve the field operation whenever the TensorFlow.js backend of that name is in use. */
export function registerFieldKernel(backendName: string, kernel: FieldKernel): void {
  fieldKernels.set(backendName, kernel);
}

function kernelFor(spec: FieldSpec, features: Tensor): FieldKernel | undefined {
  const kernel = fieldKernels.get(tf.getBackend());
  return kernel?.supports(spec, features) ? kernel : undefined;
}

/** Points that the engine in use wants at once where it has a choice (drawing). */
export function pointsAtOnce(): number | undefined {
  return fieldKernels.get(tf.getBackend())?.pointsAtOnce;
}

/** Whether a spec whose precision is `mixed` is trained in mixed precision on the engine in use. */
export function isTrainedMixed(spec: FieldSpec): boolean {
  return fieldKernels.get(tf.getBackend())?.isMixed?.(spec) ?? false;
}

/** The number of features a field reads, of channels it writes, and of weights and biases it has. */
export function fieldDimensions(spec: FieldSpec): { features: number; channels: number; weightCount: number } {
  return {
    features: spec.layers[0].inputs,
    channels: spec.layers[spec.layers.length - 1].outputs,
    weightCount: spec.layers.reduce((sum, { inputs, outputs }) => sum + (inputs + 1) * outputs, 0),
  };
}

function checkWeights(spec: FieldSpec, weights: FieldWeights): void {
  const fields = weights.kernels[0]?.shape[0];
  if (weights.kernels.length !== spec.layers.length || weights.biases.length !== spec.layers.length) {
    throw new Error(`field has ${spec.layers.length} layers, got weights of ${weights.kernels.length}`);
  }
  const { layers, skipLayer } = spec;
  if (skipLayer !== undefined) {
    const wanted = (layers[skipLayer - 1]?.outputs ?? 0) + layers[0].inputs;
    if (!(skipLayer > 0) || layers[skipLayer]?.inputs !== wanted) {
      throw new Error(
        `layer ${skipLayer} can't read [hidden, features]: it is none after the first with ${wanted} inputs`,
      );
    }
  }
  layers.forEach(({ inputs, outputs }, i) => {
    const [kernel, bias] = [weights.kernels[i].shape, weights.biases[i].shape];
    const fits = kernel[0] === fields && kernel[1] === inputs && kernel[2] === outputs;
    if (!fits || bias[0] !== fields || bias[1] !== outputs) {
      throw new Error(
        `field layer ${i} needs kernel [${fields},${inputs},${outputs}] and bias [${fields},${outputs}], got [${kernel}] and [${bias}]`,
      );
    }
  });
}

function checkShapes(spec: FieldSpec, weights: FieldWeights, features: Tensor): void {
  checkWeights(spec, weights);
  const fields = weights.kernels[0].shape[0];
  const perField = features.rank === 3;
  if ((features.rank !== 2 && !perField) || features.shape[features.rank - 1] !== spec.layers[0].inputs) {
    throw new Error(`field needs features [P,${spec.layers[0].inputs}] or [B,P,…], got [${features.shape}]`);
  }
  if (perField && features.shape[0] !== fields) {
    throw new Error(`features of ${features.shape[0]} fields for weights of ${fields}`);
  }
}

/**
 * Evaluates B fields at P points.
 *
 * @param features [P,F], shared by all fields (a constant: no gradient flows to them), or [B,P,F].
 * @returns [B,P,C]. Differentiable, recomputing the activations; for training use `fieldLoss`.
 */
export function fieldForward(spec: FieldSpec, weights: FieldWeights, features: Tensor): Tensor3D {
  checkShapes(spec, weights, features);
  const kernel = kernelFor(spec, features);
  if (!kernel) return tf.tidy(() => referenceForward(spec, weights, features));
  const layerCount = spec.layers.length;
  const perField = features.rank === 3;
  // A fused forward keeps no activations: its gradient computes them again.
  const op = tf.customGrad((...inputs: unknown[]) => {
    const save = inputs.pop() as (tensors: Tensor[]) => void;
    save(inputs as Tensor[]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const input = perField ? saved[2 * layerCount] : features;
      const gradients = kernel.gradients(spec, asWeights(saved, layerCount), input, dy as Tensor3D, perField);
      return [...gradients.kernels, ...gradients.biases, ...(gradients.features ? [gradients.features] : [])];
    };
    return { value: kernel.forward(spec, asWeights(inputs as Tensor[], layerCount), features), gradFunc };
  });
  return tf.tidy(() => op(...weights.kernels, ...weights.biases, ...(perField ? [features] : []))) as Tensor3D;
}

/**
 * Evaluates B fields on whole rows of a grid, for drawing: not differentiable.
 *
 * @returns [B, rowCount·width, C], or undefined where the engine has no kernel for it: make the features, then.
 */
export function fieldForwardOnGrid(
  spec: FieldSpec,
  weights: FieldWeights,
  grid: FourierGrid,
  rows: GridRows,
): Tensor3D | undefined {
  checkWeights(spec, weights);
  if (grid.frequencies.length !== spec.layers[0].inputs) {
    throw new Error(`field needs ${spec.layers[0].inputs} features, the grid has ${grid.frequencies.length}`);
  }
  const kernel = fieldKernels.get(tf.getBackend());
  return kernel?.forwardOnGrid?.(spec, weights, grid, rows);
}

/**
 * Mean squared error of B fields against targets, with its gradient with respect to the weights. Features and targets
 * are constants here.
 *
 * @param features [P,F], shared by all fields, or [B,P,F].
 * @param targets [B,P,C].
 * @returns the mean over fields, points and channels, a scalar.
 */
export function fieldLoss(spec: FieldSpec, weights: FieldWeights, features: Tensor, targets: Tensor3D): Scalar {
  checkShapes(spec, weights, features);
  const kernel = kernelFor(spec, features);
  if (!kernel) return tf.tidy(() => tf.mean(referenceLoss(spec, weights, features, targets)) as Scalar);
  const layerCount = spec.layers.length;
  const op = tf.customGrad((...inputs: unknown[]) => {
    const save = inputs.pop() as (tensors: Tensor[]) => void;
    const result = kernel.lossAndGradients(spec, asWeights(inputs as Tensor[], layerCount), features, targets);
    save([...result.kernels, ...result.biases]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) =>
      saved.map((gradient) => (kernel.knownValue(dy) === 1 ? tf.clone(gradient) : tf.mul(gradient, dy)));
    return { value: tf.mean(result.losses), gradFunc };
  });
  return tf.tidy(() => op(...weights.kernels, ...weights.biases)) as Scalar;
}

function asWeights(tensors: readonly Tensor[], layerCount: number): FieldWeights {
  return {
    kernels: tensors.slice(0, layerCount) as Tensor3D[],
    biases: tensors.slice(layerCount, 2 * layerCount) as Tensor2D[],
  };
}
