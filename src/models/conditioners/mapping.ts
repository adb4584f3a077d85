/** The mapping network that conditioners share: from the latent to the hidden vector that their heads read. */
import { z } from 'zod';
import { type Tensor, type Tensor2D, tf } from '../../tf.ts';
import { type InitialParameters, normal, type Parameters, zeros } from '../parameters.ts';

export const mappingKeys = {
  latent: z.int().positive().default(128).describe('dimensions of the latent code'),
  mapping: z.array(z.int().positive()).default([256, 256]).describe('widths of the mapping network from the latent'),
};

interface MappingSettings {
  latent: number;
  mapping: readonly number[];
}

/** Initial change of a kernel by the latent, relative to the kernel. */
export const INITIAL_MODULATION = 0.1;

/** Width of the hidden vector, M. */
export function mappingOutputs({ latent, mapping }: MappingSettings): number {
  return mapping.at(-1) ?? latent;
}

/** `mapping.N.kernel` and `mapping.N.bias`, by He et al. 2015. */
export function initialMapping({ latent, mapping }: MappingSettings): InitialParameters {
  const widths = [latent, ...mapping];
  return Object.fromEntries(
    mapping.flatMap((outputs, i) => [
      [`mapping.${i}.kernel`, { shape: [widths[i], outputs], draw: normal(Math.sqrt(2 / widths[i])) }],
      [`mapping.${i}.bias`, { shape: [outputs], draw: zeros }],
    ]),
  );
}

/** Rectified linear layers, [B,D] → [B,M]. */
export function mapLatents({ mapping }: MappingSettings, parameters: Parameters, latents: Tensor2D): Tensor2D {
  let hidden: Tensor = latents;
  for (let i = 0; i < mapping.length; i++) {
    const linear = tf.add(
      tf.matMul(hidden as Tensor2D, parameters[`mapping.${i}.kernel`] as Tensor2D),
      parameters[`mapping.${i}.bias`],
    );
    hidden = tf.relu(linear);
  }
  return hidden as Tensor2D;
}

/** Initial values of a head's kernel [M,O] whose outputs have that standard deviation. */
export function initialHead(settings: MappingSettings, outputs: number, standardDeviation: number) {
  const hidden = mappingOutputs(settings);
  return { shape: [hidden, outputs], draw: normal(standardDeviation / Math.sqrt(hidden)) };
}
