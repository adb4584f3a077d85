/**
 * The field, its loss and its deltas on matrix units: as fieldShader.ts, in mixed precision.
 *
 * A workgroup takes a tile of points of one field through all layers forwards, the loss, and all layers backwards. The
 * tile is [width][points] in workgroup memory, 16 bits. A layer is weights [outputs, inputs] · tile [inputs, points]: each
 * subgroup sums a block of matrices in its registers (c<row><column>, 32 bits), and puts them, some at a time, into a stage
 * of its own in workgroup memory, where its threads add the bias, activate and round, four points at a time.
 */
import type { FieldSpec } from '../../ops/fieldSpec.ts';
import { activationFunctions, isPiecewiseLinear } from './activationShader.ts';
import type { GpuKernel } from './backend.ts';
import { SIZES } from './fieldChunks.ts';
import { specKey, workspaceOf } from './fieldLayout.ts';
import {
  HALF,
  LOSS_SCALE,
  type MatrixUnit,
  type MixedTile,
  matrixTypes,
  mixedLayout,
  ROW_PADDING,
  stageSize,
  stageStride,
  tileKey,
} from './mixedLayout.ts';

/** A run through one layer, forwards or backwards: weights [width, hidden + features] times the tile, or the features. */
interface Pass {
  hidden: number;
  features: number;
  width: number;
  /** Where the weights and biases begin, and the regions of the workspace. */
  matrix: number;
  bias: number;
  activations: number;
  deltas: number;
}

const PASS_FIELDS = ['hidden', 'features', 'width', 'matrix', 'bias', 'activations', 'deltas'] as const;

const passValue = (pass: Pass) => `Pass(${PASS_FIELDS.map((field) => `${pass[field]}u`).join(', ')})`;
const passTable = (name: string, passes: readonly Pass[]) =>
  `const ${name} = array<Pass, ${passes.length}>(${passes.map(passValue).join(',\n')});`;

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
const each = (count: number, line: (i: number) => string) => upTo(count).map(line).join('\n');

/** A subgroup's share of a layer, in matrices, and the WGSL expressions of where it begins. */
interface Block {
  rows: number;
  columns: number;
  row: string;
  point: string;
}

/** Sums `run`'s product, from the sources that it may have, into the registers. What lies beyond the layer or the tile repeats the last matrix of it. */
function product({ M, N, K }: MatrixUnit, block: Block, source: { hidden: boolean; features: boolean }) {
  const multiply = (input: (column: number) => string) => `
    ${each(block.rows, (i) => `let a${i} = subgroupMatrixLoad<Left, row_major>(&weights, ownWeights + cell(r${i}, k, inputs), 16u);`)}
    ${each(block.columns, (j) => `let b${j} = subgroupMatrixLoad<Right, row_major>(${input(j)});`)}
    ${each(block.rows, (i) => each(block.columns, (j) => `c${i}${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, c${i}${j});`))}`;
  const ofHidden = `for (var k = 0u; k < run.hidden; k += ${K}u) {
    ${multiply((j) => `&tile, k * TILE_STRIDE + p${j}, TILE_STRIDE`)}
  }`;
  const ofFeatures = `for (var k = run.hidden; k < inputs; k += ${K}u) {
    ${multiply((j) => `&features, ownFeatures + (k - run.hidden) * POINTS + p${j}, POINTS`)}
  }`;
  return `
  let inputs = run.hidden + run.features;
  let ownWeights = field * WEIGHTS + run.matrix;
  ${each(block.rows, (i) => `let r${i} = min(${block.row} + ${i * M}u, run.width - ${M}u);`)}
  ${each(block.columns, (j) => `let p${j} = min(${block.point} + ${j * N}u, POINTS - ${N}u);`)}
  ${each(block.rows, (i) => each(block.columns, (j) => `var c${i}${j} = Result();`))}
  ${source.hidden ? ofHidden : ''}
  ${source.features ? ofFeatures : ''}`;
}

