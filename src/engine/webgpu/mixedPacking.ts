/** Weights and features as the kernels of mixed precision read them (mixedLayout.ts). */

import type { FieldSpec } from '../../ops/fieldSpec.ts';
import type { GpuKernel } from './backend.ts';
import { ALONG, PLACE } from './dispatch.ts';
import { SIZES } from './fieldChunks.ts';
import { type LayerLayout, shapeKey } from './fieldLayout.ts';
import { type PackStep, runs, WORKGROUP } from './fieldPacking.ts';
import { HALF, type MixedLayer, type MixedLayout, mixedLayout } from './mixedLayout.ts';

/**
 * Packs weights, some layers at a time: as many as the device binds buffers. Bindings: packed kernels, packed biases,
 * then kernels and biases.
 */
export function mixedPackSteps(spec: FieldSpec, mostBuffers: number): PackStep[] {
  const layout = mixedLayout(spec);
  const { layers, weightStride, biasStride } = layout;
  const indices = layers.map((_, l) => l);
  return runs(indices, Math.floor((mostBuffers - 2) / 2)).map((group) => {
    const next = layers[group[group.length - 1] + 1];
    const [start, beyond] = [layers[group[0]].forward, next?.forward ?? weightStride];
    const [firstBias, beyondBias] = [layers[group[0]].bias, next?.bias ?? biasStride];
    const code = `enable f16;
@group(0) @binding(0) var<storage, read_write> kernels: array<f16>;
@group(0) @binding(1) var<storage, read_write> biases: array<f32>;
${group
  .map(
    (l, i) => `@group(0) @binding(${2 + 2 * i}) var<storage, read> kernel${l}: array<f32>;
@group(0) @binding(${3 + 2 * i}) var<storage, read> bias${l}: array<f32>;`,
  )
  .join('\n')}
${HALF}
/** Row and column of a value in a matrix of so many columns that lies in blocks of 16 × 16. */
fn cell(i: u32, columns: u32) -> vec2u {
  let block = i / 256u;
  return 16u * vec2u(block / (columns / 16u), block % (columns / 16u)) + vec2u((i % 256u) / 16u, i % 16u);
}
${group.map((l) => kernelAt(layout.field.layers[l], l)).join('\n')}
fn weight(field: u32, i: u32) -> f32 {
${group.map((l) => matricesOf(layout, l)).join('\n')}
  return 0.0;
}
fn bias(field: u32, i: u32) -> f32 {
${group.map((l) => biasOf(layout.field.layers[l], layers[l], l)).join('\n')}
  return 0.0;
}
@compute @workgroup_size(${WORKGROUP})
fn main(${ALONG}) {
  let field = group.y;
  let i = ${start}u + ${PLACE};
  if (i < ${beyond}u) {
    kernels[field * ${weightStride}u + i] = half(vec4f(weight(field, i))).x;
    return;
  }
  let j = ${firstBias}u + i - ${beyond}u;
  if (j < ${beyondBias}u) { biases[field * ${biasStride}u + j] = bias(field, j); }
}`;
    const bindings = ['write' as const, 'write' as const, ...group.flatMap(() => ['read' as const, 'read' as const])];
    const kernel = { name: `mixed pack ${group} ${mostBuffers} ${shapeKey(spec)}`, code, bindings };
    return { kernel, layers: group, workgroups: Math.ceil((beyond - start + beyondBias - firstBias) / WORKGROUP) };
  });
}

/** A value of a layer's kernel [hidden + features, outputs] by its padded place; zero in the padding. */
function kernelAt({ hidden, hiddenPadded, features, outputs }: LayerLayout, l: number): string {
  return `fn kernel${l}_at(field: u32, row: u32, column: u32) -> f32 {
  let own = select(row - ${hiddenPadded - hidden}u, row, row < ${hiddenPadded}u);
  let inside = select(row < ${hiddenPadded + features}u, row < ${hidden}u, row < ${hiddenPadded}u);
  if (!inside || column >= ${outputs}u) { return 0.0; }
  return kernel${l}[(field * ${hidden + features}u + own) * ${outputs}u + column];
}`;
}

function matricesOf({ field, layers, weightStride }: MixedLayout, l: number): string {
  const { hiddenPadded, featuresPadded, outputsPadded } = field.layers[l];
  const { forward, backward } = layers[l];
  return `  if (i < ${backward}u) {
    let at = cell(i - ${forward}u, ${hiddenPadded + featuresPadded}u);
    return kernel${l}_at(field, at.y, at.x);
  }
  if (i < ${layers[l + 1]?.forward ?? weightStride}u) {
    let at = cell(i - ${backward}u, ${outputsPadded}u);
    return kernel${l}_at(field, at.x, at.y);
  }`;
}

const biasOf = ({ outputs, outputsPadded }: LayerLayout, { bias }: MixedLayer, l: number) =>
  `  if (i < ${bias + outputsPadded}u) {
    if (i - ${bias}u >= ${outputs}u) { return 0.0; }
    return bias${l}[field * ${outputs}u + i - ${bias}u];
  }`;

/**
 * The features of a chunk as 16 bits [fields or 1][tiles][features][points of a tile], zero in the padding: four points
 * of a feature a thread. Bindings: sizes, features, packed. Workgroups (`featuresGroups`, tiles, fields or 1).
 */
export function featuresKernel(layout: MixedLayout, points: number, perField: boolean): GpuKernel {
  const { featuresPadded, field } = layout;
  const code = `enable f16;
${SIZES}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> features: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4<f16>>;
${HALF}
fn value(field: u32, point: u32, f: u32) -> f32 {
  if (point >= sizes.points || f >= ${field.features}u) { return 0.0; }
  return features[(${perField ? '(sizes.firstField + field) * sizes.points + ' : ''}point) * ${field.features}u + f];
}
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let f = id.x % ${featuresPadded}u;
  let p = 4u * (id.x / ${featuresPadded}u);
  if (p >= ${points}u) { return; }
  let point = sizes.firstPoint + id.y * ${points}u + p;
  let values = vec4f(value(id.z, point, f), value(id.z, point + 1u, f), value(id.z, point + 2u, f), value(id.z, point + 3u, f));
  let tile = id.z * (sizes.chunk / ${points}u) + id.y;
  packed[((tile * ${featuresPadded}u + f) * ${points}u + p) / 4u] = half(values);
}`;
  const name = `mixed features ${field.features} ${points} ${perField}`;
  return { name, code, bindings: ['uniform', 'read', 'write'] };
}

export const featuresGroups = (layout: MixedLayout, points: number) =>
  Math.ceil((layout.featuresPadded * points) / 4 / WORKGROUP);
