/**
 * The field operation: B coordinate networks, each with its own weights, evaluated over P points at once.
 *
 * This is the hot path of the whole project. `fieldForward` and `fieldLoss` run as one fused kernel where the engine
 * in use brings one (`Kernels.field`); elsewhere they are composed of TensorFlow.js ops (`fieldReference.ts`), which are
 * also the reference that every kernel is tested against.
 */
import { type Scalar, type Tensor, type Tensor2D, type Tensor3D, tf } from '../tf.ts';
import { asConstant, differentiable, noGradient } from './differentiable.ts';
import { referenceForward, referenceLoss, SHARED_FEATURES } from './fieldReference.ts';
import {
  checkShapes,
  checkWeights,
  type FieldSpec,
  type FieldWeights,
  fieldDimensions,
  fieldsOf,
} from './fieldSpec.ts';
import { type FieldKernel, type FourierGrid, type GridRows, gradientDepth, kernelsInUse } from './kernels.ts';

export {
  ACTIVATIONS,
  type Activation,
  type FieldLayerShape,
  type FieldSpec,
  type FieldWeights,
  fieldDimensions,
  fieldsOf,
  type OutputActivation,
  type Precision,
} from './fieldSpec.ts';
export type { FieldKernel, FieldLossResult } from './kernels.ts';

/** Why there is no gradient of what `fieldLoss` is given beside the weights. */
const LOSS_INPUTS = 'fieldLoss takes features and targets as constants: to differentiate them, use fieldForward';

function kernelFor(spec: FieldSpec, features: Tensor): FieldKernel | undefined {
  if (gradientDepth() > 1) return undefined;
  const kernel = kernelsInUse().field;
  return kernel?.supports(spec, features) ? kernel : undefined;
}

/** Points that the engine in use wants at once where it has a choice (drawing). */
export function pointsAtOnce(): number | undefined {
  return kernelsInUse().field?.pointsAtOnce;
}

/** Whether a spec whose precision is `mixed` is trained in mixed precision on the engine in use. */
export function isTrainedMixed(spec: FieldSpec): boolean {
  return kernelsInUse().field?.isMixed?.(spec) ?? false;
}

/**
 * Evaluates B fields at P points.
 *
 * @param features [P,F], shared by all fields (a constant: its gradient is an error), or [B,P,F].
 * @returns [B,P,C]. Differentiable, recomputing the activations; for training use `fieldLoss`. Within a gradient of a
 * gradient it is composed of ops on every engine, and differentiable as often as one likes.
 */
export function fieldForward(spec: FieldSpec, weights: FieldWeights, features: Tensor): Tensor3D {
  checkShapes(spec, weights, features);
  const kernel = kernelFor(spec, features);
  if (!kernel) return tf.tidy(() => referenceForward(spec, weights, features));
  const layerCount = spec.layers.length;
  const perField = features.rank === 3;
  // A fused forward keeps no activations: its gradient computes them again.
  const op = () =>
    differentiable([...weights.kernels, ...weights.biases, features], (save) => {
      save([...weights.kernels, ...weights.biases, features]);
      const gradients = (dy: Tensor, saved: Tensor[]) => {
        const own = asWeights(saved, layerCount);
        const input = saved[2 * layerCount];
        const found = kernel.gradients(spec, repeatShared(kernel, own), input, dy as Tensor3D, perField);
        const ofFeatures = found.features ? [found.features] : [];
        const made = [...sumShared(found, own), ...ofFeatures].map((gradient) => () => gradient);
        return perField ? made : [...made, noGradient(SHARED_FEATURES)];
      };
      return { value: kernel.forward(spec, repeatShared(kernel, weights), features), gradients };
    });
  return tf.tidy(op) as Tensor3D;
}

/**
 * Evaluates B fields on whole rows of a grid, for drawing.
 *
 * @returns [B, rowCount·width, C], or undefined where the engine has no kernel for it, and within a gradient, which the
 * kernel does not have: make the features, then.
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
  const kernel = kernelsInUse().field;
  const draw = kernel?.forwardOnGrid?.bind(kernel);
  if (!kernel || !draw || gradientDepth() > 0) return undefined;
  return tf.tidy(() => draw(spec, repeatShared(kernel, weights), grid, rows));
}

/**
 * Mean squared error of B fields against targets, with its gradient with respect to the weights. Features and targets
 * are constants here: their gradients are errors.
 *
 * @param features [P,F], shared by all fields, or [B,P,F].
 * @param targets [B,P,C].
 * @returns the mean over fields, points and channels, a scalar. Within a gradient of a gradient it is composed of ops on
 * every engine, and differentiable as often as one likes.
 */
export function fieldLoss(spec: FieldSpec, weights: FieldWeights, features: Tensor, targets: Tensor3D): Scalar {
  checkShapes(spec, weights, features);
  const wanted = [fieldsOf(weights), features.shape[features.rank - 2], fieldDimensions(spec).channels];
  if (targets.shape.join() !== wanted.join())
    throw new Error(`field loss needs targets [${wanted}], got [${targets.shape}]`);
  const kernel = kernelFor(spec, features);
  if (!kernel) {
    return tf.tidy(() => {
      const [x, y] = [asConstant(features, LOSS_INPUTS), asConstant(targets, LOSS_INPUTS)];
      return tf.mean(referenceLoss(spec, weights, x, y)) as Scalar;
    });
  }
  const op = () =>
    differentiable([...weights.kernels, ...weights.biases, features, targets], (save) => {
      const result = kernel.lossAndGradients(spec, repeatShared(kernel, weights), features, targets);
      save(sumShared(result, weights));
      const gradients = (dy: Tensor, saved: Tensor[]) => {
        const isOne = kernel.knownValue(dy) === 1;
        const ofWeights = saved.map((gradient) => () => (isOne ? tf.clone(gradient) : tf.mul(gradient, dy)));
        return [...ofWeights, noGradient(LOSS_INPUTS), noGradient(LOSS_INPUTS)];
      };
      return { value: tf.mean(result.losses), gradients };
    });
  return tf.tidy(op) as Scalar;
}

function asWeights(tensors: readonly Tensor[], layerCount: number): FieldWeights {
  return {
    kernels: tensors.slice(0, layerCount) as Tensor3D[],
    biases: tensors.slice(layerCount, 2 * layerCount) as Tensor2D[],
  };
}

/** The weights as a kernel takes them: those that fields share once for each field, unless it serves them as they are. */
function repeatShared(kernel: FieldKernel, weights: FieldWeights): FieldWeights {
  if (kernel.servesShared) return weights;
  const fields = fieldsOf(weights);
  const repeat = <T extends Tensor>(tensor: T): T => {
    const [own, ...rest] = tensor.shape;
    return own === fields ? tensor : (tf.tile(tensor, [fields, ...rest.map(() => 1)]) as T);
  };
  return { kernels: weights.kernels.map(repeat), biases: weights.biases.map(repeat) };
}

/** Gradients, kernels' and then biases', of the weights themselves from those of repeated ones. */
function sumShared(gradients: FieldWeights, weights: FieldWeights): Tensor[] {
  const own = [...weights.kernels, ...weights.biases];
  return [...gradients.kernels, ...gradients.biases].map((gradient, i) => {
    return gradient.shape[0] === own[i].shape[0] ? gradient : tf.sum(gradient, 0, true); // [B,…] → [1,…]
  });
}
