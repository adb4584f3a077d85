/** Parameters are data: a flat record from a dotted name to a tensor, as checkpoints hold it. */
import { UsageError } from '../errors.ts';
import { Random } from '../random.ts';
import { type Tensor, tf } from '../tf.ts';

export type Parameters = Record<string, Tensor>;

/** Draws initial parameters in order; the same seed gives the same draws whatever engine computes. */
export class Initialiser {
  private readonly random: Random;

  constructor(seed: number) {
    this.random = new Random(seed, 'parameters');
  }

  normal(shape: number[], standardDeviation: number): Tensor {
    return tf.tensor(this.random.normals(product(shape), standardDeviation), shape);
  }

  uniform(shape: number[], bound: number): Tensor {
    return tf.tensor(this.random.uniforms(product(shape), -bound, bound), shape);
  }
}

/** Number of scalars in a record of parameters. */
export function parameterCount(parameters: Parameters): number {
  return Object.values(parameters).reduce((sum, tensor) => sum + tensor.size, 0);
}

/** Values of a tensor of that shape, if a model of this project can hold it at all. */
function product(shape: readonly number[]): number {
  const values = shape.reduce((total, size) => total * size, 1);
  if (values <= 2 ** 29) return values;
  throw new UsageError(
    `the model needs a tensor of ${values.toExponential(1)} values [${shape}]; lower model.field.width, model.encoding.frequencies or model.conditioner.mapping`,
  );
}
