/**
 * The field in one pass: a workgroup takes a tile of points of one field through all layers forwards and, for training,
 * through the loss and all layers backwards, with the tile's activations in workgroup memory throughout.
 *
 * The tile is [width][points]; a thread owns 8 outputs × 8 points of each layer, in registers c<point><half> (a vector of
 * four outputs each). Weights pass through workgroup memory some rows at a time. For training, activations and deltas go
 * to a workspace in memory, from which `fieldGradientShader` makes the gradients of the weights.
 */
import type { FieldSpec } from '../../ops/fieldSpec.ts';
import { activationFunctions, isPiecewiseLinear } from './activationShader.ts';
import type { GpuKernel } from './backend.ts';
import { SIZES } from './fieldChunks.ts';
import { type FieldLayout, fieldLayout, type LayerLayout, specKey, workspaceOf } from './fieldLayout.ts';

/** `forward` writes outputs; `loss` compares them with targets; `gradients` starts from the gradient of the output. */
export type FieldMode = 'forward' | 'loss' | 'gradients';

/** Points of a tile; a multiple of 8. */
const MOST_POINTS = 128;
/** Vectors of weights in workgroup memory at a time. */
const CHUNK_VECTORS = 512;

export interface FieldTile {
  points: number;
  threads: number;
}

/** The largest tile that workgroup memory [bytes] and the number of threads admit, or none. */
export function fieldTile(layout: FieldLayout, memory: number, mostThreads: number): FieldTile | undefined {
  const width = tileRows(layout);
  // A row of weights must fit the memory for them.
  if (width > 4 * CHUNK_VECTORS) return undefined;
  const outputs = layout.layers[layout.layers.length - 1].outputsPadded;
  for (let points = MOST_POINTS; points >= 8; points /= 2) {
    const threads = (points / 8) * (width / 8);
    const bytes = 16 * CHUNK_VECTORS + 4 * points * (width + outputs);
    // The loss is summed over threads in the memory of the weights.
    if (bytes <= memory && threads <= Math.min(mostThreads, CHUNK_VECTORS)) return { points, threads };
  }
  return undefined;
}

/** Rows of the tile: the widest layer's, and at least those of a chunk of features. */
const tileRows = ({ layers, widestHidden }: FieldLayout) =>
  Math.max(16, widestHidden, layers[layers.length - 1].outputsPadded);

const POINTS = [0, 1, 2, 3, 4, 5, 6, 7];
const HALVES = [0, 1];
const COMPONENTS = ['x', 'y', 'z', 'w'];
const each = <T>(items: readonly T[], line: (item: T) => string) => items.map(line).join('\n');
const everyPair = (line: (point: number, half: number) => string) =>
  each(POINTS, (p) => each(HALVES, (h) => line(p, h)));

/** A run through one hidden layer, forwards or backwards: sums over its inputs, then what becomes of them. */
interface Pass {
  /** Rows of the source in the tile; after them, rows of features. */
  hidden: number;
  features: number;
  /** Outputs, and where the matrix [hidden + features, width] and the bias begin in the packed weights. */
  width: number;
  /** Rows of the matrix in workgroup memory at a time; divides 16, of which all extents are multiples. */
  rows: number;
  matrix: number;
  bias: number;
  /** Regions of the workspace. */
  activations: number;
  deltas: number;
}

const rowsAtOnce = (width: number) => Math.min(16, 2 ** Math.floor(Math.log2((4 * CHUNK_VECTORS) / width)));

const PASS_FIELDS = ['hidden', 'features', 'width', 'rows', 'matrix', 'bias', 'activations', 'deltas'] as const;

const passTable = (name: string, passes: readonly Pass[]) =>
  `const ${name} = array<Pass, ${passes.length}>(${passes
    .map((pass) => `Pass(${PASS_FIELDS.map((field) => `${pass[field]}u`).join(', ')})`)
    .join(',\n')});`;

/** The vectors of a thread, by point and half, in a region of the workspace. */
const regionAt = (tile: FieldTile, region: string) => (p: number, h: number) => {
  const point = `(${p < 4 ? '' : `${tile.points / 2}u + `}4u * tx + ${p % 4}u)`;
  return `workspace[at(${region}, width, ${point}, ${h === 0 ? '' : 'width / 2u + '}4u * ty)]`;
};

