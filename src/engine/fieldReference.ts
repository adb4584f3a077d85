/** The field operation composed of TensorFlow.js ops: the reference, and what engines without a kernel run. */
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../tf.ts';
import type { FieldSpec, FieldWeights } from './field.ts';

/**
 * y = x·W + b for B fields.
 *
 * Features [P,I] shared by all fields are a constant: no gradient flows to them (TensorFlow.js has none for a product
 * whose operand the batch shares, so the one for the weights is written out here). Give [B,P,I] to differentiate.
 */
export function batchedLinear(x: Tensor, kernel: Tensor3D, bias: Tensor2D): Tensor3D {
  if (x.rank === 3) return tf.add(tf.matMul(x as Tensor3D, kernel), tf.expandDims(bias, 1)); // [B,P,O]
  const shared = tf.expandDims(x, 0) as Tensor3D; // [1,P,I]
  const op = tf.customGrad((...inputs: unknown[]) => {
    const [w, b] = inputs as [Tensor3D, Tensor2D];
    return {
      value: tf.add(tf.matMul(shared, w), tf.expandDims(b, 1)), // [B,P,O]
      gradFunc: (dy: Tensor) => [tf.matMul(shared, dy as Tensor3D, true, false), tf.sum(dy, 1)], // [B,I,O], [B,O]
    };
  });
  return op(kernel, bias) as Tensor3D;
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
