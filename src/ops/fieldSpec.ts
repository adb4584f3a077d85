/** What a field is: its layers, its weights, and whether these fit together. */
import type { Tensor, Tensor2D, Tensor3D } from '../tf.ts';

/** Kernels name an activation by its place in this list. */
export const ACTIVATIONS = ['relu', 'leakyRelu', 'gelu', 'sine', 'finer', 'gaussian'] as const;
export type Activation = (typeof ACTIVATIONS)[number];
export type Precision = 'float32' | 'mixed';
export type OutputActivation = 'linear' | 'sigmoid';

export interface FieldLayerShape {
  inputs: number;
  outputs: number;
}

/** Everything about a field but its weights. The last layer is followed by `output`, every other by `activation`. */
export interface FieldSpec {
  layers: readonly FieldLayerShape[];
  /**
   * Index of a layer after the first whose input is [activations of the layer before, features], in this order (Park et
   * al. 2019, DeepSDF; Mildenhall et al. 2020, NeRF): its `inputs` count both. Absent: none.
   */
  skipLayer?: number;
  activation: Activation;
  /**
   * Frequency ω₀ of the sine activation sin(ω₀z), z = xW+b (Sitzmann et al. 2020, §3.2), and of FINER, and the inverse
   * width of the Gaussian; other activations ignore it.
   */
  omega: number;
  output: OutputActivation;
  /**
   * What `fieldLoss` multiplies with, where the engine can: `mixed` rounds weights, activations and deltas to 16 bits and
   * sums in 32 (Micikevicius et al. 2018). Absent, and elsewhere: 32 bits throughout.
   */
  precision?: Precision;
}

/**
 * Weights of B fields: per layer a kernel [B, inputs, outputs] and a bias [B, outputs], or, where all fields share one,
 * [1, …].
 */
export interface FieldWeights {
  kernels: readonly Tensor3D[];
  biases: readonly Tensor2D[];
}

/** The number of features a field reads, of channels it writes, and of weights and biases it has. */
export function fieldDimensions(spec: FieldSpec): { features: number; channels: number; weightCount: number } {
  return {
    features: spec.layers[0].inputs,
    channels: spec.layers[spec.layers.length - 1].outputs,
    weightCount: spec.layers.reduce((sum, { inputs, outputs }) => sum + (inputs + 1) * outputs, 0),
  };
}

/** The number of fields, B: the largest leading size. */
export function fieldsOf({ kernels, biases }: FieldWeights): number {
  return Math.max(...[...kernels, ...biases].map(({ shape }) => shape[0]));
}

/** @throws Error where weights don't fit the spec. */
export function checkWeights(spec: FieldSpec, weights: FieldWeights): void {
  const { layers, skipLayer } = spec;
  if (weights.kernels.length !== layers.length || weights.biases.length !== layers.length) {
    throw new Error(`field has ${layers.length} layers, got weights of ${weights.kernels.length}`);
  }
  if (skipLayer !== undefined) {
    const wanted = (layers[skipLayer - 1]?.outputs ?? 0) + layers[0].inputs;
    if (!(skipLayer > 0) || layers[skipLayer]?.inputs !== wanted) {
      throw new Error(
        `layer ${skipLayer} can't read [hidden, features]: it is none after the first with ${wanted} inputs`,
      );
    }
  }
  const fields = fieldsOf(weights);
  const fits = ([first, ...rest]: readonly number[], wanted: readonly number[]) =>
    (first === fields || first === 1) && rest.join() === wanted.join();
  layers.forEach(({ inputs, outputs }, i) => {
    const [kernel, bias] = [weights.kernels[i].shape, weights.biases[i].shape];
    if (!fits(kernel, [inputs, outputs]) || !fits(bias, [outputs])) {
      const shared = fields === 1 ? '' : ` (1 for ${fields} where fields share it)`;
      throw new Error(
        `field layer ${i} needs kernel [${fields},${inputs},${outputs}] and bias [${fields},${outputs}]${shared}, got [${kernel}] and [${bias}]`,
      );
    }
  });
}

/** @throws Error where weights or features don't fit the spec, or each other. */
export function checkShapes(spec: FieldSpec, weights: FieldWeights, features: Tensor): void {
  checkWeights(spec, weights);
  const perField = features.rank === 3;
  if ((features.rank !== 2 && !perField) || features.shape[features.rank - 1] !== spec.layers[0].inputs) {
    throw new Error(`field needs features [P,${spec.layers[0].inputs}] or [B,P,…], got [${features.shape}]`);
  }
  const fields = fieldsOf(weights);
  if (perField && features.shape[0] !== fields) {
    throw new Error(`features of ${features.shape[0]} fields for weights of ${fields}`);
  }
}
