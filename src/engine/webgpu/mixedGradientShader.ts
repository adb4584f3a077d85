/**
 * Gradients of the field's weights on matrix units: activations [inputs, points] · deltasᵀ [points, outputs], summed in 32
 * bits, for every layer in one dispatch.
 *
 * A subgroup takes one block of one layer's kernel, of one field, over one slice of the points, straight from memory, where
 * points lie side by side. Blocks that share deltas are neighbours in a workgroup, so that its cache serves them. The bias's
 * gradient is one product more, with ones. Slices are added by fieldPacking.ts, in their order.
 */
import type { FieldSpec } from '../../ops/fieldSpec.ts';
import type { GpuKernel } from './backend.ts';
import { SIZES } from './fieldChunks.ts';
import { shapeKey, workspaceOf } from './fieldLayout.ts';
import { type MixedLayout, type MixedTile, matrixTypes, mixedLayout, tileKey } from './mixedLayout.ts';

/** Blocks that a workgroup takes, one a subgroup. */
const BLOCKS = 4;

interface GradientBlock {
  /** Row of the kernel where the block begins, and of the source; how many rows the source has. */
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
  biasGradient: number;
  /** Whether this block sums the bias's gradient, too. */
  withBias: boolean;
}

const FIELDS = [
  'row',
  'sourceRow',
  'rows',
  'fromFeatures',
  'region',
  'column',
  'columns',
  'deltaRegion',
  'kernelGradient',
  'biasGradient',
  'withBias',
] as const;

function gradientBlocks({ field }: MixedLayout, height: number, breadth: number): GradientBlock[] {
  const workspace = workspaceOf(field);
  const last = field.layers.length - 1;
  const from = (beyond: number, step: number) => Array.from({ length: Math.ceil(beyond / step) }, (_, i) => i * step);
  return field.layers.flatMap((layer, l) => {
    const sources = [
      { rows: layer.hiddenPadded, first: 0, fromFeatures: false },
      { rows: layer.featuresPadded, first: layer.hiddenPadded, fromFeatures: true },
    ];
    return from(layer.outputsPadded, breadth).flatMap((column) =>
      sources.flatMap(({ rows, first, fromFeatures }) =>
        from(rows, height).map((sourceRow): GradientBlock => {
          return {
            row: first + sourceRow,
            sourceRow,
            rows,
            fromFeatures,
            region: fromFeatures ? 0 : workspace.activations[l - 1],
            column,
            columns: layer.outputsPadded,
            deltaRegion: l === last ? workspace.outputDelta : workspace.deltas[l],
            kernelGradient: layer.kernelGradient,
            biasGradient: layer.biasGradient,
            withBias: first + sourceRow === 0,
          };
        }),
      ),
    );
  });
}

