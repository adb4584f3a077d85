/**
 * Gradients of the field's weights: activationsᵀ · deltas, summed over points, for every layer in one dispatch.
 *
 * A workgroup takes one tile of one layer's kernel, of one field, over one slice of the points; the slices' sums are added
 * by `unpackKernels`, in their order, so the result does not depend on timing. Hidden layers go in tiles of 64 × 64, 8 × 8
 * a thread; the output layer, which is narrow, in tiles of 64 rows, one a thread.
 */

import type { FieldSpec } from '../../ops/fieldSpec.ts';
import type { GpuKernel } from './backend.ts';
import { ALONG, PLACE } from './dispatch.ts';
import { SIZES } from './fieldChunks.ts';
import { fieldLayout, specKey, workspaceOf } from './fieldLayout.ts';

const TILE = 64;
/** Points whose activations and deltas are in workgroup memory at a time; tiles of points are multiples of 8. */
const POINTS_AT_ONCE = 8;

interface GradientTile {
  /** Row of the kernel where the tile begins, and of the source; how many rows the source has. */
  row: number;
  sourceRow: number;
  rows: number;
  /** Whether the source is the features, else the region of the workspace. */
  fromFeatures: boolean;
  region: number;
  column: number;
  columns: number;
  deltaRegion: number;
  kernelGradient: number;
  /** Where the bias's gradient goes, for the tiles that sum it, else −1. */
  biasGradient: number;
}

function gradientTiles(spec: FieldSpec): { wide: GradientTile[]; narrow: GradientTile[] } {
  const layout = fieldLayout(spec);
  const workspace = workspaceOf(layout);
  const last = layout.layers.length - 1;
  const [wide, narrow]: GradientTile[][] = [[], []];
  layout.layers.forEach((layer, l) => {
    const columns = layer.outputsPadded;
    const sources = [
      { rows: layer.hiddenPadded, first: 0, fromFeatures: false },
      { rows: layer.featuresPadded, first: layer.hiddenPadded, fromFeatures: true },
    ];
    for (const { rows, first, fromFeatures } of sources) {
      for (let sourceRow = 0; sourceRow < rows; sourceRow += TILE) {
        for (let column = 0; column < columns; column += TILE) {
          (l === last ? narrow : wide).push({
            row: first + sourceRow,
            sourceRow,
            rows,
            fromFeatures,
            region: fromFeatures ? 0 : workspace.activations[l - 1],
            column,
            columns,
            deltaRegion: l === last ? workspace.outputDelta : workspace.deltas[l],
            kernelGradient: layer.kernelGradient,
            biasGradient: first + sourceRow === 0 ? layer.biasGradient : -1,
          });
        }
      }
    }
  });
  return { wide, narrow };
}

const each = <T>(items: readonly T[], line: (item: T) => string) => items.map(line).join('\n');
const ROWS = [0, 1, 2, 3, 4, 5, 6, 7];
const COMPONENTS = ['x', 'y', 'z', 'w'];

/** What both shapes of tiles share: how sources and deltas are read, where sums go. */
function preamble(spec: FieldSpec, tiles: readonly GradientTile[], perField: boolean) {
  const { features, gradientStride } = fieldLayout(spec);
  const fields = 'row, sourceRow, rows, fromFeatures, region, column, columns, deltaRegion, kernelGradient'.split(', ');
  const struct = fields.map((name) => `${name}: u32,`).join(' ');
  const values = tiles.map((tile) => {
    const numbers = fields.map((name) => `${Number(tile[name as keyof GradientTile])}u`);
    return `Tile(${numbers.join(', ')}, ${tile.biasGradient})`;
  });
  return `${SIZES}
struct Tile { ${struct} biasGradient: i32 }
const TILES = array<Tile, ${tiles.length}>(${values.join(',\n')});
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> features: array<f32>;
@group(0) @binding(2) var<storage, read> workspace: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec4f>;
fn workspace_row(region: u32, width: u32, field: u32, point: u32) -> u32 {
  return (region * sizes.fields * sizes.chunk + (field * sizes.chunk + point) * width) / 4u;
}
fn feature(field: u32, point: u32, f: u32) -> f32 {
  if (f >= ${features}u) { return 0.0; }
  let row = ${perField ? '(sizes.firstField + field) * sizes.points + ' : ''}min(sizes.firstPoint + point, sizes.points - 1u);
  return features[row * ${features}u + f];
}
/** Four inputs of the layer at a point, from \`row\` of the source on. */
fn source(tile: Tile, field: u32, point: u32, row: u32) -> vec4f {
  if (row >= tile.rows) { return vec4f(0.0); }
  if (tile.fromFeatures == 0u) { return workspace[workspace_row(tile.region, tile.rows, field, point) + row / 4u]; }
  return vec4f(feature(field, point, row), feature(field, point, row + 1u), feature(field, point, row + 2u), feature(field, point, row + 3u));
}
fn delta(tile: Tile, field: u32, point: u32, column: u32) -> vec4f {
  if (column >= tile.columns) { return vec4f(0.0); }
  return workspace[workspace_row(tile.deltaRegion, tile.columns, field, point) + column / 4u];
}
fn put(slice: u32, field: u32, offset: u32, value: vec4f) {
  let i = ((slice * sizes.allFields + sizes.firstField + field) * ${gradientStride}u + offset) / 4u;
  if (sizes.accumulate == 0u) { sums[i] = value; } else { sums[i] += value; }
}`;
}

