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

mendSecondDerivatives();

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

/** A kernel's call on TensorFlow.js's tape, which gradients walk from its end. */
interface TapeNode {
  inputs: Record<string, Tensor>;
  outputs: Tensor[];
}

/** What the declarations of TensorFlow.js's engine leave out. */
interface Tape {
  state: { gradientDepth: number; activeTape: TapeNode[] };
  addTapeNode(...call: unknown[]): void;
}

/**
 * Derivatives of derivatives, which TensorFlow.js 4.22 gets wrong, or not at all, for some ops.
 *
 * - An op whose gradient needs its own result (exp, sigmoid, tanh, pow) keeps a copy, which stands on the tape *before* the
 *   op. Walking back, the op is passed before what the copy was used for is known: that part is lost without a word. Here
 *   such an op is moved before its copies.
 * - The gradients of leakyRelu and where compute with comparisons, which have none. That of leakyRelu is written with a
 *   step instead, of the same bits, and a negation's is zero.
 *
 * Gradients of first order are left as they are.
 */
function mendSecondDerivatives(): void {
  const engine = tf.engine() as unknown as Tape;
  const add = engine.addTapeNode;
  engine.addTapeNode = (...call) => {
    add.apply(engine, call);
    const { gradientDepth, activeTape: tape } = engine.state;
    if (gradientDepth < 2) return;
    const node = tape[tape.length - 1];
    const isCopy = ({ inputs }: TapeNode) => Object.values(inputs).some((input) => node.outputs.includes(input));
    let place = tape.length - 1;
    while (place > 0 && isCopy(tape[place - 1])) place--;
    tape.splice(tape.length - 1, 1);
    tape.splice(place, 0, node);
  };
  tf.unregisterGradient('LeakyRelu');
  tf.registerGradient({
    kernelName: 'LeakyRelu',
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({ x: () => tf.mul(dy as Tensor, tf.step(x, attrs.alpha as number)) }),
  });
  tf.registerGradient({ kernelName: 'LogicalNot', gradFunc: (dy) => ({ x: () => tf.zerosLike(dy as Tensor) }) });
}
