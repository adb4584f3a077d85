import type { Tensor2D, Tensor3D } from '../../tf.ts';
import { initialField } from '../field.ts';
import { defineConditioner } from './conditioner.ts';

/** No latent: each image has a field of its own, and all start alike. A plain fit. */
export const direct = defineConditioner({
  keys: {},
  make: () => ({
    initial: (spec, fields) =>
      Object.fromEntries(
        Object.entries(initialField(spec)).map(([name, { shape, draw }]) => [
          name,
          { shape: [fields, ...shape], draw, sameInEachField: true },
        ]),
      ),
    weights: ({ layers }, parameters) => ({
      kernels: layers.map((_, i) => parameters[`field.${i}.kernel`] as Tensor3D),
      biases: layers.map((_, i) => parameters[`field.${i}.bias`] as Tensor2D),
    }),
  }),
});