const BINDINGS = ['uniform', 'read', 'read', 'write'] as const;

function wideKernel(spec: FieldSpec, tiles: readonly GradientTile[], perField: boolean): GpuKernel {
  const vectors = (POINTS_AT_ONCE * TILE) / 4;
  const product = each(ROWS, (r) =>
    each([0, 1], (h) => `c${r}${h} = fma(vec4f(a${r >> 2}.${COMPONENTS[r % 4]}), d${h}, c${r}${h});`),
  );
  const code = `${preamble(spec, tiles, perField)}
var<workgroup> inputs: array<vec4f, ${vectors}>;
var<workgroup> deltas: array<vec4f, ${vectors}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = TILES[group.x];
  let tx = lane % 8u;
  let ty = lane / 8u;
  ${each(ROWS, (r) => `var c${r}0 = vec4f(0.0); var c${r}1 = vec4f(0.0);`)}
  var bias = vec4f(0.0);
  let end = min(sizes.chunk, (group.z + 1u) * sizes.slice);
  for (var p0 = group.z * sizes.slice; p0 < end; p0 += ${POINTS_AT_ONCE}u) {
    for (var i = lane; i < ${vectors}u; i += 64u) {
      let point = p0 + i / 16u;
      inputs[i] = source(tile, group.y, point, tile.sourceRow + 4u * (i % 16u));
      deltas[i] = delta(tile, group.y, point, tile.column + 4u * (i % 16u));
    }
    workgroupBarrier();
    for (var p = 0u; p < ${POINTS_AT_ONCE}u; p++) {
      let a0 = inputs[p * 16u + ty];
      let a1 = inputs[p * 16u + 8u + ty];
      let d0 = deltas[p * 16u + tx];
      let d1 = deltas[p * 16u + 8u + tx];
      ${product}
    }
    if (tile.biasGradient >= 0 && lane < 16u) {
      for (var p = 0u; p < ${POINTS_AT_ONCE}u; p++) { bias += deltas[p * 16u + lane]; }
    }
    workgroupBarrier();
  }
  ${each(ROWS, (r) =>
    each([0, 1], (h) => {
      const [row, column] = [`${r < 4 ? '' : '32u + '}4u * ty + ${r % 4}u`, `${h === 0 ? '' : '32u + '}4u * tx`];
      return `if (tile.sourceRow + ${row} < tile.rows && tile.column + ${column} < tile.columns) {
    put(group.z, group.y, tile.kernelGradient + (tile.row + ${row}) * tile.columns + tile.column + ${column}, c${r}${h});
  }`;
    }),
  )}
  if (tile.biasGradient >= 0 && lane < 16u && tile.column + 4u * lane < tile.columns) {
    put(group.z, group.y, u32(tile.biasGradient) + tile.column + 4u * lane, bias);
  }
}`;
  return { name: `field gradient ${specKey(spec)} ${perField}`, code, bindings: BINDINGS };
}