/** Hands the registers to `take(row, point, sum)`, a statement, some matrices at a time. */
function results(tile: MixedTile, block: Block, take: string) {
  const { M, N, subgroupSize } = tile.unit;
  const stride = stageStride(tile);
  const round = (i: number, first: number, count: number) => {
    const quads = (count * N) / 4;
    return `
  ${each(count, (j) => `subgroupMatrixStore<row_major>(&stage, ownStage + ${j * N}u, c${i}${first + j}, ${stride}u);`)}
  workgroupBarrier();
  for (var v = thread; v < ${M * quads}u; v += ${subgroupSize}u) {
    let row = ${block.row} + ${i * M}u + v / ${quads}u;
    let point = ${block.point} + ${first * N}u + 4u * (v % ${quads}u);
    let at = ownStage + v / ${quads}u * ${stride}u + 4u * (v % ${quads}u);
    let sum = vec4f(stage[at], stage[at + 1u], stage[at + 2u], stage[at + 3u]);
    if (row < run.width && point < POINTS) { ${take} }
  }
  workgroupBarrier();`;
  };
  const starts = upTo(Math.ceil(block.columns / tile.staged)).map((s) => s * tile.staged);
  return each(block.rows, (i) =>
    starts.map((first) => round(i, first, Math.min(tile.staged, block.columns - first))).join('\n'),
  );
}

/** What becomes of four points' sums of an output: of hidden layers, of the output layer, and on the way back. */
function taking(spec: FieldSpec) {
  const piecewise = isPiecewiseLinear(spec.activation);
  const target = (p: number) => `targets[(start + min(point + ${p}u, last)) * CHANNELS + row]`;
  return `
fn half_at(row: u32, point: u32) -> u32 { return (ownWorkspace + row * POINTS + point) / 4u; }
fn keep(region: u32, row: u32, point: u32, value: vec4f) {
  let rounded = half(value);
  workspace[half_at(region + row, point)] = rounded;
  ${each(4, (p) => `tile[row * TILE_STRIDE + point + ${p}u] = rounded[${p}];`)}
}
fn take_hidden(run: Pass, row: u32, point: u32, sum: vec4f) {
  let z = sum + biases[field * BIASES + run.bias + row];
  ${piecewise ? '' : 'workspace[half_at(run.deltas + row, point)] = half(derivative(z));'}
  keep(run.activations, row, point, activate(z));
}
/** Returns the sum of squared errors. */
fn take_output(run: Pass, row: u32, point: u32, sum: vec4f) -> f32 {
  let value = squash(sum + biases[field * BIASES + run.bias + row]);
  let start = field * sizes.points + first;
  let last = sizes.points - 1u - min(first, sizes.points - 1u);
  let channel = min(row, CHANNELS - 1u);
  let wanted = vec4f(${upTo(4).map(target).join(', ').replaceAll(' row]', ' channel]')});
  let inside = (vec4u(first + point) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.points)) & vec4<bool>(row < CHANNELS);
  let difference = select(vec4f(0.0), value - wanted, inside);
  keep(run.deltas, row, point, LOSS_SCALE * difference * squashDerivative(value));
  return dot(difference, difference);
}
fn take_delta(run: Pass, row: u32, point: u32, sum: vec4f) {
  let kept = vec4f(workspace[half_at(${piecewise ? 'run.activations' : 'run.deltas'} + row, point)]);
  keep(run.deltas, row, point, sum * ${piecewise ? 'derivative(kept)' : 'kept'});
}`;
}

/**
 * The fused kernel of a spec: the loss and, for the gradients, activations and deltas. Bindings: sizes, weights, biases,
 * features (16 bits), targets, workspace, loss. Workgroups (tiles, fields).
 */
