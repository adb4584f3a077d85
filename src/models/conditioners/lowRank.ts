import { z } from 'zod';
import { type Tensor2D, type Tensor3D, tf } from '../../tf.ts';
import { initialField, kernelStandardDeviation } from '../field.ts';
import type { InitialParameters } from '../parameters.ts';
import { defineConditioner, requireLatents } from './conditioner.ts';
import { INITIAL_MODULATION, initialHead, initialMapping, mapLatents, mappingKeys } from './mapping.ts';

/**
 * Low-rank multiplicative modulation: kernels W ⊙ (1 + A(h)·B(h)/√rank), biases b + h·H, h the output of the mapping
 * network (Skorokhodov et al. 2021, INR-GAN, §3.2). Unlike the paper's, it multiplies weights around 1.
 */
export const lowRank = defineConditioner({
  keys: {
    ...mappingKeys,
    rank: z.int().positive().default(8).describe('rank of the multiplicative modulation of each layer'),
  },
  make: (settings) => ({
    latentSize: settings.latent,
    initial(spec) {
      const heads: InitialParameters = {};
      spec.layers.forEach(({ inputs, outputs }, i) => {
        heads[`head.${i}.left`] = initialHead(settings, inputs * settings.rank, 1);
        heads[`head.${i}.right`] = initialHead(settings, settings.rank * outputs, INITIAL_MODULATION);
        heads[`head.${i}.bias`] = initialHead(settings, outputs, INITIAL_MODULATION * kernelStandardDeviation(spec, i));
      });
      return { ...initialField(spec), ...initialMapping(settings), ...heads };
    },
    weights({ layers }, parameters, latents) {
      const { rank } = settings;
      const hidden = mapLatents(settings, parameters, requireLatents(latents)); // [B,M]
      const head = (name: string) => tf.matMul(hidden, parameters[`head.${name}`] as Tensor2D) as Tensor2D;
      const kernels = layers.map(({ inputs, outputs }, i) => {
        const left = tf.reshape(head(`${i}.left`), [-1, inputs, rank]) as Tensor3D;
        const right = tf.reshape(head(`${i}.right`), [-1, rank, outputs]) as Tensor3D;
        const modulation = tf.mul(tf.matMul(left, right), 1 / Math.sqrt(rank)); // [B,I,O]
        return tf.mul(parameters[`field.${i}.kernel`], tf.add(modulation, 1)) as Tensor3D;
      });
      const biases = layers.map((_, i) => tf.add(parameters[`field.${i}.bias`], head(`${i}.bias`)) as Tensor2D); // [B,O]
      return { kernels, biases };
    },
  }),
});