/** Adds source · matrix to the registers; \`pass\` says of what. */
function accumulate(tile: FieldTile) {
  const quads = tile.points / 4;
  return `
  for (var k0 = 0u; k0 < run.hidden + run.features; k0 += rows) {
    for (var i = lane; i < rows * width / 4u; i += THREADS) {
      chunk[i] = weights[field * WEIGHT_VECTORS + (run.matrix + k0 * width) / 4u + i];
    }
    // Features need no room of their own: what the tile held has been summed by then.
    let fromFeatures = k0 >= run.hidden;
    if (fromFeatures) {
      for (var i = lane; i < rows * ${quads}u; i += THREADS) {
        tile[(i % rows) * QUADS + i / rows] = features4(k0 - run.hidden + i % rows, 4u * (i / rows));
      }
    }
    workgroupBarrier();
    if (8u * ty < width) {
      let first = select(k0, 0u, fromFeatures);
      for (var k = 0u; k < rows; k++) {
        let a0 = tile[(first + k) * QUADS + tx];
        let a1 = tile[(first + k) * QUADS + ${quads / 2}u + tx];
        let b0 = chunk[k * width / 4u + ty];
        let b1 = chunk[k * width / 4u + width / 8u + ty];
        ${everyPair((p, h) => `c${p}${h} = fma(vec4f(a${p >> 2}.${COMPONENTS[p % 4]}), b${h}, c${p}${h});`)}
      }
    }
    workgroupBarrier();
  }`;
}

/** Puts the registers into the tile as [width][points]. */
function storeTile(tile: FieldTile) {
  const column = (j: number, h: number, first: number) =>
    `vec4f(${[0, 1, 2, 3].map((p) => `c${first + p}${h}.${COMPONENTS[j]}`).join(', ')})`;
  return each(HALVES, (h) =>
    each([0, 1, 2, 3], (j) =>
      each([0, 4], (first) => {
        const row = `(${h === 0 ? '' : 'width / 2u + '}4u * ty + ${j}u)`;
        return `tile[${row} * QUADS + ${first === 0 ? '' : `${tile.points / 8}u + `}tx] = ${column(j, h, first)};`;
      }),
    ),
  );
}

/** All hidden layers, one after another. The loop keeps the shader short, whatever the depth. */
function forwardPasses(spec: FieldSpec, tile: FieldTile, count: number, training: boolean, extents: string) {
  const keep = (region: string, value: (p: number, h: number) => string) =>
    everyPair((p, h) => `${regionAt(tile, region)(p, h)} = ${value(p, h)};`);
  const keepsDerivative = training && !isPiecewiseLinear(spec.activation);
  return `
  for (var layer = 0u; layer < ${count}u; layer++) {
    let run = FORWARD[layer];
    ${extents}
    let ownBias = field * WEIGHT_VECTORS + run.bias / 4u + select(0u, ty, 8u * ty < width);
    let bias0 = weights[ownBias];
    let bias1 = weights[ownBias + width / 8u];
    ${everyPair((p, h) => `c${p}${h} = bias${h};`)}
    ${accumulate(tile)}
    if (8u * ty < width) {
      ${keepsDerivative ? keep('run.deltas', (p, h) => `derivative(c${p}${h})`) : ''}
      ${everyPair((p, h) => `c${p}${h} = activate(c${p}${h});`)}
      ${training ? keep('run.activations', (p, h) => `c${p}${h}`) : ''}
      ${storeTile(tile)}
    }
    workgroupBarrier();
  }`;
}

/** From the deltas of the output, in the tile, back to those of each hidden layer. */
function backwardPasses(spec: FieldSpec, tile: FieldTile, count: number, extents: string) {
  const piecewise = isPiecewiseLinear(spec.activation);
  const kept = regionAt(tile, piecewise ? 'run.activations' : 'run.deltas');
  const slope = (p: number, h: number) => (piecewise ? `derivative(${kept(p, h)})` : kept(p, h));
  return `
  for (var layer = 0u; layer < ${count}u; layer++) {
    let run = BACKWARD[layer];
    ${extents}
    ${everyPair((p, h) => `c${p}${h} = vec4f(0.0);`)}
    ${accumulate(tile)}
    if (8u * ty < width) {
      ${everyPair((p, h) => `c${p}${h} *= ${slope(p, h)};`)}
      ${everyPair((p, h) => `${regionAt(tile, 'run.deltas')(p, h)} = c${p}${h};`)}
      ${storeTile(tile)}
    }
    workgroupBarrier();
  }`;
}

