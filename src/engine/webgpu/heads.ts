/** A hypernetwork's heads in a handful of dispatches (headsShader.ts), behind the contract of src/ops/kernels.ts. */

import type { HeadsKernel } from '../../ops/kernels.ts';
import { type Tensor, type TensorInfo, tf } from '../../tf.ts';
import type { WebgpuBackend } from './backend.ts';
import { runs } from './fieldPacking.ts';
import { forwardKernel, type HeadsShape, hiddenGradientKernel, kernelGradientKernel, slicesOf } from './headsShader.ts';
import { once } from './once.ts';

export function createHeadsKernel(backend: WebgpuBackend): HeadsKernel {
  const mostBuffers = backend.device.limits.maxStorageBuffersPerShaderStage;
  const shapes = new Map<string, HeadsShape>();
  const shapeOf = ([hidden, ...heads]: readonly Tensor[]): HeadsShape => {
    const [batch, inputs] = hidden.shape as [number, number];
    const outputs = heads.filter((_, i) => i % 2 === 0).map(({ shape }) => shape[1] as number);
    const key = `${batch} ${inputs} ${outputs}`;
    const shape = shapes.get(key) ?? { batch, inputs, outputs };
    shapes.set(key, shape);
    return shape;
  };
  const groupsOf = ({ outputs }: HeadsShape, buffersOfHead: number) =>
    runs(
      outputs.map((_, head) => head),
      Math.floor((mostBuffers - 1) / buffersOfHead),
    );
  const plans = new Map<HeadsShape, ReturnType<typeof planOf>>();
  const planOf = (shape: HeadsShape) => {
    let slices = 0;
    return {
      forward: once(() => groupsOf(shape, 3).map((heads) => ({ heads, ...forwardKernel(shape, heads) }))),
      kernels: once(() => groupsOf(shape, 3).map((heads) => ({ heads, ...kernelGradientKernel(shape, heads) }))),
      hidden: once(() =>
        groupsOf(shape, 2).map((heads) => {
          const first = slices;
          slices += slicesOf(shape, heads);
          return { heads, ...hiddenGradientKernel(shape, heads, first) };
        }),
      ),
    };
  };
  const plan = (inputs: readonly Tensor[]) => {
    const shape = shapeOf(inputs);
    const known = plans.get(shape) ?? planOf(shape);
    plans.set(shape, known);
    return { shape, ...known };
  };
  const adopt = (info: TensorInfo) => tf.engine().makeTensorFromTensorInfo(info as never) as Tensor;

  return {
    forward(inputs) {
      const { shape, forward } = plan(inputs);
      const outputs = shape.outputs.map((width) => backend.allocate([shape.batch, width]));
      for (const { heads, kernel, workgroups } of forward()) {
        const bound = heads.flatMap((head) => [inputs[1 + 2 * head], inputs[2 + 2 * head], outputs[head]]);
        backend.run(kernel, [inputs[0], ...bound], workgroups);
      }
      return outputs as unknown as Tensor[];
    },

    backward(inputs, outputGradients) {
      const { shape, kernels, hidden } = plan(inputs);
      const gradients = inputs.slice(1).map((input) => backend.allocate(input.shape));
      for (const { heads, kernel, workgroups } of kernels()) {
        const bound = heads.flatMap((head) => [outputGradients[head], gradients[2 * head], gradients[2 * head + 1]]);
        backend.run(kernel, [inputs[0], ...bound], workgroups);
      }
      const steps = hidden();
      const slices = steps.reduce((sum, { heads }) => sum + slicesOf(shape, heads), 0);
      const parts = backend.allocate([slices, shape.batch, shape.inputs]);
      for (const { heads, kernel, workgroups } of steps) {
        backend.run(
          kernel,
          [parts, ...heads.flatMap((head) => [inputs[1 + 2 * head], outputGradients[head]])],
          workgroups,
        );
      }
      const sliced = adopt(parts);
      const ofHidden = tf.sum(sliced, 0);
      sliced.dispose();
      return [ofHidden, ...gradients.map(adopt)];
    },
  };
}
