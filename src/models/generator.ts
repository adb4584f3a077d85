/** A generator: encoding, field and conditioner of one model config. Its parameters are separate, and arguments. */
import type { ConditionerConfig, ModelConfig } from '../config/schema.ts';
import type { FieldSpec, FieldWeights } from '../ops/field.ts';
import type { Tensor2D } from '../tf.ts';
import { condition, initConditioner } from './conditioner.ts';
import { type Encoding, featureCount, makeEncoding } from './encoding.ts';
import { makeFieldSpec } from './field.ts';
import { Initialiser, type Parameters } from './parameters.ts';

export interface Generator {
  encoding: Encoding;
  spec: FieldSpec;
  conditioner: ConditionerConfig;
  /** Dimensions of the latent; 0 where the weights are direct. */
  latentSize: number;
}

/** The generator of a model config. `seed` draws the encoding's frequencies and nothing else. */
export function makeGenerator(config: ModelConfig, seed: number): Generator {
  const encoding = makeEncoding(config.encoding, seed);
  const spec = makeFieldSpec(config.field, featureCount(encoding));
  const { conditioner } = config;
  return { encoding, spec, conditioner, latentSize: conditioner.kind === 'direct' ? 0 : conditioner.latent };
}

/** Initial parameters; `fields` is the number of images that a `direct` conditioner holds. */
export function initGenerator(generator: Generator, seed: number, fields = 1): Parameters {
  return initConditioner(generator.conditioner, generator.spec, new Initialiser(seed), fields);
}

/** Weights of the fields that these latents [B,D] name (of all fields where the conditioner is direct). */
export function fieldWeights(generator: Generator, parameters: Parameters, latents?: Tensor2D): FieldWeights {
  return condition(generator.conditioner, generator.spec, parameters, latents);
}
