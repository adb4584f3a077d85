/** What the renderer draws: any number of fields that share one shape and one encoding. */

import type { View } from '../grid.ts';
import type { Encoding } from '../models/encoding.ts';
import type { FieldSpec, FieldWeights } from '../ops/field.ts';
import { type Tensor2D, type Tensor3D, tf } from '../tf.ts';

export interface DrawableField {
  encoding: Encoding;
  spec: FieldSpec;
  /** Full view at the training size: its pixels are the finest detail that the field was taught. */
  training: View;
  /** Weights of B fields. The renderer only reads them; whoever made them disposes them. */
  weights: FieldWeights;
}

/** The number of fields, B. */
export function fieldCount(field: DrawableField): number {
  return field.weights.kernels[0].shape[0];
}

/** Fields first…first+count−1, as copies: dispose them with `disposeFields`. */
export function selectFields(field: DrawableField, first: number, count = 1): DrawableField {
  const { kernels, biases } = field.weights;
  const weights = {
    kernels: kernels.map((kernel) => tf.slice(kernel, [first, 0, 0], [count, -1, -1]) as Tensor3D), // [count,I,O]
    biases: biases.map((bias) => tf.slice(bias, [first, 0], [count, -1]) as Tensor2D), // [count,O]
  };
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

export function disposeFields(field: DrawableField): void {
  tf.dispose([...field.weights.kernels, ...field.weights.biases]);
}