export function mixedKernel(spec: FieldSpec, tile: MixedTile, perField: boolean): GpuKernel {
  const layout = mixedLayout(spec);
  const { layers, channels } = layout.field;
  const { unit, points, subgroups, strips, width } = tile;
  const threads = subgroups * unit.subgroupSize;
  const workspace = workspaceOf(layout.field);
  const last = layers.length - 1;
  const forward = layers.map((layer, l): Pass => {
    return {
      hidden: layer.hiddenPadded,
      features: layer.featuresPadded,
      width: layer.outputsPadded,
      matrix: layout.layers[l].forward,
      bias: layout.layers[l].bias,
      activations: l === last ? 0 : workspace.activations[l],
      deltas: l === last ? workspace.outputDelta : workspace.deltas[l],
    };
  });
  const backward = layers.slice(1).map((layer, l): Pass => {
    const [hidden, matrix] = [layer.outputsPadded, layout.layers[l + 1].backward];
    return { ...forward[l], hidden, features: 0, width: layer.hiddenPadded, matrix, bias: 0 };
  });
  const block: Block = {
    rows: unit.rows,
    columns: unit.columns,
    row: `subgroup % ${strips}u * ${unit.rows * unit.M}u`,
    point: `subgroup / ${strips}u * ${unit.columns * unit.N}u`,
  };
  // The output layer is narrow: every subgroup takes all of its rows, for a share of the points.
  const share = Math.ceil(points / unit.N / subgroups);
  const outputBlock: Block = {
    rows: layers[last].outputsPadded / unit.M,
    columns: share,
    row: '0u',
    point: `subgroup * ${share * unit.N}u`,
  };
  const sources = (some: readonly Pass[]) => {
    return { hidden: some.some(({ hidden }) => hidden > 0), features: some.some(({ features }) => features > 0) };
  };
  const passes = (table: string, some: readonly Pass[], take: string) =>
    last === 0
      ? ''
      : `
  for (var layer = 0u; layer < ${last}u; layer++) {
    let run = ${table}[layer];
    ${product(unit, block, sources(some))}
    ${results(tile, block, `${take}(run, row, point, sum);`)}
  }`;
  const code = `${matrixTypes(unit)}
${SIZES}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> weights: array<f16>;
@group(0) @binding(2) var<storage, read> biases: array<f32>;
@group(0) @binding(3) var<storage, read> features: array<f16>;
@group(0) @binding(4) var<storage, read> targets: array<f32>;
@group(0) @binding(5) var<storage, read_write> workspace: array<vec4<f16>>;
@group(0) @binding(6) var<storage, read_write> lossParts: array<f32>;
const POINTS = ${points}u;
const TILE_STRIDE = ${points + ROW_PADDING}u;
const CHANNELS = ${channels}u;
const WEIGHTS = ${layout.weightStride}u;
const BIASES = ${layout.biasStride}u;
const LOSS_SCALE = ${LOSS_SCALE}.0;
var<workgroup> tile: array<f16, ${width * (points + ROW_PADDING)}>;
var<workgroup> stage: array<f32, ${subgroups * stageSize(tile)}>;
struct Pass { ${PASS_FIELDS.map((field) => `${field}: u32,`).join(' ')} }
${last > 0 ? passTable('FORWARD', forward.slice(0, last)) : ''}
${last > 0 ? passTable('BACKWARD', backward.reverse()) : ''}
var<private> field: u32;
var<private> first: u32;
var<private> ownWorkspace: u32;
${activationFunctions(spec)}
${HALF}
/** A value of a matrix of so many columns that lies in blocks of 16 × 16. */
fn cell(row: u32, column: u32, columns: u32) -> u32 {
  return (row / 16u * (columns / 16u) + column / 16u) * 256u + row % 16u * 16u + column % 16u;
}
${taking(spec)}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  field = sizes.firstField + group.y;
  first = sizes.firstPoint + group.x * POINTS;
  let tiles = sizes.chunk / POINTS;
  ownWorkspace = (group.y * tiles + group.x) * ${layout.valuesPerPoint}u * POINTS;
  let ownFeatures = (${perField ? 'group.y * tiles + ' : ''}group.x) * ${layout.featuresPadded}u * POINTS;
  let subgroup = lane / ${unit.subgroupSize}u;
  let thread = lane % ${unit.subgroupSize}u;
  let ownStage = subgroup * ${stageSize(tile)}u;
  var squares = 0.0;
  ${passes('FORWARD', forward.slice(0, last), 'take_hidden')}
  {
    let run = ${passValue(forward[last])};
    ${product(unit, outputBlock, sources([forward[last]]))}
    ${results(tile, outputBlock, 'squares += take_output(run, row, point, sum);')}
  }
  stage[lane] = squares;
  workgroupBarrier();
  for (var span = ${2 ** Math.ceil(Math.log2(threads) - 1)}u; span > 0u; span /= 2u) {
    if (lane < span && lane + span < ${threads}u) { stage[lane] += stage[lane + span]; }
    workgroupBarrier();
  }
  if (lane == 0u) { lossParts[field * sizes.lossParts + sizes.firstPart + group.x] = stage[0]; }
  workgroupBarrier();
  ${passes('BACKWARD', backward, 'take_delta')}
}`;
  const bindings = ['uniform', 'read', 'read', 'read', 'read', 'write', 'write'] as const;
  return { name: `mixed field ${specKey(spec)} ${perField} ${tileKey(tile)}`, code, bindings };
}