/** As `wideKernel`, for the few columns of the output layer: a thread takes one row and a vector of columns. */
function narrowKernel(spec: FieldSpec, tiles: readonly GradientTile[], perField: boolean): GpuKernel {
  const vectors = (POINTS_AT_ONCE * TILE) / 4;
  const width = Math.min(TILE, tiles[0].columns) / 4;
  const columns = Array.from({ length: width }, (_, v) => v);
  const code = `${preamble(spec, tiles, perField)}
var<workgroup> inputs: array<vec4f, ${vectors}>;
var<workgroup> deltas: array<vec4f, ${POINTS_AT_ONCE * width}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = TILES[group.x];
  ${each(columns, (v) => `var c${v} = vec4f(0.0);`)}
  var bias = vec4f(0.0);
  let end = min(sizes.chunk, (group.z + 1u) * sizes.slice);
  for (var p0 = group.z * sizes.slice; p0 < end; p0 += ${POINTS_AT_ONCE}u) {
    for (var i = lane; i < ${vectors}u; i += 64u) {
      inputs[i] = source(tile, group.y, p0 + i / 16u, tile.sourceRow + 4u * (i % 16u));
    }
    for (var i = lane; i < ${POINTS_AT_ONCE * width}u; i += 64u) {
      deltas[i] = delta(tile, group.y, p0 + i / ${width}u, tile.column + 4u * (i % ${width}u));
    }
    workgroupBarrier();
    for (var p = 0u; p < ${POINTS_AT_ONCE}u; p++) {
      let a = vec4f(inputs[p * 16u + lane / 4u][lane % 4u]);
      ${each(columns, (v) => `c${v} = fma(a, deltas[p * ${width}u + ${v}u], c${v});`)}
      if (lane < ${width}u) { bias += deltas[p * ${width}u + lane]; }
    }
    workgroupBarrier();
  }
  if (tile.sourceRow + lane < tile.rows) {
    let row = tile.kernelGradient + (tile.row + lane) * tile.columns + tile.column;
    ${each(columns, (v) => `if (tile.column + ${4 * v}u < tile.columns) { put(group.z, group.y, row + ${4 * v}u, c${v}); }`)}
  }
  if (tile.biasGradient >= 0 && lane < ${width}u && tile.column + 4u * lane < tile.columns) {
    put(group.z, group.y, u32(tile.biasGradient) + tile.column + 4u * lane, bias);
  }
}`;
  return { name: `field output gradient ${specKey(spec)} ${perField}`, code, bindings: BINDINGS };
}

/** A kernel, and how many tiles it is dispatched over: workgroups (tiles, fields, slices). */
export interface GradientStep {
  kernel: GpuKernel;
  tiles: number;
}

/** The kernels for the gradients of a spec. Bindings: sizes, features, workspace, sums. */
export function gradientKernels(spec: FieldSpec, perField: boolean): GradientStep[] {
  const { wide, narrow } = gradientTiles(spec);
  return [
    ...(wide.length > 0 ? [{ kernel: wideKernel(spec, wide, perField), tiles: wide.length }] : []),
    { kernel: narrowKernel(spec, narrow, perField), tiles: narrow.length },
  ];
}

/**
 * Gradients of the features, [fields, points, features]: a value a thread, from the deltas of the layers that read features.
 * Bindings: sizes, weights, workspace, result. Seldom asked for, and never in training. Workgroups (x, fields, z), where x·z is values / 64.
 */
export function featureGradientKernel(spec: FieldSpec): GpuKernel {
  const layout = fieldLayout(spec);
  const workspace = workspaceOf(layout);
  const last = layout.layers.length - 1;
  const sums = layout.layers.flatMap((layer, l) => {
    if (layer.features === 0) return [];
    const region = l === last ? workspace.outputDelta : workspace.deltas[l];
    const width = layer.outputsPadded;
    return [
      `for (var o = 0u; o < ${width / 4}u; o++) {
    let delta = workspace[(${region}u * sizes.fields * sizes.chunk + (group.y * sizes.chunk + point) * ${width}u) / 4u + o];
    sum += dot(delta, weights[(field * ${layout.weightStride}u + ${layer.kernel}u + (${layer.hiddenPadded}u + f) * ${width}u) / 4u + o]);
  }`,
    ];
  });
  const code = `${SIZES}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read> workspace: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@compute @workgroup_size(64)
fn main(${ALONG}) {
  let field = sizes.firstField + group.y;
  let i = ${PLACE};
  let point = i / ${layout.features}u;
  let f = i % ${layout.features}u;
  if (point >= sizes.chunk || sizes.firstPoint + point >= sizes.points) { return; }
  var sum = 0.0;
  ${sums.join('\n  ')}
  result[(field * sizes.points + sizes.firstPoint + point) * ${layout.features}u + f] = sum;
}`;
  return { name: `field feature gradient ${specKey(spec)}`, code, bindings: BINDINGS };
}