const each = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');
/** Bindings: sizes, features (16 bits), workspace, sums. Workgroups (`groups`, fields, slices). */
export function mixedGradientKernel(
  spec: FieldSpec,
  tile: MixedTile,
  perField: boolean,
): { kernel: GpuKernel; groups: number } {
  const { unit, points } = tile;
  const { M, N, K, subgroupSize } = unit;
  const rows = (line: (i: number) => string) => each(unit.rows, line);
  const columns = (line: (j: number) => string) => each(unit.columns, line);
  const everyPair = (line: (i: number, j: number) => string) => rows((i) => columns((j) => line(i, j)));
  const layout = mixedLayout(spec);
  const stride = layout.field.gradientStride;
  const blocks = gradientBlocks(layout, unit.rows * M, unit.columns * N);
  const table = blocks.map((block) => `Block(${FIELDS.map((field) => `${Number(block[field])}u`).join(', ')})`);
  const inputs = (source: string) =>
    rows((i) => `a${i} = subgroupMatrixLoad<Left, row_major>(${source});`.replaceAll('ROW', `r${i}`));
  const code = `${matrixTypes(unit)}
${SIZES}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> features: array<f16>;
@group(0) @binding(2) var<storage, read> workspace: array<f16>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
const POINTS = ${points}u;
struct Block { ${FIELDS.map((name) => `${name}: u32,`).join(' ')} }
const ALL_BLOCKS = array<Block, ${blocks.length}>(${table.join(',\n')});
var<workgroup> stage: array<f32, ${BLOCKS * M * N * unit.columns}>;
@compute @workgroup_size(${BLOCKS * subgroupSize})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let subgroup = lane / ${subgroupSize}u;
  let index = group.x * ${BLOCKS}u + subgroup;
  let block = ALL_BLOCKS[min(index, ${blocks.length - 1}u)];
  let ownSums = (group.z * sizes.allFields + sizes.firstField + group.y) * ${stride}u;
  // What lies beyond the kernel repeats its last matrix, and is not kept.
  ${rows((i) => `let r${i} = min(block.sourceRow + ${i * M}u, block.rows - ${M}u);`)}
  ${columns((j) => `let o${j} = min(block.column + ${j * N}u, block.columns - ${N}u);`)}
  ${rows((i) => `let sums${i} = ownSums + block.kernelGradient + (block.row - block.sourceRow + r${i}) * block.columns;`)}
  ${everyPair((i, j) => `var c${i}${j} = Result();`)}
  ${columns((j) => `var bias${j} = Result();`)}
  if (sizes.accumulate != 0u) {
    ${everyPair((i, j) => `c${i}${j} = subgroupMatrixLoad<Result, row_major>(&sums, sums${i} + o${j}, block.columns);`)}
  }
  let ones = Left(f16(1.0));
  let tiles = sizes.chunk / POINTS;
  let firstTile = group.z * (sizes.slice / POINTS);
  for (var tile = firstTile; tile < min(tiles, firstTile + sizes.slice / POINTS); tile++) {
    let ownWorkspace = (group.y * tiles + tile) * ${layout.valuesPerPoint}u * POINTS;
    let ownFeatures = (${perField ? 'group.y * tiles + ' : ''}tile) * ${layout.featuresPadded}u * POINTS;
    for (var p = 0u; p < POINTS; p += ${K}u) {
      ${rows((i) => `var a${i} = Left();`)}
      if (block.fromFeatures != 0u) {
        ${inputs('&features, ownFeatures + ROW * POINTS + p, POINTS')}
      } else {
        ${inputs('&workspace, ownWorkspace + (block.region + ROW) * POINTS + p, POINTS')}
      }
      ${columns((j) => `let d${j} = subgroupMatrixLoad<Right, col_major>(&workspace, ownWorkspace + (block.deltaRegion + o${j}) * POINTS + p, POINTS);`)}
      ${everyPair((i, j) => `c${i}${j} = subgroupMatrixMultiplyAccumulate(a${i}, d${j}, c${i}${j});`)}
      if (block.withBias != 0u) {
        ${columns((j) => `bias${j} = subgroupMatrixMultiplyAccumulate(ones, d${j}, bias${j});`)}
      }
    }
  }
  let isInside = index < ${blocks.length}u;
  ${everyPair(
    (i, j) => `if (isInside && block.sourceRow + ${i * M}u < block.rows && block.column + ${j * N}u < block.columns) {
    subgroupMatrixStore<row_major>(&sums, sums${i} + o${j}, c${i}${j}, block.columns);
  }`,
  )}
  let ownStage = subgroup * ${M * N * unit.columns}u;
  ${columns((j) => `subgroupMatrixStore<row_major>(&stage, ownStage + ${j * N}u, bias${j}, ${unit.columns * N}u);`)}
  workgroupBarrier();
  // Every row of the product with ones is the sum; the first one serves.
  for (var o = lane % ${subgroupSize}u; o < ${unit.columns * N}u; o += ${subgroupSize}u) {
    if (isInside && block.withBias != 0u && block.column + o < block.columns) {
      let at = ownSums + block.biasGradient + block.column + o;
      let before = select(0.0, sums[at], sizes.accumulate != 0u);
      sums[at] = before + stage[ownStage + o];
    }
  }
}`;
  const bindings = ['uniform', 'read', 'read', 'write'] as const;
  const kernel = { name: `mixed gradient ${shapeKey(spec)} ${perField} ${tileKey(tile)}`, code, bindings };
  return { kernel, groups: Math.ceil(blocks.length / BLOCKS) };
}
