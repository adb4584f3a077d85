import { affineHeads } from '../../ops/heads.ts';
import { type Tensor2D, tf } from '../../tf.ts';
import { fieldParameters, kernelStandardDeviation } from '../field.ts';
import type { ParameterSpecs } from '../parameters.ts';
import { defineConditioner, requireLatents } from './conditioner.ts';
import { headParameter, INITIAL_MODULATION, mapLatents, mappingKeys, mappingParameters } from './mapping.ts';

/**
 * A full hypernetwork: every weight is W + h·H, h the output of the mapping network (Ha et al. 2017; Dupont et al. 2022,
 * GASP). Unlike the papers' heads these add to weights shared by all images.
 */
export const hypernetwork = defineConditioner({
  keys: mappingKeys,
  make: (settings) => ({
    latentSize: settings.latent,
    parameters(spec) {
      const heads: ParameterSpecs = {};
      spec.layers.forEach(({ inputs, outputs }, i) => {
        const small = INITIAL_MODULATION * kernelStandardDeviation(spec, i);
        heads[`head.${i}.kernel`] = headParameter(settings, inputs * outputs, small);
        heads[`head.${i}.bias`] = headParameter(settings, outputs, small);
      });
      return { ...fieldParameters(spec), ...mappingParameters(settings), ...heads };
    },
    weights({ layers }, parameters, latents) {
      const hidden = mapLatents(settings, parameters, requireLatents(latents)); // [B,M]
      const names = layers.flatMap((_, i) => [`${i}.kernel`, `${i}.bias`]);
      const outputs = affineHeads(
        hidden,
        names.map((name) => ({ kernel: parameters[`head.${name}`] as Tensor2D, shared: parameters[`field.${name}`] })),
      );
      return {
        kernels: layers.map((layer, i) => tf.reshape(outputs[2 * i], [-1, layer.inputs, layer.outputs])), // [B,I,O]
        biases: layers.map((_, i) => outputs[2 * i + 1]), // [B,O]
      };
    },
  }),
});
