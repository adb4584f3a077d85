/** The fused field operation behind the contract of src/ops/kernels.ts: what runs over which tensors. */

import type { FieldSpec, FieldWeights } from '../../ops/fieldSpec.ts';
import type { FieldKernel } from '../../ops/kernels.ts';
import { type Tensor, type Tensor2D, type Tensor3D, type TensorInfo, tf } from '../../tf.ts';
import type { GpuKernel, WebgpuBackend } from './backend.ts';
import { alongFields } from './dispatch.ts';
import { chunksOf, cutPass, passSizes, sizesOf, WORKSPACE_BYTES } from './fieldChunks.ts';
import { featureGradientKernel, type GradientStep, gradientKernels } from './fieldGradientShader.ts';
import { type FieldLayout, fieldLayout, workspaceOf } from './fieldLayout.ts';
import { lossKernel, type PackStep, packSteps, type UnpackStep, unpackSteps } from './fieldPacking.ts';
import { type FieldMode, type FieldTile, fieldKernel, fieldTile } from './fieldShader.ts';
import { createMixedPass, type MixedPass, type PassResult } from './mixedField.ts';
import { type MatrixUnit, matrixUnit } from './mixedLayout.ts';
import { once } from './once.ts';

/** Everything fixed about a spec on this device: made once, for writing shaders takes longer than starting them. */
interface Plan {
  layout: FieldLayout;
  tile: FieldTile;
  pack: PackStep[];
  unpack: UnpackStep[];
  losses: GpuKernel;
  fused(mode: FieldMode, perField: boolean): GpuKernel;
  gradients(perField: boolean): GradientStep[];
  ofFeatures(): GpuKernel;
  /** Loss and gradients in mixed precision, where the spec asks for it and the device can. */
  mixed?: MixedPass;
}

export interface FieldKernelSettings {
  /** Most bytes of a pass's workspace. */
  workspaceBytes?: number;
  /** What multiplies matrices in mixed precision. */
  unit?: MatrixUnit;
  /** Most buffers that weights are packed from and gradients are handed out to at once. */
  mostBuffers?: number;
}

