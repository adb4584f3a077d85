/** Operations with gradients of their own, of which only those are made that are wanted (`tf.customGrad` makes all). */
import { type Tensor, tf } from '../tf.ts';

interface Operation {
  value: Tensor;
  /** A function for each input, called where its gradient is wanted, from the gradient of the value. */
  gradients(dy: Tensor, saved: Tensor[]): (() => Tensor)[];
}

/** What the declarations of TensorFlow.js's engine leave out: `tf.customGrad` is made of it. */
interface Engine {
  runKernelFunc(operation: {
    inputs: Record<number, Tensor>;
    forwardFunc(backend: unknown, save: (tensors: Tensor[]) => void): Tensor;
    backwardsFunc(dy: Tensor, saved: Tensor[]): Record<number, () => Tensor>;
  }): Tensor;
}

/** @param forward computes the value and saves what the gradients need. */
export function differentiable(
  inputs: readonly Tensor[],
  forward: (save: (tensors: Tensor[]) => void) => Operation,
): Tensor {
  let operation: Operation;
  return (tf.engine() as unknown as Engine).runKernelFunc({
    inputs: { ...inputs },
    forwardFunc(_, save) {
      operation = forward(save);
      return operation.value;
    },
    backwardsFunc: (dy, saved) => ({ ...operation.gradients(dy, saved) }),
  });
}

/** The gradient of an input that is taken as a constant: none that would silently be zero. */
export function noGradient(reason: string): () => Tensor {
  return () => {
    throw new Error(reason);
  };
}

/** The same values, of which no gradient can be taken. */
export function asConstant<T extends Tensor>(tensor: T, reason: string): T {
  return differentiable([tensor], () => ({
    value: tf.clone(tensor),
    gradients: () => [noGradient(reason)],
  })) as T;
}
