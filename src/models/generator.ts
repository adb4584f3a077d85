/** A generator: encoding, field and conditioner of one model config. Its parameters are separate, and arguments. */
import { type FieldSpec, type FieldWeights, fieldForward, fieldsOf } from '../ops/field.ts';
import type { Stream } from '../random.ts';
import { type Tensor2D, type Tensor3D, tf, tidy } from '../tf.ts';
import type { Conditioner } from './conditioners/conditioner.ts';
import { type ConditionerConfig, makeConditioner } from './conditioners/registry.ts';
import type { Encoding } from './encodings/encoding.ts';
import { type EncodingConfig, makeEncoding } from './encodings/registry.ts';
import { type FieldConfig, makeFieldSpec } from './field.ts';
import { type InitialParameters, initialise, type Parameters } from './parameters.ts';

export interface ModelConfig {
  encoding: EncodingConfig;
  field: FieldConfig;
  conditioner: ConditionerConfig;
}

export interface Generator {
  encoding: Encoding;
  spec: FieldSpec;
  conditioner: Conditioner;
}

/** The generator of a model config. `seed` draws the encoding's frequencies and nothing else. */
export function makeGenerator(config: ModelConfig, seed: number): Generator {
  const encoding = makeEncoding(config.encoding, seed);
  const spec = makeFieldSpec(config.field, encoding.features);
  return { encoding, spec, conditioner: makeConditioner(config.conditioner) };
}

/** Stream of the random numbers that a generator's first values are drawn from. */
export const GENERATOR_STREAM = 'parameters' satisfies Stream;

/** What a generator trains: shapes and first values. @param fields number of images, where each has its own weights. */
export function initialGenerator({ encoding, spec, conditioner }: Generator, fields = 1): InitialParameters {
  return { ...conditioner.initial(spec, fields), ...encoding.initial }; // names of the latter begin with `encoding.`
}

/** Initial parameters. */
export function initGenerator(generator: Generator, seed: number, fields = 1): Parameters {
  return initialise(initialGenerator(generator, fields), seed, GENERATOR_STREAM);
}

/** Weights of the fields that these latents [B,D] name (of all fields where the conditioner has none). */
export function fieldWeights(
  { conditioner, spec }: Generator,
  parameters: Parameters,
  latents?: Tensor2D,
): FieldWeights {
  return conditioner.weights(spec, parameters, latents);
}

/**
 * From latents to colours: latents [B,D] → weights of B fields → their colours at coordinates [P,2] of the image square.
 *
 * @returns [B,P,3], differentiable with respect to everything. Drawing whole images goes through `src/render`, training
 *   through `fieldLoss`: the same function, faster.
 */
export function generate(
  generator: Generator,
  parameters: Parameters,
  latents: Tensor2D | undefined,
  coordinates: Tensor2D,
): Tensor3D {
  return tidy(() => {
    const weights = fieldWeights(generator, parameters, latents);
    const features = generator.encoding.points(coordinates, parameters); // [P,F]
    // Features that fields share are constants to the field operation: each gets its own, so that gradients reach them.
    return fieldForward(generator.spec, weights, tf.tile(tf.expandDims(features, 0), [fieldsOf(weights), 1, 1])); // [B,P,3]
  });
}
