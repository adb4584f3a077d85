/**
 * The contract of conditioners: a latent becomes the field's weights. They read nothing of the field but its spec, and
 * each adds to, or multiplies, weights that all images share: at the start every image is the same plausible field.
 */
import type { FieldSpec, FieldWeights } from '../../ops/field.ts';
import type { Tensor2D } from '../../tf.ts';
import type { Keys, Settings } from '../kind.ts';
import type { InitialParameters, Parameters } from '../parameters.ts';

export interface Conditioner {
  /** Dimensions of the latent, D. Absent: there is none, and each image has weights of its own. */
  latentSize?: number;
  /**
   * What it trains: shapes and first values.
   *
   * @param fields number of images, for those that have weights of their own.
   */
  initial(spec: FieldSpec, fields: number): InitialParameters;
  /**
   * Weights of B fields: kernels [B,I,O] and biases [B,O], or [1,I,O] and [1,O] where all fields share them.
   *
   * @param latents [B,D]; absent where the conditioner has none.
   */
  weights(spec: FieldSpec, parameters: Parameters, latents?: Tensor2D): FieldWeights;
}

/** What a config's `model.conditioner.kind` names. */
export interface ConditionerKind<K extends Keys = Keys> {
  keys: K;
  make(settings: Settings<K>): Conditioner;
}

/** A `ConditionerKind` whose `make` is checked against its keys. */
export function defineConditioner<K extends Keys>(kind: ConditionerKind<K>): ConditionerKind<K> {
  return kind;
}

/** The latents, of a conditioner that can't do without. */
export function requireLatents(latents: Tensor2D | undefined): Tensor2D {
  if (!latents) throw new Error('this conditioner makes weights of latents, and was given none');
  return latents;
}
