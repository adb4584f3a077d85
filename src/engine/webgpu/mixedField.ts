/** The loss of a field in mixed precision, with its gradients: what runs over which tensors. */

import type { FieldSpec, FieldWeights } from '../../ops/fieldSpec.ts';
import type { Tensor, TensorInfo } from '../../tf.ts';
import type { WebgpuBackend } from './backend.ts';
import { alongFields } from './dispatch.ts';
import { type Cut, chunksOf, cutPass } from './fieldChunks.ts';
import { unpackSteps } from './fieldPacking.ts';
import { mixedGradientKernel } from './mixedGradientShader.ts';
import { LOSS_SCALE, type MatrixUnit, mixedLayout, mixedTile } from './mixedLayout.ts';
import { featuresGroups, featuresKernel, mixedPackSteps } from './mixedPacking.ts';
import { mixedKernel } from './mixedShader.ts';
import { once } from './once.ts';

/** What a pass leaves to be added up and handed out, and how. */
export interface PassResult {
  cut: Cut;
  sums: TensorInfo;
  lossParts: TensorInfo[];
  /** What the sums still have to be multiplied with. */
  scale: number;
}

/** Runs loss and gradients of a spec in mixed precision. */
export interface MixedPass {
  unpack: ReturnType<typeof unpackSteps>;
  run(weights: FieldWeights, features: Tensor, targets: Tensor): PassResult;
}

/** The pass in mixed precision, or none where the field is too wide. @param mostBytes of the workspace. */
export function createMixedPass(
  spec: FieldSpec,
  backend: WebgpuBackend,
  unit: MatrixUnit,
  mostBytes: number,
): MixedPass | undefined {
  const { limits } = backend.device;
  const layout = mixedLayout(spec);
  const threads = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  const tile = mixedTile(layout, unit, limits.maxComputeWorkgroupStorageSize, threads);
  if (!tile) return undefined;
  const mostBuffers = limits.maxStorageBuffersPerShaderStage;
  const packSteps = mixedPackSteps(spec, mostBuffers);
  const kernels = once((perField: boolean) => {
    return {
      features: featuresKernel(layout, tile.points, perField),
      fused: mixedKernel(spec, tile, perField),
      gradient: mixedGradientKernel(spec, tile, perField),
    };
  });
  /** A tensor of 16-bit values, two to a number that TensorFlow.js counts. */
  const allocateHalves = (count: number) => backend.allocate([Math.ceil(count / 2)]);

  const run = (weights: FieldWeights, features: Tensor, targets: Tensor): PassResult => {
    const [fields, points] = targets.shape as number[];
    const perField = features.rank === 3;
    const { features: prepare, fused, gradient } = kernels(perField);
    const cut = cutPass(
      { fields, points, tilePoints: tile.points },
      {
        bytesPerPoint: 2 * (layout.valuesPerPoint + (perField ? layout.featuresPadded : 0)),
        mostBytes,
        weights: layout.field.gradientStride,
      },
    );
    const packed = allocateHalves(fields * layout.weightStride);
    const biases = backend.allocate([fields, layout.biasStride]);
    for (const { kernel, layers, workgroups } of packSteps) {
      const sources = layers.flatMap((l) => [weights.kernels[l], weights.biases[l]]);
      backend.run(kernel, [packed, biases, ...sources], alongFields(workgroups, fields, backend.device));
    }
    const halves = allocateHalves((perField ? cut.chunkFields : 1) * cut.chunk * layout.featuresPadded);
    const workspace = allocateHalves(cut.chunkFields * cut.chunk * layout.valuesPerPoint);
    const sums = backend.allocate([cut.slices, fields, layout.field.gradientStride]);
    const lossParts = backend.allocate([fields, Math.ceil(points / tile.points)]);
    for (const { sizes: bytes, tiles, fields: here } of chunksOf(cut, 0)) {
      const sizes = backend.uniforms(bytes);
      backend.run(
        prepare,
        [sizes, features, halves],
        [featuresGroups(layout, tile.points), tiles, perField ? here : 1],
      );
      backend.run(fused, [sizes, packed, biases, halves, targets, workspace, lossParts], [tiles, here]);
      backend.run(gradient.kernel, [sizes, halves, workspace, sums], [gradient.groups, here, cut.slices]);
    }
    for (const scratch of [packed, biases, halves, workspace]) backend.disposeData(scratch.dataId);
    const scale = 2 / (fields * points * layout.field.channels) / LOSS_SCALE;
    return { cut, sums, lossParts: [lossParts], scale };
  };
  return { unpack: unpackSteps(spec, mostBuffers, layout.field), run };
}
