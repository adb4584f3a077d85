/** The field operation composed of TensorFlow.js ops: the reference, and what engines without a kernel run. */
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../tf.ts';
import type { FieldSpec, FieldWeights } from './field.ts';

/**
 * y = x·W + b for B fields, with the gradient written out: TensorFlow.js's own batched product has none when one
 * operand is shared by the whole batch (features usually are).
 */
export function batchedLinear(x: Tensor, kernel: Tensor3D, bias: Tensor2D): Tensor3D {
  const shared = x.rank === 2;
  const op = tf.customGrad((...inputs: unknown[]) => {
    const [input, w, b, save] = inputs as [Tensor, Tensor3D, Tensor2D, (tensors: Tensor[]) => void];
    save([input, w]);
    const batched = shared ? tf.expandDims(input, 0) : input; // [1|B, P, I]
    const value = tf.add(tf.matMul(batched as Tensor3D, w), tf.expandDims(b, 1)); // [B, P, O]
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [input, w] = saved as [Tensor, Tensor3D];
      const batched = (shared ? tf.expandDims(input, 0) : input) as Tensor3D;
      // Lazily: TensorFlow.js calls only the gradients that somebody asks for.
      return [
        () => {
          const dx = tf.matMul(dy as Tensor3D, w, false, true); // [B, P, I]
          return shared ? tf.sum(dx, 0) : dx;
        },
        () => tf.matMul(batched, dy as Tensor3D, true, false), // [B, I, O]
        () => tf.sum(dy, 1), // [B, O]
      ] as unknown as Tensor[];
    };
    return { value, gradFunc };
  });
  return op(x, kernel, bias) as Tensor3D;
}

/** See `fieldForward`. */
export function referenceForward(spec: FieldSpec, weights: FieldWeights, features: Tensor): Tensor3D {
  const last = spec.layers.length - 1;
  let x: Tensor = features; // [P,F] or [B,P,F]
  for (let i = 0; i < last; i++) {
    const preactivation = batchedLinear(x, weights.kernels[i], weights.biases[i]); // [B,P,H]
    x = spec.activation === 'relu' ? tf.relu(preactivation) : tf.sin(tf.mul(preactivation, spec.omega));
  }
  const output = batchedLinear(x, weights.kernels[last], weights.biases[last]); // [B,P,C]
  return spec.output === 'sigmoid' ? tf.sigmoid(output) : output;
}

/** Mean squared error of each field, [B]. */
export function referenceLoss(spec: FieldSpec, weights: FieldWeights, features: Tensor, targets: Tensor3D): Tensor {
  return tf.mean(tf.squaredDifference(referenceForward(spec, weights, features), targets), [1, 2]);
}