/** The output layer is narrow: a thread takes one channel of four points at a time. */
function outputLayer(tile: FieldTile, layer: LayerLayout, mode: FieldMode) {
  const quads = tile.points / 4;
  const vectors = layer.outputsPadded / 4;
  const weight = (row: string) =>
    `weights[field * WEIGHT_VECTORS + ${layer.kernel / 4}u + (${row}) * ${vectors}u + channel / 4u][channel % 4u]`;
  const target = (p: number) => `target_at(4u * quad + ${p}u, channel)`;
  const stages: Record<FieldMode, string> = {
    forward: each(
      [0, 1, 2, 3],
      (p) => `if (first + 4u * quad + ${p}u < sizes.points) {
        result[(field * sizes.points + first + 4u * quad + ${p}u) * CHANNELS + channel] = value.${COMPONENTS[p]};
      }`,
    ),
    loss: `
      let inside = inside4(4u * quad);
      let difference = select(vec4f(0.0), value - vec4f(${[0, 1, 2, 3].map(target).join(', ')}), inside);
      squares += dot(difference, difference);
      outputs[channel * QUADS + quad] = sizes.scale * difference * squashDerivative(value);`,
    gradients: `
      let gradient = select(vec4f(0.0), vec4f(${[0, 1, 2, 3].map(target).join(', ')}), inside4(4u * quad));
      outputs[channel * QUADS + quad] = gradient * squashDerivative(value);`,
  };
  return `
  // The output layer: ${layer.hidden + layer.features} → ${layer.outputs}.
  for (var i = lane; i < ${quads}u * CHANNELS; i += THREADS) {
    let channel = i / ${quads}u;
    let quad = i % ${quads}u;
    var sum = vec4f(weights[field * WEIGHT_VECTORS + ${layer.bias / 4}u + channel / 4u][channel % 4u]);
    for (var k = 0u; k < ${layer.hidden}u; k++) { sum = fma(tile[k * QUADS + quad], vec4f(${weight('k')}), sum); }
    for (var k = 0u; k < ${layer.features}u; k++) {
      sum = fma(features4(k, 4u * quad), vec4f(${weight(`${layer.hiddenPadded}u + k`)}), sum);
    }
    let value = squash(sum);
    ${stages[mode]}
  }`;
}

/** Sums what every thread holds in `squares`, always in the same order. */
const SUM_LOSS = `
  chunk[lane] = vec4f(squares);
  workgroupBarrier();
  for (var width = SUM_WIDTH; width > 0u; width /= 2u) {
    if (lane < width && lane + width < THREADS) { chunk[lane] += chunk[lane + width]; }
    workgroupBarrier();
  }
  if (lane == 0u) { lossParts[field * sizes.lossParts + sizes.firstPart + group.x] = chunk[0].x; }
  workgroupBarrier();`;

/** Deltas of the output, from workgroup memory of their own to the workspace and, padded with zeros, into the tile. */
function outputDelta(tile: FieldTile, layer: LayerLayout, region: number) {
  const width = layer.outputsPadded;
  return `
  workgroupBarrier();
  for (var i = lane; i < ${layer.transposeRows}u * QUADS; i += THREADS) {
    tile[i] = select(vec4f(0.0), outputs[min(i, CHANNELS * QUADS - 1u)], i < CHANNELS * QUADS);
  }
  workgroupBarrier();
  for (var i = lane; i < ${(tile.points * width) / 4}u; i += THREADS) {
    let point = i / ${width / 4}u;
    let channel = 4u * (i % ${width / 4}u);
    workspace[at(${region}u, ${width}u, point, channel)] = vec4f(${[0, 1, 2, 3]
      .map((c) => `tile[(channel + ${c}u) * QUADS + point / 4u][point % 4u]`)
      .join(', ')});
  }`;
}

