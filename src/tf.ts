/**
 * The only import of TensorFlow.js in the project.
 *
 * `@tensorflow/tfjs` (not `tfjs-core`) is loaded once, because it alone registers the gradients. Node takes its CommonJS
 * build and puts the module itself under `default`; bundlers for browsers take the build of ES modules, without one.
 * Other backends register with the one that is loaded here.
 */
import * as namespace from '@tensorflow/tfjs';

type TensorFlow = typeof namespace;
const loaded = namespace as TensorFlow & { default?: TensorFlow };
export const tf: TensorFlow = loaded.default ?? loaded;

// Production mode: without it the JavaScript backend prints a banner that advertises tfjs-node. Errors stay the same.
tf.enableProdMode();

export type Tensor = namespace.Tensor;
export type Tensor1D = namespace.Tensor1D;
export type Tensor2D = namespace.Tensor2D;
export type Tensor3D = namespace.Tensor3D;
export type Scalar = namespace.Scalar;
export type TensorInfo = namespace.TensorInfo;
export type DataType = namespace.DataType;

/** `tf.tidy` for results of any shape (records and arrays that hold tensors), which its own type does not admit. */
export function tidy<T>(work: () => T): T {
  return tf.tidy(work as () => namespace.TensorContainer) as T;
}
