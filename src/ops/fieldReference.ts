/** The field operation composed of TensorFlow.js ops: the reference, and what engines without a kernel run. */
import { type Tensor, type Tensor3D, tf } from '../tf.ts';
import { differentiable, noGradient } from './differentiable.ts';
import type { FieldSpec, FieldWeights } from './fieldSpec.ts';

/** Why there is no gradient of features [P,F]. */
export const SHARED_FEATURES =
  'features [P,F] of all fields are constants: to differentiate them, give fieldForward those of each field, [B,P,F]';

/** Slope of the leaky rectifier below zero, as in StyleGAN and INR-GAN. */
export const LEAKY_SLOPE = 0.2;

/**
 * x·W of B fields. What fields share, activations [1,P,I] or a kernel [1,I,O], is multiplied once and never repeated.
 *
 * Features [P,I] are a constant: their gradient is an error. Give [B,P,I] to differentiate.
 */
function product(x: Tensor, kernel: Tensor3D): Tensor3D {
  if (x.rank === 2) return constantProduct(x, kernel);
  const [[fields, points, inputs], [kernels, , outputs]] = [x.shape as [number, number, number], kernel.shape];
  if (fields === kernels) return tf.matMul(x as Tensor3D, kernel); // [B,P,O]
  if (fields === 1) return sharedProduct(x as Tensor3D, kernel);
  const tall = tf.matMul(tf.reshape(x, [fields * points, inputs]), tf.reshape(kernel, [inputs, outputs])); // [B·P,O]
  return tf.reshape(tall, [fields, points, outputs]);
}

/** Constant features [P,I] times kernels [B,I,O]. TensorFlow.js has no gradient for operands that a batch shares. */
function constantProduct(features: Tensor, kernel: Tensor3D): Tensor3D {
  return differentiable([features, kernel], (save) => {
    const shared = tf.expandDims(features, 0) as Tensor3D; // [1,P,I]
    save([shared]); // a tidy around this may dispose it before the gradient is asked for
    return {
      value: tf.matMul(shared, kernel), // [B,P,O]
      gradients: (dy, saved) => [
        noGradient(SHARED_FEATURES),
        () => tf.matMul(saved[0] as Tensor3D, dy as Tensor3D, true, false), // [B,I,O]
      ],
    };
  }) as Tensor3D;
}

/** Activations [1,P,I] times kernels [B,I,O]: the same with a gradient of both. */
function sharedProduct(x: Tensor3D, kernel: Tensor3D): Tensor3D {
  return differentiable([x, kernel], (save) => {
    save([x, kernel]);
    return {
      value: tf.matMul(x, kernel), // [B,P,O]
      gradients: (dy, saved) => {
        const [left, right] = saved as Tensor3D[];
        return [
          () => tf.sum(tf.matMul(dy as Tensor3D, right, false, true), 0, true), // [1,P,I]
          () => sharedProduct(tf.transpose(left, [0, 2, 1]), dy as Tensor3D), // [B,I,O]
        ];
      },
    };
  }) as Tensor3D;
}

/** [hidden, features]·W as a sum of two products, so that shared features need not be repeated for each field. */
function skipProduct(hidden: Tensor, features: Tensor, kernel: Tensor3D): Tensor3D {
  const rows = [hidden, features].map(({ shape, rank }) => shape[rank - 1]);
  const [ofHidden, ofFeatures] = tf.split(kernel, rows, 1) as Tensor3D[]; // [B|1,H,O], [B|1,F,O]
  return tf.add(product(hidden, ofHidden), product(features, ofFeatures));
}

/** The activation of a field's hidden layers; z of any shape. */
export function activate({ activation, omega }: Pick<FieldSpec, 'activation' | 'omega'>, z: Tensor): Tensor {
  switch (activation) {
    case 'relu':
      return tf.relu(z);
    case 'leakyRelu':
      return tf.leakyRelu(z, LEAKY_SLOPE);
    case 'gelu':
      return tf.mul(z, normalDistribution(z)); // Hendrycks & Gimpel 2016, the exact form
    case 'sine':
      return tf.sin(tf.mul(z, omega)); // Sitzmann et al. 2020, §3.2
    case 'finer':
      return tf.sin(tf.mul(tf.mul(tf.add(tf.abs(z), 1), z), omega)); // Liu et al. 2024, eq. 5
    case 'gaussian':
      return tf.exp(tf.mul(tf.square(tf.mul(z, omega)), -0.5)); // Ramasinghe & Lucey 2022, σ = 1/ω
  }
}

/**
 * Φ(z) by Abramowitz & Stegun 7.1.26, to 7.5e-8: the polynomial behind TensorFlow.js's own erf, which not every backend
 * has.
 */
function normalDistribution(z: Tensor): Tensor {
  const t = tf.div(1, tf.add(tf.mul(tf.abs(z), 0.3275911 * Math.SQRT1_2), 1));
  const coefficients = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const polynomial = coefficients.reduce<Tensor>((sum, c) => tf.mul(tf.add(sum, c), t), tf.scalar(0));
  const tail = tf.mul(tf.mul(polynomial, tf.exp(tf.mul(tf.square(z), -0.5))), 0.5); // Φ(−|z|)
  return tf.where(tf.greaterEqual(z, 0), tf.sub(1, tail), tail);
}

/** See `fieldForward`. */
export function referenceForward(spec: FieldSpec, weights: FieldWeights, features: Tensor): Tensor3D {
  const last = spec.layers.length - 1;
  let x: Tensor = features; // [P,F] or [B,P,F]
  const linear = (i: number): Tensor3D => {
    const [kernel, bias] = [weights.kernels[i], weights.biases[i]];
    const whole = i === spec.skipLayer ? skipProduct(x, features, kernel) : product(x, kernel);
    return tf.add(whole, tf.expandDims(bias, 1));
  };
  for (let i = 0; i < last; i++) x = activate(spec, linear(i)); // [B,P,H], or [1,P,H] while fields share everything
  const output = linear(last); // [B,P,C]
  return spec.output === 'sigmoid' ? tf.sigmoid(output) : output;
}

/** Mean squared error of each field, [B]. */
export function referenceLoss(spec: FieldSpec, weights: FieldWeights, features: Tensor, targets: Tensor3D): Tensor {
  return tf.mean(tf.squaredDifference(referenceForward(spec, weights, features), targets), [1, 2]);
}
