/**
 * Parameters are data: a flat record from a dotted name to a tensor, as checkpoints hold it. What they are before training
 * is data too: shapes and where the first values come from, so that they can be counted without being made.
 */
import { UsageError } from '../errors.ts';
import { fnv1a, isStream, Random, type Stream } from '../random.ts';
import { type Tensor, tf } from '../tf.ts';

export type Parameters = Record<string, Tensor>;

/** First values of a parameter: so many draws of a generator that all parameters of a record share, in their order. */
export type Draw = (random: Random, length: number) => Float32Array;

/** What a parameter is before training. */
export interface InitialParameter {
  shape: readonly number[];
  draw: Draw;
  /** Drawn once for each of so many fields alike: the first dimension of the shape counts them. */
  sameInEachField?: boolean;
}

export type InitialParameters = Record<string, InitialParameter>;

export const zeros: Draw = (_, length) => new Float32Array(length);
export const normal =
  (standardDeviation: number): Draw =>
  (random, length) =>
    random.normals(length, standardDeviation);
export const uniform =
  (bound: number): Draw =>
  (random, length) =>
    random.uniforms(length, -bound, bound);

/**
 * The parameters themselves. The same seed gives the same values whatever engine computes.
 *
 * @throws UsageError where a tensor is larger than any engine can hold.
 */
export function initialise(initial: InitialParameters, seed: number, of: Stream | (string & {})): Parameters {
  const random = isStream(of) ? new Random(seed, of) : new Random(seed, 'groups', fnv1a(of));
  return Object.fromEntries(
    Object.entries(initial).map(([name, { shape, draw, sameInEachField }]) => {
      if (!sameInEachField) return [name, tf.tensor(draw(random, sizeOf(shape)), [...shape])];
      const [fields, ...rest] = shape;
      const values = draw(random, sizeOf(rest));
      return [name, tf.tidy(() => tf.tile(tf.tensor(values, [1, ...rest]), [fields, ...rest.map(() => 1)]))];
    }),
  );
}

/** Number of scalars, of parameters or of what they are before training. */
export function parameterCount(parameters: Readonly<Record<string, { shape: readonly number[] }>>): number {
  return Object.values(parameters).reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  );
}

/** Values of a tensor of that shape, if a model of this project can hold it at all. */
function sizeOf(shape: readonly number[]): number {
  const values = shape.reduce((total, size) => total * size, 1);
  if (values <= 2 ** 29) return values;
  throw new UsageError(
    `the model needs a tensor of ${values.toExponential(1)} values [${shape}]; lower model.field.width, model.encoding.frequencies or model.conditioner.mapping`,
  );
}