/** The fused kernel of a spec in a mode. Bindings: sizes, weights, features, then result | target, workspace (, loss). */
export function fieldKernel(spec: FieldSpec, mode: FieldMode, perField: boolean, tile: FieldTile): GpuKernel {
  const layout = fieldLayout(spec);
  const { layers, channels, features, weightStride } = layout;
  const workspace = mode === 'forward' ? undefined : workspaceOf(layout);
  const last = layers.length - 1;
  const columns = tile.points / 8;
  const forward = layers.slice(0, last).map((layer, l): Pass => {
    return {
      hidden: layer.hiddenPadded,
      features: layer.featuresPadded,
      width: layer.outputsPadded,
      rows: rowsAtOnce(layer.outputsPadded),
      matrix: layer.kernel,
      bias: layer.bias,
      activations: workspace?.activations[l] ?? 0,
      deltas: workspace?.deltas[l] ?? 0,
    };
  });
  const backward = layers.slice(1).map((layer, l): Pass => {
    const [hidden, width, matrix] = [layer.transposeRows, layer.hiddenPadded, layer.transpose];
    return { ...forward[l], hidden, features: 0, width, rows: rowsAtOnce(width), matrix, bias: 0 };
  });
  const hasHidden = last > 0;
  // Where all layers are as wide as each other, which is as good as always, the compiler may know how wide.
  const widths = new Set(forward.map(({ width }) => width));
  const extents =
    widths.size === 1
      ? `const width = ${forward[0].width}u; const rows = ${forward[0].rows}u;`
      : 'let width = run.width; let rows = run.rows;';
  const body = [
    hasHidden ? forwardPasses(spec, tile, last, workspace !== undefined, extents) : '',
    outputLayer(tile, layers[last], mode),
    mode === 'loss' ? SUM_LOSS : '',
    workspace ? outputDelta(tile, layers[last], workspace.outputDelta) : '',
    workspace && hasHidden ? backwardPasses(spec, tile, last, extents) : '',
  ];
  const training = `
@group(0) @binding(3) var<storage, read> targets: array<f32>;
@group(0) @binding(4) var<storage, read_write> workspace: array<vec4f>;
${mode === 'loss' ? '@group(0) @binding(5) var<storage, read_write> lossParts: array<f32>;' : ''}
fn target_at(p: u32, channel: u32) -> f32 {
  return targets[(field * sizes.points + min(first + p, sizes.points - 1u)) * CHANNELS + channel];
}
fn inside4(p: u32) -> vec4<bool> { return vec4u(first + p) + vec4u(0u, 1u, 2u, 3u) < vec4u(sizes.points); }
/** A vector of a region of the workspace [fields, chunk, width]. */
fn at(region: u32, width: u32, p: u32, output: u32) -> u32 {
  let row = (field - sizes.firstField) * sizes.chunk + first - sizes.firstPoint + p;
  return (region * sizes.fields * sizes.chunk + row * width + output) / 4u;
}`;
  const code = `${SIZES}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read> features: array<f32>;
${mode === 'forward' ? '@group(0) @binding(3) var<storage, read_write> result: array<f32>;' : ''}
const THREADS = ${tile.threads}u;
const QUADS = ${tile.points / 4}u;
const CHANNELS = ${channels}u;
const WEIGHT_VECTORS = ${weightStride / 4}u;
const SUM_WIDTH = ${2 ** Math.ceil(Math.log2(Math.max(2, tile.threads)) - 1)}u;
var<workgroup> tile: array<vec4f, ${(tileRows(layout) * tile.points) / 4}>;
var<workgroup> chunk: array<vec4f, ${CHUNK_VECTORS}>;
${workspace ? `var<workgroup> outputs: array<vec4f, ${(layers[last].outputsPadded * tile.points) / 4}>;` : ''}
struct Pass { ${PASS_FIELDS.map((field) => `${field}: u32,`).join(' ')} }
${hasHidden ? passTable('FORWARD', forward) : ''}
${hasHidden && workspace ? passTable('BACKWARD', backward.reverse()) : ''}
var<private> field: u32;
var<private> first: u32;
${activationFunctions(spec)}
fn feature_at(f: u32, p: u32) -> f32 {
  let row = ${perField ? 'field * sizes.points + ' : ''}min(first + p, sizes.points - 1u);
  return features[row * ${features}u + f];
}
/** A feature of four points; zero in the padding. */
fn features4(f: u32, p: u32) -> vec4f {
  if (f >= ${features}u) { return vec4f(0.0); }
  return vec4f(feature_at(f, p), feature_at(f, p + 1u), feature_at(f, p + 2u), feature_at(f, p + 3u));
}
${workspace ? training : ''}
@compute @workgroup_size(${tile.threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  field = sizes.firstField + group.y;
  first = sizes.firstPoint + group.x * ${tile.points}u;
  let tx = lane % ${columns}u;
  let ty = lane / ${columns}u;
  ${everyPair((p, h) => `var c${p}${h} = vec4f(0.0);`)}
  ${mode === 'loss' ? 'var squares = 0.0;' : ''}
  ${body
    .filter((part) => part)
    .map(
      (part) => `{${part}
}`,
    )
    .join('\n')}
}`;
  const bindings: GpuKernel['bindings'] = {
    forward: ['uniform', 'read', 'read', 'write'] as const,
    loss: ['uniform', 'read', 'read', 'read', 'write', 'write'] as const,
    gradients: ['uniform', 'read', 'read', 'read', 'write'] as const,
  }[mode];
  return { name: `field ${mode} ${specKey(spec)} ${perField ? 'own' : 'shared'} ${tile.points}`, code, bindings };
}