export function createFieldKernel(backend: WebgpuBackend, settings: FieldKernelSettings = {}): FieldKernel {
  const { limits } = backend.device;
  const { workspaceBytes = WORKSPACE_BYTES, unit = matrixUnit(backend.opened.description) } = settings;
  const { mostBuffers = limits.maxStorageBuffersPerShaderStage } = settings;
  const mostBytes = Math.min(workspaceBytes, limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const plans = new WeakMap<FieldSpec, Plan | 'none'>();

  const planOf = (spec: FieldSpec): Plan | undefined => {
    const known = plans.get(spec);
    if (known) return known === 'none' ? undefined : known;
    const layout = fieldLayout(spec);
    const memory = limits.maxComputeWorkgroupStorageSize;
    const threads = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
    const tile = fieldTile(layout, memory, threads);
    const plan = tile && {
      layout,
      tile,
      pack: packSteps(spec, mostBuffers),
      unpack: unpackSteps(spec, mostBuffers),
      losses: lossKernel(layout.channels),
      fused: once((mode: FieldMode, perField: boolean) => fieldKernel(spec, mode, perField, tile)),
      gradients: once((perField: boolean) => gradientKernels(spec, perField)),
      ofFeatures: once(() => featureGradientKernel(spec)),
      mixed: spec.precision === 'mixed' && unit ? createMixedPass(spec, backend, unit, mostBytes) : undefined,
    };
    plans.set(spec, plan ?? 'none');
    return plan;
  };
  const requirePlan = (spec: FieldSpec): Plan => {
    const plan = planOf(spec);
    if (!plan) throw new Error('the webgpu engine has no field kernel for this spec');
    return plan;
  };

  const adopt = (info: TensorInfo): Tensor => tf.engine().makeTensorFromTensorInfo(info as never);
  const release = (info: TensorInfo) => backend.disposeData(info.dataId);

  /** [fields, weightStride] */
  const pack = ({ layout, pack: steps }: Plan, weights: FieldWeights): TensorInfo => {
    const fields = weights.kernels[0].shape[0];
    const packed = backend.allocate([fields, layout.weightStride]);
    for (const { kernel, layers, workgroups } of steps) {
      const sources = layers.flatMap((l) => [weights.kernels[l], weights.biases[l]]);
      backend.run(kernel, [packed, ...sources], alongFields(workgroups, fields, backend.device));
    }
    return packed;
  };

  const forward = (plan: Plan, packed: TensorInfo, fields: number, features: Tensor) => {
    const points = features.shape[features.rank - 2] as number;
    const result = backend.allocate([fields, points, plan.layout.channels]);
    const sizes = backend.uniforms(sizesOf({ points, chunk: points, fields, allFields: fields }));
    const kernel = plan.fused('forward', features.rank === 3);
    backend.run(kernel, [sizes, packed, features, result], [Math.ceil(points / plan.tile.points), fields]);
    return result;
  };

  /** Sums of gradients (and losses) of all fields, chunk by chunk. */
  const pass = (
    plan: Plan,
    mode: Exclude<FieldMode, 'forward'>,
    weights: FieldWeights,
    features: Tensor,
    targets: Tensor,
    ofFeatures: readonly TensorInfo[] = [],
  ): PassResult => {
    const { layout, tile } = plan;
    const [fields, points] = targets.shape as number[];
    const perField = features.rank === 3;
    const packed = pack(plan, weights);
    const { valuesPerPoint } = workspaceOf(layout);
    const cut = cutPass(
      { fields, points, tilePoints: tile.points },
      {
        bytesPerPoint: 4 * valuesPerPoint,
        mostBytes,
        weights: layout.gradientStride,
      },
    );
    const workspace = backend.allocate([cut.chunkFields, cut.chunk, valuesPerPoint]);
    const sums = backend.allocate([cut.slices, fields, layout.gradientStride]);
    const lossParts = mode === 'loss' ? [backend.allocate([fields, Math.ceil(points / tile.points)])] : [];
    const fused = plan.fused(mode, perField);
    for (const chunk of chunksOf(cut, 2 / (fields * points * layout.channels))) {
      const sizes = backend.uniforms(chunk.sizes);
      backend.run(fused, [sizes, packed, features, targets, workspace, ...lossParts], [chunk.tiles, chunk.fields]);
      for (const { kernel, tiles } of plan.gradients(perField)) {
        backend.run(kernel, [sizes, features, workspace, sums], [tiles, chunk.fields, cut.slices]);
      }
      for (const result of ofFeatures) {
        const groups = Math.ceil((chunk.tiles * tile.points * layout.features) / 64);
        const bound = [sizes, packed, workspace, result];
        backend.run(plan.ofFeatures(), bound, alongFields(groups, chunk.fields, backend.device));
      }
    }
    for (const scratch of [packed, workspace]) release(scratch);
    return { cut, sums, lossParts, scale: 1 };
  };

  /** Adds up what a pass left: gradients of kernel and bias of every layer in turn, then the losses, if any. */
  const finish = (
    { losses: lossKernel }: Plan,
    unpack: readonly UnpackStep[],
    weights: FieldWeights,
    { cut, sums, lossParts, scale }: PassResult,
  ): TensorInfo[] => {
    const outputs = weights.kernels.flatMap((kernel, l) => {
      return [kernel, weights.biases[l]].map(({ shape }) => backend.allocate(shape));
    });
    const sizes = backend.uniforms(sizesOf(passSizes(cut, scale)));
    for (const { kernel, parts, workgroups } of unpack) {
      const bound = [sizes, sums, ...parts.map((p) => outputs[p])];
      backend.run(kernel, bound, alongFields(workgroups, cut.fields, backend.device));
    }
    for (const part of lossParts) {
      const losses = backend.allocate([cut.fields]);
      backend.run(lossKernel, [sizes, part, losses], [Math.ceil(cut.fields / 64)]);
      outputs.push(losses);
    }
    for (const scratch of [sums, ...lossParts]) release(scratch);
    return outputs;
  };

  const asGradients = (tensors: readonly Tensor[], layers: number) => ({
    kernels: tensors.slice(0, 2 * layers).filter((_, i) => i % 2 === 0) as Tensor3D[],
    biases: tensors.slice(0, 2 * layers).filter((_, i) => i % 2 === 1) as Tensor2D[],
  });

  return {
    supports(spec, features) {
      const plan = features.dtype === 'float32' ? planOf(spec) : undefined;
      return plan !== undefined && plan.layout.channels <= 64;
    },

    pointsAtOnce: 2 ** 19,

    isMixed: (spec) => planOf(spec)?.mixed !== undefined,

    knownValue: ({ dataId }) => backend.tensorMap.get(dataId).values?.[0],

    forward(spec, weights, features) {
      const plan = requirePlan(spec);
      const packed = pack(plan, weights);
      const result = forward(plan, packed, weights.kernels[0].shape[0], features);
      release(packed);
      return adopt(result) as Tensor3D;
    },

    lossAndGradients(spec, weights, features, targets) {
      const plan = requirePlan(spec);
      const { mixed } = plan;
      const result = mixed ? mixed.run(weights, features, targets) : pass(plan, 'loss', weights, features, targets);
      const tensors = finish(plan, mixed?.unpack ?? plan.unpack, weights, result).map(adopt);
      return { losses: tensors[tensors.length - 1], ...asGradients(tensors, spec.layers.length) };
    },

    gradients(spec, weights, features, outputGradient, wantFeatures) {
      const plan = requirePlan(spec);
      const [fields, points] = outputGradient.shape;
      const ofFeatures = wantFeatures ? [backend.allocate([fields, points, plan.layout.features])] : [];
      const sums = pass(plan, 'gradients', weights, features, outputGradient, ofFeatures);
      const tensors = finish(plan, plan.unpack, weights, sums).map(adopt);
      const result = asGradients(tensors, spec.layers.length);
      if (!wantFeatures) return result;
      const perField = adopt(ofFeatures[0]);
      if (features.rank === 3) return { ...result, features: perField };
      const shared = tf.sum(perField, 0);
      perField.dispose();
      return { ...result, features: shared };
    },
  };
}
