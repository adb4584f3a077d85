/** What the renderer draws: any number of fields that share one shape and one encoding. */

import type { View } from '../grid.ts';
import type { Encoding } from '../models/encodings/encoding.ts';
import type { Parameters } from '../models/parameters.ts';
import { type FieldSpec, type FieldWeights, fieldsOf } from '../ops/field.ts';
import { type Tensor, tf } from '../tf.ts';

export interface DrawableField {
  encoding: Encoding;
  /** Where the encoding is trained: what it was trained to. */
  encodingParameters?: Parameters;
  spec: FieldSpec;
  /** Full view at the training size: its pixels are the finest detail that the field was taught. */
  training: View;
  /** Weights of B fields. The renderer only reads them; whoever made them disposes them. */
  weights: FieldWeights;
}

/** The number of fields, B. */
export function fieldCount(field: DrawableField): number {
  return fieldsOf(field.weights);
}

/** Fields first…first+count−1, as copies: dispose them with `disposeFields`. */
export function selectFields(field: DrawableField, first: number, count = 1): DrawableField {
  const { kernels, biases } = field.weights;
  const fields = fieldCount(field);
  const select = <T extends Tensor>(tensor: T): T => {
    const [own, ...rest] = tensor.shape;
    if (own < fields) return tf.clone(tensor); // shared: [1,…]
    return tf.slice(tensor, [first, ...rest.map(() => 0)], [count, ...rest]) as T; // [count,…]
  };
  const weights = { kernels: kernels.map(select), biases: biases.map(select) };
  return { ...field, weights };
}

/** Works with fields that nobody else holds, and disposes them whatever happens. */
export async function withFields<T>(field: DrawableField, work: (field: DrawableField) => T | Promise<T>): Promise<T> {
  try {
    return await work(field);
  } finally {
    disposeFields(field);
  }
}

/** Frees the weights of the fields. */
export function disposeFields(field: DrawableField): void {
  tf.dispose([...field.weights.kernels, ...field.weights.biases]);
}
