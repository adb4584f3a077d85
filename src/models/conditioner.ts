/**
 * Conditioners: a latent becomes the field's weights. They read nothing of the field but its layer shapes.
 *
 * | kind         | kernel of layer l                                   | source                                     |
 * |--------------|-----------------------------------------------------|--------------------------------------------|
 * | hypernetwork | W_l + reshape(h·H_l)                                | Ha et al. 2017; Dupont et al. 2022 (GASP)  |
 * | lowRank      | W_l ⊙ (1 + A_l(h)·B_l(h)/√rank)                     | Skorokhodov et al. 2021 (INR-GAN), §3.2    |
 * | direct       | W_l itself, one for each image                      | a plain fit                                |
 *
 * h is the output of the mapping network; biases are b_l + h·H'_l throughout. Unlike the papers' heads these add to, or
 * multiply, weights shared by all images, so that at the start every image is the same plausible field.
 */
import type { ConditionerConfig } from '../config/schema.ts';
import type { FieldSpec, FieldWeights } from '../ops/field.ts';
import { affineHeads } from '../ops/heads.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../tf.ts';
import { initField, kernelStandardDeviation } from './field.ts';
import type { Initialiser, Parameters } from './parameters.ts';

/** Initial change of a kernel by the latent, relative to the kernel. */
const INITIAL_MODULATION = 0.1;

/** Initial parameters. For `direct`, of `fields` fields that all start alike. */
export function initConditioner(
  config: ConditionerConfig,
  spec: FieldSpec,
  initialiser: Initialiser,
  fields = 1,
): Parameters {
  const shared = initField(spec, initialiser);
  if (config.kind === 'direct') {
    return Object.fromEntries(
      Object.entries(shared).map(([name, tensor]) => {
        const repeated = tf.tile(tf.expandDims(tensor, 0), [fields, ...tensor.shape.map(() => 1)]);
        tensor.dispose();
        return [name, repeated];
      }),
    );
  }
  const parameters: Parameters = { ...shared };
  const widths = [config.latent, ...config.mapping];
  for (let i = 0; i < config.mapping.length; i++) {
    parameters[`mapping.${i}.kernel`] = initialiser.normal([widths[i], widths[i + 1]], Math.sqrt(2 / widths[i]));
    parameters[`mapping.${i}.bias`] = tf.zeros([widths[i + 1]]);
  }
  const hidden = widths[widths.length - 1];
  const head = (outputs: number, scale: number) => initialiser.normal([hidden, outputs], scale / Math.sqrt(hidden));
  spec.layers.forEach(({ inputs, outputs }, i) => {
    const small = INITIAL_MODULATION * kernelStandardDeviation(spec, i);
    if (config.kind === 'hypernetwork') {
      parameters[`head.${i}.kernel`] = head(inputs * outputs, small);
    } else {
      parameters[`head.${i}.left`] = head(inputs * config.rank, 1);
      parameters[`head.${i}.right`] = head(config.rank * outputs, INITIAL_MODULATION);
    }
    parameters[`head.${i}.bias`] = head(outputs, small);
  });
  return parameters;
}

/**
 * Weights of B fields.
 *
 * @param latents [B,D]; ignored by `direct`, whose parameters are the weights.
 */
export function condition(
  config: ConditionerConfig,
  spec: FieldSpec,
  parameters: Parameters,
  latents?: Tensor2D,
): FieldWeights {
  if (config.kind === 'direct') {
    return {
      kernels: spec.layers.map((_, i) => parameters[`field.${i}.kernel`] as Tensor3D),
      biases: spec.layers.map((_, i) => parameters[`field.${i}.bias`] as Tensor2D),
    };
  }
  if (!latents) throw new Error(`conditioner "${config.kind}" needs latents`);
  const batch = latents.shape[0];
  const hidden = mapLatents(config.mapping.length, parameters, latents); // [B,M]
  const head = (name: string) => tf.matMul(hidden, parameters[name] as Tensor2D) as Tensor2D;
  if (config.kind === 'hypernetwork') {
    const names = spec.layers.flatMap((_, i) => [`${i}.kernel`, `${i}.bias`]);
    const outputs = affineHeads(
      hidden,
      names.map((name) => ({ kernel: parameters[`head.${name}`] as Tensor2D, shared: parameters[`field.${name}`] })),
    );
    return {
      kernels: spec.layers.map((layer, i) => tf.reshape(outputs[2 * i], [batch, layer.inputs, layer.outputs])),
      biases: spec.layers.map((_, i) => outputs[2 * i + 1]), // [B,O]
    };
  }
  const kernels = spec.layers.map(({ inputs, outputs }, i) => {
    const shared = parameters[`field.${i}.kernel`]; // [I,O]
    const left = tf.reshape(head(`head.${i}.left`), [batch, inputs, config.rank]) as Tensor3D;
    const right = tf.reshape(head(`head.${i}.right`), [batch, config.rank, outputs]) as Tensor3D;
    const modulation = tf.mul(tf.matMul(left, right), 1 / Math.sqrt(config.rank)); // [B,I,O]
    return tf.mul(shared, tf.add(modulation, 1)) as Tensor3D;
  });
  const biases = spec.layers.map(
    (_, i) => tf.add(parameters[`field.${i}.bias`], head(`head.${i}.bias`)) as Tensor2D, // [B,O]
  );
  return { kernels, biases };
}

/** The mapping network: rectified linear layers from the latent, [B,D] → [B,M]. */
function mapLatents(layers: number, parameters: Parameters, latents: Tensor2D): Tensor2D {
  let hidden: Tensor = latents;
  for (let i = 0; i < layers; i++) {
    const linear = tf.add(
      tf.matMul(hidden as Tensor2D, parameters[`mapping.${i}.kernel`] as Tensor2D),
      parameters[`mapping.${i}.bias`],
    );
    hidden = tf.relu(linear);
  }
  return hidden as Tensor2D;
}
