/**
 * The only import of TensorFlow.js in the project.
 *
 * `@tensorflow/tfjs` (not `tfjs-core`) is loaded once, because it alone registers the gradients. It is a CommonJS
 * package, so it is loaded through `require`, which gives the same object under tsx, vitest and compiled code.
 */
import { createRequire } from 'node:module';
import type * as TensorFlow from '@tensorflow/tfjs';

const require = createRequire(import.meta.url);
export const tf = require('@tensorflow/tfjs') as typeof TensorFlow;

// Production mode: without it the JavaScript backend prints a banner that advertises tfjs-node. Errors stay the same.
tf.enableProdMode();

export type Tensor = TensorFlow.Tensor;
export type Tensor1D = TensorFlow.Tensor1D;
export type Tensor2D = TensorFlow.Tensor2D;
export type Tensor3D = TensorFlow.Tensor3D;
export type Scalar = TensorFlow.Scalar;
export type TensorInfo = TensorFlow.TensorInfo;
export type DataType = TensorFlow.DataType;

/** `tf.tidy` for results of any shape (records and arrays that hold tensors), which its own type does not admit. */
export function tidy<T>(work: () => T): T {
  return tf.tidy(work as () => TensorFlow.TensorContainer) as T;
}
