/** Adam and EMA as one pass over memory, in place (native/kernels/elementwise.h). */

import type { OptimizerKernel } from '../../ops/kernels.ts';
import { type Tensor, tf } from '../../tf.ts';
import type { Addon } from './addon.ts';
import type { NativeBackend } from './backend.ts';
import { profile } from './profile.ts';

export function createOptimizerKernel(addon: Addon, backend: NativeBackend): OptimizerKernel {
  /** The tensor, or a copy in its place where its values are seen elsewhere: read out, cloned, or never this engine's. */
  const makeWritable = (tensor: Tensor): Tensor => {
    const current = backend.floats(tensor);
    if (backend.isExclusive(tensor)) return tensor;
    const { info, values } = backend.allocate(tensor.shape);
    values.set(current);
    tensor.dispose();
    return tf.engine().makeTensorFromTensorInfo(info as never);
  };
  return {
    adam(state, gradient, { learningRate, beta1, beta2, epsilon, step }) {
      const [parameter, firstMoment, secondMoment] = [
        makeWritable(state.parameter),
        makeWritable(state.firstMoment),
        makeWritable(state.secondMoment),
      ];
      profile('adam', () =>
        addon.adam(
          backend.floats(parameter),
          backend.floats(firstMoment),
          backend.floats(secondMoment),
          backend.floats(gradient),
          learningRate / (1 - beta1 ** step),
          beta1,
          beta2,
          epsilon,
          1 / Math.sqrt(1 - beta2 ** step),
        ),
      );
      return { parameter, firstMoment, secondMoment };
    },

    updateRows(table, rows, gradient, { hyperparameters, counts }) {
      const state = [table.parameter, table.firstMoment, table.secondMoment].map(makeWritable);
      const { learningRate, beta1, beta2, epsilon } = hyperparameters;
      const indices = backend.integers(rows);
      const width = gradient.size / indices.length;
      const rowOf = (values: Float32Array, row: number) => values.subarray(row * width, (row + 1) * width);
      const [parameters, firstMoments, secondMoments] = state.map((tensor) => backend.floats(tensor));
      const gradients = backend.floats(gradient);
      profile('adam', () => {
        indices.forEach((row, i) => {
          addon.adam(
            rowOf(parameters, row),
            rowOf(firstMoments, row),
            rowOf(secondMoments, row),
            rowOf(gradients, i),
            learningRate / (1 - beta1 ** counts[i]),
            beta1,
            beta2,
            epsilon,
            1 / Math.sqrt(1 - beta2 ** counts[i]),
          );
        });
      });
      const [parameter, firstMoment, secondMoment] = state;
      return { parameter, firstMoment, secondMoment };
    },

    ema(average, value, decay) {
      const next = makeWritable(average);
      profile('ema', () => addon.ema(backend.floats(next), backend.floats(value), decay));
      return next;
    },
  };
}
