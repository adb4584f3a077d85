/** The fused field operation (native/kernels/field.h) behind the contract of src/ops/kernels.ts. */

import { ACTIVATIONS, type FieldSpec, type FieldWeights } from '../../ops/fieldSpec.ts';
import type { FieldKernel } from '../../ops/kernels.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../tf.ts';
import type { Addon } from './addon.ts';
import type { NativeBackend } from './backend.ts';
import { profile } from './profile.ts';

const MODES = { forward: 0, loss: 1, gradients: 2 } as const;
const MOST_LAYERS = 64;

const widthsOf = ({ layers }: FieldSpec) => [layers[0].inputs, ...layers.map(({ outputs }) => outputs)];

export function createFieldKernel(addon: Addon, backend: NativeBackend): FieldKernel {
  const valuesOf = (tensor: Tensor): Float32Array => backend.floats(tensor);
  const adopt = (info: ReturnType<NativeBackend['allocate']>['info']): Tensor =>
    tf.engine().makeTensorFromTensorInfo(info as never);

  const call = (mode: number, spec: FieldSpec, weights: FieldWeights, features: Tensor) => {
    const fields = weights.kernels[0].shape[0];
    const points = features.shape[features.rank - 2] as number;
    const leading = [
      mode,
      widthsOf(spec),
      spec.skipLayer ?? 0,
      ACTIVATIONS.indexOf(spec.activation),
      spec.omega,
      spec.output === 'sigmoid',
      features.rank === 2,
      fields,
      points,
      weights.kernels.map(valuesOf),
      weights.biases.map(valuesOf),
      valuesOf(features),
    ] as const;
    return { fields, points, leading };
  };
  const allocateLike = (tensors: readonly Tensor[]) => tensors.map((tensor) => backend.allocate(tensor.shape));

  return {
    supports(spec, features) {
      return spec.layers.length <= MOST_LAYERS && features.dtype === 'float32';
    },

    knownValue: (scalar) => valuesOf(scalar)[0],

    forward(spec, weights, features) {
      const { fields, points, leading } = call(MODES.forward, spec, weights, features);
      const channels = spec.layers[spec.layers.length - 1].outputs;
      const { info, values } = backend.allocate([fields, points, channels]);
      profile('fieldForward', () => addon.field(...leading, null, values, null));
      return adopt(info) as Tensor3D;
    },

    forwardOnGrid(spec, weights, { xs, ys, frequencies, gains }, { firstRow, rowCount }) {
      const fields = weights.kernels[0].shape[0];
      const points = rowCount * xs.length;
      const { info, values } = backend.allocate([fields, points, spec.layers[spec.layers.length - 1].outputs]);
      profile('fieldForwardOnGrid', () =>
        addon.fieldOnGrid(
          widthsOf(spec),
          spec.skipLayer ?? 0,
          ACTIVATIONS.indexOf(spec.activation),
          spec.omega,
          spec.output === 'sigmoid',
          fields,
          weights.kernels.map(valuesOf),
          weights.biases.map(valuesOf),
          xs,
          ys,
          frequencies,
          gains ?? null,
          firstRow * xs.length,
          points,
          values,
        ),
      );
      return adopt(info) as Tensor3D;
    },

    lossAndGradients(spec, weights, features, targets) {
      const { fields, leading } = call(MODES.loss, spec, weights, features);
      const losses = backend.allocate([fields]);
      const [kernels, biases] = [allocateLike(weights.kernels), allocateLike(weights.biases)];
      const target = valuesOf(targets);
      const arrays = (parts: typeof kernels) => parts.map(({ values }) => values);
      profile('fieldLoss', () =>
        addon.field(...leading, target, null, losses.values, arrays(kernels), arrays(biases), null),
      );
      return {
        losses: adopt(losses.info),
        kernels: kernels.map(({ info }) => adopt(info) as Tensor3D),
        biases: biases.map(({ info }) => adopt(info) as Tensor2D),
      };
    },

    gradients(spec, weights, features, outputGradient, wantFeatures) {
      const { fields, leading } = call(MODES.gradients, spec, weights, features);
      const [kernels, biases] = [allocateLike(weights.kernels), allocateLike(weights.biases)];
      const perField = wantFeatures ? backend.allocate([fields, ...features.shape.slice(-2)]) : null;
      const arrays = (parts: typeof kernels) => parts.map(({ values }) => values);
      const gradient = valuesOf(outputGradient);
      profile('fieldGradients', () =>
        addon.field(...leading, gradient, null, null, arrays(kernels), arrays(biases), perField?.values ?? null),
      );
      const result = {
        kernels: kernels.map(({ info }) => adopt(info) as Tensor3D),
        biases: biases.map(({ info }) => adopt(info) as Tensor2D),
      };
      if (!perField) return { ...result, features: undefined };
      const featureGradients = adopt(perField.info);
      return { ...result, features: features.rank === 2 ? tf.sum(featureGradients, 0) : featureGradients };
    },
  };
}
