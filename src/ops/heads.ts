/**
 * The heads of a hypernetwork: many affine maps of one hidden vector, y_i = shared_i + hidden · kernel_i, at once. On the
 * processor each is a product like others; a GPU would spend its time on starting them one by one.
 */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../tf.ts';
import { gradientDepth, type HeadsKernel, kernelsInUse } from './kernels.ts';

export type { HeadsKernel } from './kernels.ts';

export interface Head {
  /** [M,O] */
  kernel: Tensor2D;
  /** O values, of any shape, that every row gets. */
  shared: Tensor;
}

const KERNEL_NAME = 'AffineHeads';

/** A kernel of TensorFlow.js's own making, for its `customGrad` knows functions of one result alone. */
function requireKernel(backendName: string): void {
  if (tf.getKernel(KERNEL_NAME, backendName)) return;
  const inUse = () => kernelsInUse().heads as HeadsKernel;
  tf.registerKernel({
    kernelName: KERNEL_NAME,
    backendName,
    kernelFunc: ({ inputs }) => inUse().forward(inputs as unknown as Tensor[]),
  });
  if (tf.getGradient(KERNEL_NAME)) return;
  tf.registerGradient({
    kernelName: KERNEL_NAME,
    saveAllInputs: true,
    gradFunc: (dy, saved) => {
      // Here, not in the functions below: TensorFlow.js disposes all that each of them makes but its result.
      const gradients = inUse().backward(saved, Array.isArray(dy) ? dy : [dy]);
      return gradients.map((gradient) => () => gradient) as unknown as Record<string, () => Tensor>;
    },
  });
}

/**
 * @param hidden [B,M]
 * @returns [B,O] of each head. Differentiable in everything; within a gradient of a gradient it is composed of ops on every
 * engine, and differentiable as often as one likes.
 */
export function affineHeads(hidden: Tensor2D, heads: readonly Head[]): Tensor2D[] {
  const flat = heads.map(({ kernel, shared }) => ({ kernel, shared: tf.reshape(shared, [shared.size]) as Tensor1D }));
  for (const { kernel, shared } of flat) {
    if (kernel.shape[0] !== hidden.shape[1] || shared.size !== kernel.shape[1]) {
      throw new Error(`a head of [${kernel.shape}] and ${shared.size} shared values can't follow [${hidden.shape}]`);
    }
  }
  if (!kernelsInUse().heads || gradientDepth() > 1) {
    return flat.map(({ kernel, shared }) => tf.add(tf.matMul(hidden, kernel), shared) as Tensor2D);
  }
  requireKernel(tf.getBackend());
  const inputs = [hidden, ...flat.flatMap(({ kernel, shared }) => [kernel, shared])];
  const outputs = tf.engine().runKernel(KERNEL_NAME, inputs as never, {}) as unknown as Tensor2D | Tensor2D[];
  return Array.isArray(outputs) ? outputs : [outputs];
}
