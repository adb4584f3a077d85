/** The field's shape and its initial weights. */
import { z } from 'zod';
import { ACTIVATIONS, type FieldLayerShape, type FieldSpec } from '../ops/field.ts';
import { type InitialParameters, normal, uniform, zeros } from './parameters.ts';

/** Channels of an image. */
const CHANNELS = 3;

const positiveInteger = z.int().positive();

export const fieldSchema = z.strictObject({
  width: positiveInteger.default(64).describe('units of each hidden layer'),
  depth: positiveInteger.default(3).describe('number of hidden layers'),
  skip: positiveInteger
    .optional()
    .describe(
      'after this many hidden layers the features enter once more, beside the activations (DeepSDF, NeRF); below depth; absent: never',
    ),
  activation: z.enum(ACTIVATIONS).default('relu'),
  omega: z
    .number()
    .positive()
    .default(30)
    .describe('frequency ω₀ of the sine and FINER activations, inverse width of the Gaussian'),
  output: z.enum(['linear', 'sigmoid']).default('sigmoid'),
});

export type FieldConfig = z.infer<typeof fieldSchema>;

/**
 * The field of a config: `depth` hidden layers of `width` units from `features` to red, green and blue. With `skip`, the
 * features enter once more after that many hidden layers.
 */
export function makeFieldSpec(config: FieldConfig, features: number): FieldSpec {
  const widths = [features, ...Array<number>(config.depth).fill(config.width), CHANNELS];
  const layers: FieldLayerShape[] = widths.slice(1).map((outputs, i) => {
    return { inputs: widths[i] + (i === config.skip ? features : 0), outputs };
  });
  const { skip: skipLayer, activation, omega, output } = config;
  return { layers, ...(skipLayer !== undefined && { skipLayer }), activation, omega, output };
}

/** FINER keeps SIREN's kernels (Liu et al. 2024, §3.2). */
function isPeriodic({ activation }: FieldSpec): boolean {
  return activation === 'sine' || activation === 'finer';
}

/** Standard deviation of a layer's initial kernel. */
export function kernelStandardDeviation(spec: FieldSpec, layer: number): number {
  const { inputs } = spec.layers[layer];
  // A uniform on ±a has standard deviation a/√3.
  if (isPeriodic(spec)) return sineKernelBound(spec, layer) / Math.sqrt(3);
  // He et al. 2015, eq. 10; the last layer feeds no rectifier.
  return Math.sqrt((layer === spec.layers.length - 1 ? 1 : 2) / inputs);
}

/** Bound of a SIREN layer's uniform kernel (Sitzmann et al. 2020, §3.2 and supplement §1.5). */
function sineKernelBound(spec: FieldSpec, layer: number): number {
  const { inputs } = spec.layers[layer];
  return layer === 0 ? 1 / inputs : Math.sqrt(6 / inputs) / spec.omega;
}

/**
 * Weights of one field: `field.N.kernel` [in,out] and `field.N.bias` [out]. He initialisation for rectifiers, the
 * published one for sines.
 */
export function initialField(spec: FieldSpec): InitialParameters {
  return Object.fromEntries(
    spec.layers.flatMap(({ inputs, outputs }, i) => {
      const [kernel, bias] = isPeriodic(spec)
        ? [uniform(sineKernelBound(spec, i)), uniform(1 / Math.sqrt(inputs))]
        : [normal(kernelStandardDeviation(spec, i)), zeros];
      return [
        [`field.${i}.kernel`, { shape: [inputs, outputs], draw: kernel }],
        [`field.${i}.bias`, { shape: [outputs], draw: bias }],
      ];
    }),
  );
}
