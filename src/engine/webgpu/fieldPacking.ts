/** Tensors of weights to packed weights (fieldLayout.ts), and sums of gradients back to tensors. */

import type { FieldSpec } from '../../ops/fieldSpec.ts';
import type { GpuKernel } from './backend.ts';
import { ALONG, PLACE } from './dispatch.ts';
import { SIZES } from './fieldChunks.ts';
import { fieldLayout, type LayerLayout, specKey } from './fieldLayout.ts';

export const WORKGROUP = 64;

/** Items in runs of at most `most`. */
export function runs<T>(items: readonly T[], most: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / most) }, (_, i) => items.slice(i * most, (i + 1) * most));
}

export interface PackStep {
  kernel: GpuKernel;
  /** Indices of the layers whose kernels and biases are bound, in this order: kernel, bias, kernel, bias, … */
  layers: number[];
  /** Workgroups per field. */
  workgroups: number;
}

/**
 * Packs weights, some layers at a time: as many as the device binds buffers. Bindings: packed, then kernels and biases.
 */
export function packSteps(spec: FieldSpec, mostBuffers: number): PackStep[] {
  const { layers, weightStride } = fieldLayout(spec);
  const indices = layers.map((_, l) => l);
  return runs(indices, Math.floor((mostBuffers - 1) / 2)).map((group) => {
    const [start, beyond] = [layers[group[0]].kernel, layers[group[group.length - 1] + 1]?.kernel ?? weightStride];
    const code = `
@group(0) @binding(0) var<storage, read_write> packed: array<f32>;
${group
  .map(
    (l, i) => `@group(0) @binding(${1 + 2 * i}) var<storage, read> kernel${l}: array<f32>;
@group(0) @binding(${2 + 2 * i}) var<storage, read> bias${l}: array<f32>;`,
  )
  .join('\n')}
fn value(field: u32, i: u32) -> f32 {
${group.map((l) => packLayer(layers[l], l)).join('\n')}
  return 0.0;
}
@compute @workgroup_size(${WORKGROUP})
fn main(${ALONG}) {
  let i = ${start}u + ${PLACE};
  if (i < ${beyond}u) { packed[group.y * ${weightStride}u + i] = value(group.y, i); }
}`;
    const bindings = ['write' as const, ...group.flatMap(() => ['read' as const, 'read' as const])];
    const kernel = { name: `pack ${group} ${mostBuffers} ${specKey(spec)}`, code, bindings };
    return { kernel, layers: group, workgroups: Math.ceil((beyond - start) / WORKGROUP) };
  });
}

function packLayer(layer: LayerLayout, l: number): string {
  const { hidden, hiddenPadded, features, outputs, outputsPadded } = layer;
  const rows = hidden + features;
  return `
  if (i < ${layer.bias}u) {
    let row = (i - ${layer.kernel}u) / ${outputsPadded}u;
    let column = (i - ${layer.kernel}u) % ${outputsPadded}u;
    let own = select(row - ${hiddenPadded - hidden}u, row, row < ${hiddenPadded}u);
    let inside = select(row < ${hiddenPadded + features}u, row < ${hidden}u, row < ${hiddenPadded}u);
    if (!inside || column >= ${outputs}u) { return 0.0; }
    return kernel${l}[(field * ${rows}u + own) * ${outputs}u + column];
  }
  if (i < ${layer.transpose}u) {
    let column = i - ${layer.bias}u;
    if (column >= ${outputs}u) { return 0.0; }
    return bias${l}[field * ${outputs}u + column];
  }
  if (i < ${layer.transpose + hiddenPadded * layer.transposeRows}u) {
    let row = (i - ${layer.transpose}u) % ${Math.max(1, hiddenPadded)}u;
    let column = (i - ${layer.transpose}u) / ${Math.max(1, hiddenPadded)}u;
    if (row >= ${hidden}u || column >= ${outputs}u) { return 0.0; }
    return kernel${l}[(field * ${rows}u + row) * ${outputs}u + column];
  }`;
}

export interface UnpackStep {
  kernel: GpuKernel;
  /** Indices of the tensors written: kernel and bias of every layer in turn. */
  parts: number[];
  /** Workgroups per field. */
  workgroups: number;
}

/**
 * Adds the slices' sums, times `scale`, and hands them out as tensors, as many at a time as the device binds buffers. Bindings: sizes,
 * sums, then the tensors.
 */
export function unpackSteps(spec: FieldSpec, mostBuffers: number, layout = fieldLayout(spec)): UnpackStep[] {
  const { layers, gradientStride } = layout;
  const parts = layers.flatMap((layer) => {
    const { hidden, hiddenPadded, features, outputs, outputsPadded } = layer;
    const row = `(i / ${outputs}u)`;
    const padded = `select(${row} + ${hiddenPadded - hidden}u, ${row}, ${row} < ${hidden}u)`;
    const kernel = `${layer.kernelGradient}u + ${padded} * ${outputsPadded}u + i % ${outputs}u`;
    return [
      { size: (hidden + features) * outputs, from: kernel },
      { size: outputs, from: `${layer.biasGradient}u + i` },
    ];
  });
  const indices = parts.map((_, p) => p);
  return runs(indices, mostBuffers - 1).map((group) => {
    // The tensors of a group lie side by side along x.
    let end = 0;
    const spans = group.map((p) => {
      const first = end;
      end += parts[p].size;
      return { ...parts[p], name: `part${p}`, first, beyond: end };
    });
    // The sum stands outside the branches: a loop in each of them is more than some drivers' compilers bear.
    const code = `${SIZES}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
${spans.map(({ name }, i) => `@group(0) @binding(${2 + i}) var<storage, read_write> ${name}: array<f32>;`).join('\n')}
fn offset(x: u32) -> u32 {
${spans.map(({ first, beyond, from }) => `  if (x < ${beyond}u) { let i = x - ${first}u; return ${from}; }`).join('\n')}
  return 0u;
}
@compute @workgroup_size(${WORKGROUP})
fn main(${ALONG}) {
  let field = group.y;
  let x = ${PLACE};
  let place = offset(x);
  var sum = 0.0;
  for (var slice = 0u; slice < sizes.slices; slice++) {
    sum += sums[(slice * sizes.allFields + field) * ${gradientStride}u + place];
  }
  ${spans
    .map(
      ({ name, size, first, beyond }) =>
        `if (x < ${beyond}u) { ${name}[field * ${size}u + x - ${first}u] = sum * sizes.scale; }`,
    )
    .join('\n  else ')}
}`;
    const bindings = ['uniform' as const, 'read' as const, ...group.map(() => 'write' as const)];
    const name = `unpack ${group} ${gradientStride} ${specKey(spec)}`;
    return { kernel: { name, code, bindings }, parts: group, workgroups: Math.ceil(end / WORKGROUP) };
  });
}

/** The mean squared error of each field from its tiles' sums of squares. Bindings: sizes, parts, losses. */
export function lossKernel(channels: number): GpuKernel {
  const code = `${SIZES}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.allFields) { return; }
  var sum = 0.0;
  for (var part = 0u; part < sizes.lossParts; part++) { sum += parts[id.x * sizes.lossParts + part]; }
  losses[id.x] = sum / f32(sizes.points * ${channels}u);
}`;
  return { name: `field losses ${channels}`, code, bindings: ['uniform', 'read', 'write'] };
}
