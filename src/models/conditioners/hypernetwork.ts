import { affineHeads } from '../../ops/heads.ts';
import { type Tensor2D, tf } from '../../tf.ts';
import { initialField, kernelStandardDeviation } from '../field.ts';
import type { InitialParameters } from '../parameters.ts';
import { defineConditioner, requireLatents } from './conditioner.ts';
import { INITIAL_MODULATION, initialHead, initialMapping, mapLatents, mappingKeys } from './mapping.ts';

/**
 * A full hypernetwork: every weight is W + h·H, h the output of the mapping network (Ha et al. 2017; Dupont et al. 2022,
 * GASP). Unlike the papers' heads these add to weights shared by all images.
 */
export const hypernetwork = defineConditioner({
  keys: mappingKeys,
  make: (settings) => ({
    latentSize: settings.latent,
    initial(spec) {
      const heads: InitialParameters = {};
      spec.layers.forEach(({ inputs, outputs }, i) => {
        const small = INITIAL_MODULATION * kernelStandardDeviation(spec, i);
        heads[`head.${i}.kernel`] = initialHead(settings, inputs * outputs, small);
        heads[`head.${i}.bias`] = initialHead(settings, outputs, small);
      });
      return { ...initialField(spec), ...initialMapping(settings), ...heads };
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
