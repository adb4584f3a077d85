/**
 * The empirical neural tangent kernel of a field, K(x,x') = ∂f(x)/∂θ · ∂f(x')/∂θ (Jacot et al. 2018), dense and in
 * float64, by the chain rule: with h the input of a layer and δ the gradient of an output with respect to the layer's
 * preactivation, K = Σ_layers (h·h' + 1)(δ·δ'). The 1 is the bias.
 */
import type { FieldSpec } from '../../../ops/field.ts';
import { LEAKY_SLOPE } from '../../../ops/fieldReference.ts';

/** Weights of one field as plain numbers: kernels [inputs, outputs] row-major. */
export interface PlainWeights {
  kernels: readonly ArrayLike<number>[];
  biases: readonly ArrayLike<number>[];
}

/**
 * @param features [P,F].
 * @returns `kernel` [P,P], the mean over the output channels of each channel's own kernel (channels share all layers but
 *   the last, and their cross terms vanish as the width grows), and `output` [P,C], the field itself.
 */
export function neuralTangentKernel(
  spec: FieldSpec,
  weights: PlainWeights,
  features: ArrayLike<number>,
): { kernel: Float64Array; output: Float64Array } {
  const points = features.length / spec.layers[0].inputs;
  const { inputs, derivatives, output } = forward(spec, weights, features, points);
  const kernel = new Float64Array(points * points);
  const channels = spec.layers[spec.layers.length - 1].outputs;
  const similarity = spec.layers.map((layer, l) => gram(inputs[l], points, layer.inputs));
  for (let channel = 0; channel < channels; channel++) {
    for (let l = spec.layers.length - 1, delta = outputDelta(spec, output, channel); l >= 0; l--) {
      const deltas = gram(delta, points, spec.layers[l].outputs);
      for (let i = 0; i < kernel.length; i++) kernel[i] += ((similarity[l][i] + 1) * deltas[i]) / channels;
      if (l > 0) delta = backpropagate(delta, weights.kernels[l], derivatives[l - 1], spec.layers[l].outputs);
    }
  }
  return { kernel, output };
}

/** Inputs of each layer [P,I], derivatives of each hidden activation [P,O], and the output [P,C]. */
function forward(spec: FieldSpec, weights: PlainWeights, features: ArrayLike<number>, points: number) {
  const inputs: Float64Array[] = [Float64Array.from(features)];
  const derivatives: Float64Array[] = [];
  for (const [l, layer] of spec.layers.entries()) {
    const z = linear(inputs[l], weights.kernels[l], weights.biases[l], layer, points);
    if (l === spec.layers.length - 1) {
      const output = spec.output === 'sigmoid' ? z.map((value) => 1 / (1 + Math.exp(-value))) : z;
      return { inputs, derivatives, output };
    }
    const slope = new Float64Array(z.length);
    for (let i = 0; i < z.length; i++) [z[i], slope[i]] = activation(spec, z[i]);
    inputs.push(l + 1 === spec.skipLayer ? joinFeatures(z, features, points) : z);
    derivatives.push(slope);
  }
  throw new RangeError('a field needs a layer');
}

function linear(
  x: Float64Array,
  kernel: ArrayLike<number>,
  bias: ArrayLike<number>,
  { inputs, outputs }: { inputs: number; outputs: number },
  points: number,
): Float64Array {
  const z = new Float64Array(points * outputs);
  for (let p = 0; p < points; p++) {
    for (let o = 0; o < outputs; o++) z[p * outputs + o] = bias[o];
    for (let i = 0; i < inputs; i++) {
      const value = x[p * inputs + i];
      if (value === 0) continue;
      for (let o = 0, at = p * outputs, w = i * outputs; o < outputs; o++, at++, w++) z[at] += value * kernel[w];
    }
  }
  return z;
}

/** [hidden, features] of each point. */
function joinFeatures(hidden: Float64Array, features: ArrayLike<number>, points: number): Float64Array {
  const [h, f] = [hidden.length / points, features.length / points];
  const joined = new Float64Array(points * (h + f));
  for (let p = 0; p < points; p++) {
    joined.set(hidden.subarray(p * h, (p + 1) * h), p * (h + f));
    for (let i = 0; i < f; i++) joined[p * (h + f) + h + i] = features[p * f + i];
  }
  return joined;
}

/** Value and derivative. */
function activation({ activation: kind, omega }: FieldSpec, z: number): [number, number] {
  switch (kind) {
    case 'relu':
      return z > 0 ? [z, 1] : [0, 0];
    case 'leakyRelu':
      return z > 0 ? [z, 1] : [LEAKY_SLOPE * z, LEAKY_SLOPE];
    case 'gelu': {
      const density = Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
      const below = normalDistribution(z);
      return [z * below, below + z * density];
    }
    case 'sine':
      return [Math.sin(omega * z), omega * Math.cos(omega * z)];
    case 'finer': {
      const phase = omega * (Math.abs(z) + 1) * z;
      return [Math.sin(phase), omega * (2 * Math.abs(z) + 1) * Math.cos(phase)];
    }
    case 'gaussian': {
      const value = Math.exp(-0.5 * (omega * z) ** 2);
      return [value, -(omega ** 2) * z * value];
    }
  }
}

/** Φ(z) by Abramowitz & Stegun 7.1.26, as the engines compute it. */
function normalDistribution(z: number): number {
  const t = 1 / (1 + 0.3275911 * Math.SQRT1_2 * Math.abs(z));
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = 0.5 * polynomial * Math.exp(-0.5 * z * z);
  return z >= 0 ? 1 - tail : tail;
}

/** Gradient of one channel of the output with respect to the last preactivation, [P,C]. */
function outputDelta(spec: FieldSpec, output: Float64Array, channel: number): Float64Array {
  const channels = spec.layers[spec.layers.length - 1].outputs;
  return output.map((value, i) =>
    i % channels === channel ? (spec.output === 'sigmoid' ? value * (1 - value) : 1) : 0,
  );
}

/** δ_{l−1} = (δ_l W_lᵀ) ⊙ φ'(z_{l−1}), with the rows of W_l that multiply hidden units: its first. */
function backpropagate(
  delta: Float64Array,
  kernel: ArrayLike<number>,
  slope: Float64Array,
  outputs: number,
): Float64Array {
  const below = new Float64Array(slope.length);
  const inputs = slope.length / (delta.length / outputs);
  for (let p = 0, at = 0; at < slope.length; p++) {
    for (let i = 0; i < inputs; i++, at++) {
      if (slope[at] === 0) continue;
      let sum = 0;
      for (let o = 0; o < outputs; o++) sum += delta[p * outputs + o] * kernel[i * outputs + o];
      below[at] = sum * slope[at];
    }
  }
  return below;
}

/** X·Xᵀ of [P,D]. */
function gram(x: Float64Array, points: number, dimensions: number): Float64Array {
  const product = new Float64Array(points * points);
  for (let p = 0; p < points; p++) {
    for (let q = 0; q <= p; q++) {
      let sum = 0;
      for (let d = 0, i = p * dimensions, j = q * dimensions; d < dimensions; d++, i++, j++) sum += x[i] * x[j];
      product[p * points + q] = product[q * points + p] = sum;
    }
  }
  return product;
}
