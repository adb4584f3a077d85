/**
 * The heads of a hypernetwork: many affine maps of one hidden vector, y_i = shared_i + hidden · kernel_i, at once. On the
 * processor each is a product like others; a GPU would spend its time on starting them one by one.
 */
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../tf.ts';

export interface Head {
  /** [M,O] */
  kernel: Tensor2D;
  /** O values, of any shape, that every row gets. */
  shared: Tensor;
}

/** A fused implementation. Tensors come as hidden [B,M], then kernel [M,O] and shared [O] of each head in turn. */
export interface HeadsKernel {
  /** [B,O] of each head. */
  forward(inputs: readonly Tensor[]): Tensor[];
  /** Gradients of all inputs, in their order, from those of the outputs. */
  backward(inputs: readonly Tensor[], outputGradients: readonly Tensor[]): Tensor[];
}

const KERNEL_NAME = 'AffineHeads';
const kernels = new Map<string, HeadsKernel>();

/** Makes `kernel` serve whenever the TensorFlow.js backend of that name is in use. */
export function registerHeadsKernel(backendName: string, kernel: HeadsKernel): void {
  // A kernel of TensorFlow.js's own making, for its `customGrad` knows functions of one result alone.
  tf.registerKernel({
    kernelName: KERNEL_NAME,
    backendName,
    kernelFunc: ({ inputs }) => kernel.forward(inputs as unknown as Tensor[]),
  });
  if (!tf.getGradient(KERNEL_NAME)) {
    tf.registerGradient({
      kernelName: KERNEL_NAME,
      saveAllInputs: true,
      gradFunc: (dy, saved) => {
        // At once: what the functions below made when called would be gone after the first call.
        const gradients = kernels.get(tf.getBackend())?.backward(saved, Array.isArray(dy) ? dy : [dy]) as Tensor[];
        return gradients.map((gradient) => () => gradient) as unknown as Record<string, () => Tensor>;
      },
    });
  }
  kernels.set(backendName, kernel);
}

/**
 * @param hidden [B,M]
 * @returns [B,O] of each head. Differentiable in everything.
 */
export function affineHeads(hidden: Tensor2D, heads: readonly Head[]): Tensor2D[] {
  const flat = heads.map(({ kernel, shared }) => ({ kernel, shared: tf.reshape(shared, [shared.size]) as Tensor1D }));
  for (const { kernel, shared } of flat) {
    if (kernel.shape[0] !== hidden.shape[1] || shared.size !== kernel.shape[1]) {
      throw new Error(`a head of [${kernel.shape}] and ${shared.size} shared values can't follow [${hidden.shape}]`);
    }
  }
  if (!kernels.has(tf.getBackend())) {
    return flat.map(({ kernel, shared }) => tf.add(tf.matMul(hidden, kernel), shared) as Tensor2D);
  }
  const inputs = [hidden, ...flat.flatMap(({ kernel, shared }) => [kernel, shared])];
  const outputs = tf.engine().runKernel(KERNEL_NAME, inputs as never, {}) as unknown as Tensor2D | Tensor2D[];
  return Array.isArray(outputs) ? outputs : [outputs];
}
