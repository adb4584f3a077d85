/** The models once more, in float64 loops over plain arrays: written from the papers' formulas, not from the source. */
import type { ConditionerConfig } from '../../src/models/conditioners/registry.ts';
import type { FieldSpec } from '../../src/ops/field.ts';

/** Values of parameters by name, flattened row by row. */
export type Values = Record<string, Float64Array>;

/** h·W for a vector h [n] and a matrix W [n,m]. */
function vectorMatrix(h: ArrayLike<number>, matrix: ArrayLike<number>, columns: number): number[] {
  return Array.from({ length: columns }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < h.length; i++) sum += h[i] * matrix[i * columns + j];
    return sum;
  });
}

/** Kernel and bias of every layer of one field. */
export function slowWeights(
  config: ConditionerConfig,
  spec: FieldSpec,
  values: Values,
  latent: ArrayLike<number>,
  field = 0,
): { kernel: number[]; bias: number[] }[] {
  if (config.kind === 'direct') {
    return spec.layers.map(({ inputs, outputs }, l) => ({
      kernel: [...values[`field.${l}.kernel`].slice(field * inputs * outputs, (field + 1) * inputs * outputs)],
      bias: [...values[`field.${l}.bias`].slice(field * outputs, (field + 1) * outputs)],
    }));
  }
  let hidden: number[] = Array.from(latent);
  config.mapping.forEach((width, i) => {
    const bias = values[`mapping.${i}.bias`];
    hidden = vectorMatrix(hidden, values[`mapping.${i}.kernel`], width).map((x, j) => Math.max(0, x + bias[j]));
  });
  return spec.layers.map(({ inputs, outputs }, l) => {
    const bias = vectorMatrix(hidden, values[`head.${l}.bias`], outputs).map(
      (x, j) => x + values[`field.${l}.bias`][j],
    );
    const shared = values[`field.${l}.kernel`];
    if (config.kind === 'hypernetwork') {
      const change = vectorMatrix(hidden, values[`head.${l}.kernel`], inputs * outputs);
      return { kernel: change.map((x, i) => x + shared[i]), bias };
    }
    const left = vectorMatrix(hidden, values[`head.${l}.left`], inputs * config.rank);
    const right = vectorMatrix(hidden, values[`head.${l}.right`], config.rank * outputs);
    const kernel: number[] = [];
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) {
        let product = 0;
        for (let r = 0; r < config.rank; r++) product += left[i * config.rank + r] * right[r * outputs + o];
        kernel.push(shared[i * outputs + o] * (1 + product / Math.sqrt(config.rank)));
      }
    }
    return { kernel, bias };
  });
}

/** The activation of a hidden unit. */
export function slowActivation({ activation, omega }: Pick<FieldSpec, 'activation' | 'omega'>, z: number): number {
  switch (activation) {
    case 'relu':
      return Math.max(0, z);
    case 'leakyRelu':
      return z > 0 ? z : 0.2 * z;
    case 'gelu':
      return z * slowNormalDistribution(z);
    case 'sine':
      return Math.sin(omega * z);
    case 'finer':
      return Math.sin(omega * (Math.abs(z) + 1) * z);
    case 'gaussian':
      return Math.exp(-((omega * z) ** 2) / 2);
  }
}

/** Φ(z) by the Maclaurin series of the error function, Σ (−1)ⁿ x²ⁿ⁺¹/(n!(2n+1)), good for |z| up to about 6. */
export function slowNormalDistribution(z: number): number {
  const x = z / Math.SQRT2;
  let power = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    power *= -(x * x) / n;
    sum += power / (2 * n + 1);
  }
  return 0.5 + sum / Math.sqrt(Math.PI);
}

/** One field at one point. */
export function slowField(
  spec: FieldSpec,
  weights: readonly { kernel: ArrayLike<number>; bias: ArrayLike<number> }[],
  features: ArrayLike<number>,
): number[] {
  let x: number[] = Array.from(features);
  spec.layers.forEach(({ outputs }, l) => {
    if (l === spec.skipLayer) x = [...x, ...Array.from(features)];
    const y = vectorMatrix(x, weights[l].kernel, outputs).map((value, j) => value + weights[l].bias[j]);
    if (l === spec.layers.length - 1) x = spec.output === 'sigmoid' ? y.map((v) => 1 / (1 + Math.exp(-v))) : y;
    else x = y.map((v) => slowActivation(spec, v));
  });
  return x;
}

/** Central difference of f in each of some entries of x. */
export function centralDifferences(
  f: () => number,
  x: Float64Array,
  entries: readonly number[],
  width = 1e-5,
): number[] {
  return entries.map((i) => {
    const original = x[i];
    x[i] = original + width;
    const above = f();
    x[i] = original - width;
    const below = f();
    x[i] = original;
    return (above - below) / (2 * width);
  });
}
