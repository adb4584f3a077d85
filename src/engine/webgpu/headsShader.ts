/**
 * Products of one matrix with many, some heads a dispatch: as many as the device binds buffers. All go in tiles through
 * workgroup memory, a thread summing 8 rows × 4 or 8 columns in its registers (c<row><half>).
 */
import type { GpuKernel } from './backend.ts';

const ROWS = [0, 1, 2, 3, 4, 5, 6, 7];
const COMPONENTS = ['x', 'y', 'z', 'w'];
const each = <T>(items: readonly T[], line: (item: T, i: number) => string) => items.map(line).join('\n');

/** Sizes fixed for a model: rows of the batch B, inputs M, and outputs O of each head. */
export interface HeadsShape {
  batch: number;
  inputs: number;
  outputs: readonly number[];
}

/** Which heads a dispatch is about. */
export type HeadGroup = readonly number[];

const TERMS = 16;
const FORWARD_COLUMNS = 32;
const TILE = 64;
/** Outputs that one slice of the hidden gradient's sum goes over: some 128 slices in all, for their parts take memory. */
function sliceOf({ outputs }: HeadsShape): number {
  const all = outputs.reduce((sum, width) => sum + width, 0);
  return Math.max(128, TERMS * Math.ceil(all / (128 * TERMS)));
}

const tilesOf = (extent: number, tile: number) => Math.ceil(extent / tile);
const key = ({ batch, inputs, outputs }: HeadsShape, group: HeadGroup) => `${batch} ${inputs} ${outputs} of ${group}`;

/** WGSL that tells, from a running number of tiles, the head (its place in the group) and the tile within it. */
function locate(group: HeadGroup, counts: (head: number) => number): { code: string; total: number } {
  let total = 0;
  const code = group.map((head, place) => {
    const first = total;
    total += counts(head);
    return `if (tile < ${total}u) { place = ${place}u; tile -= ${first}u; }`;
  });
  return { code: code.join(' else '), total };
}

/** A function that reads one of the bound buffers by the head's place in the group. */
const reader = (name: string, group: HeadGroup) => `
fn ${name}_of(place: u32, i: u32) -> f32 {
  switch (place) {
${each(group, (_, place) => `    ${place === 0 ? 'default' : `case ${place}u`} { return ${name}${place}[i]; }`)}
  }
}`;
const writer = (name: string, group: HeadGroup) => `
fn put_${name}(place: u32, i: u32, value: f32) {
  switch (place) {
${each(group, (_, place) => `    ${place === 0 ? 'default' : `case ${place}u`} { ${name}${place}[i] = value; }`)}
  }
}`;
const widths = ({ outputs }: HeadsShape, group: HeadGroup) =>
  `const WIDTHS = array<u32, ${group.length}>(${group.map((head) => `${outputs[head]}u`).join(', ')});`;

/** The registers' products with a column of the left and a row of the right tile. */
const multiply = (halves: readonly number[]) =>
  each(ROWS, (r) => each(halves, (h) => `c${r}${h} = fma(vec4f(a${r >> 2}.${COMPONENTS[r % 4]}), b${h}, c${r}${h});`));
const registers = (halves: readonly number[]) => each(ROWS, (r) => each(halves, (h) => `var c${r}${h} = vec4f(0.0);`));
const four = (line: (j: number) => string) => `vec4f(${[0, 1, 2, 3].map(line).join(', ')})`;
const rowOf = (r: number) => `${r < 4 ? '' : `${TILE / 2}u + `}4u * ty + ${r % 4}u`;

/** y = shared + hidden · kernel. Bindings: hidden, then kernel, shared and y of each head. */
export function forwardKernel(shape: HeadsShape, group: HeadGroup): { kernel: GpuKernel; workgroups: number[] } {
  const { batch, inputs, outputs } = shape;
  const { code: where, total } = locate(group, (head) => tilesOf(outputs[head], FORWARD_COLUMNS));
  const code = `
@group(0) @binding(0) var<storage, read> hidden: array<f32>;
${each(
  group,
  (_, i) => `@group(0) @binding(${1 + 3 * i}) var<storage, read> kernel${i}: array<f32>;
@group(0) @binding(${2 + 3 * i}) var<storage, read> shared${i}: array<f32>;
@group(0) @binding(${3 + 3 * i}) var<storage, read_write> y${i}: array<f32>;`,
)}
${widths(shape, group)}
${reader('kernel', group)}
${reader('shared', group)}
${writer('y', group)}
var<workgroup> left: array<vec4f, ${(TERMS * TILE) / 4}>; // [term][row]
var<workgroup> right: array<vec4f, ${(TERMS * FORWARD_COLUMNS) / 4}>; // [term][column]
fn hidden_at(row: u32, k: u32) -> f32 {
  if (row >= ${batch}u || k >= ${inputs}u) { return 0.0; }
  return hidden[row * ${inputs}u + k];
}
fn kernel_at(place: u32, k: u32, column: u32, width: u32) -> f32 {
  if (k >= ${inputs}u || column >= width) { return 0.0; }
  return kernel_of(place, k * width + column);
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var tile = group.x;
  var place = 0u;
  ${where}
  let width = WIDTHS[place];
  let column = tile * ${FORWARD_COLUMNS}u;
  let row = group.y * ${TILE}u;
  let tx = lane % 8u;
  let ty = lane / 8u;
  ${registers([0])}
  for (var k0 = 0u; k0 < ${inputs}u; k0 += ${TERMS}u) {
    for (var i = lane; i < ${(TERMS * TILE) / 4}u; i += 64u) {
      let k = k0 + i % ${TERMS}u;
      let r = row + 4u * (i / ${TERMS}u);
      left[(i % ${TERMS}u) * ${TILE / 4}u + i / ${TERMS}u] = ${four((j) => `hidden_at(r + ${j}u, k)`)};
    }
    for (var i = lane; i < ${(TERMS * FORWARD_COLUMNS) / 4}u; i += 64u) {
      let k = k0 + i / 8u;
      let c = column + 4u * (i % 8u);
      right[i] = ${four((j) => `kernel_at(place, k, c + ${j}u, width)`)};
    }
    workgroupBarrier();
    for (var k = 0u; k < ${TERMS}u; k++) {
      let a0 = left[k * ${TILE / 4}u + ty];
      let a1 = left[k * ${TILE / 4}u + ${TILE / 8}u + ty];
      let b0 = right[k * 8u + tx];
      ${multiply([0])}
    }
    workgroupBarrier();
  }
  for (var j = 0u; j < 4u; j++) {
    let c = column + 4u * tx + j;
    if (c < width) {
      let own = shared_of(place, c);
      ${each(ROWS, (r) => `if (row + ${rowOf(r)} < ${batch}u) { put_y(place, (row + ${rowOf(r)}) * width + c, own + c${r}0[j]); }`)}
    }
  }
}`;
  const bindings = ['read' as const, ...group.flatMap(() => ['read' as const, 'read' as const, 'write' as const])];
  return {
    kernel: { name: `heads ${key(shape, group)}`, code, bindings },
    workgroups: [total, tilesOf(batch, TILE)],
  };
}

/** Gradients of kernels, hiddenᵀ · dy, and of what is shared, the sums of dy. Bindings: hidden, then dy, both of each head. */
export function kernelGradientKernel(shape: HeadsShape, group: HeadGroup): { kernel: GpuKernel; workgroups: number[] } {
  const { batch, inputs, outputs } = shape;
  const { code: where, total } = locate(group, (head) => tilesOf(outputs[head], TILE));
  const quads = TILE / 4;
  const code = `
@group(0) @binding(0) var<storage, read> hidden: array<f32>;
${each(
  group,
  (_, i) => `@group(0) @binding(${1 + 3 * i}) var<storage, read> dy${i}: array<f32>;
@group(0) @binding(${2 + 3 * i}) var<storage, read_write> kernel${i}: array<f32>;
@group(0) @binding(${3 + 3 * i}) var<storage, read_write> shared${i}: array<f32>;`,
)}
${widths(shape, group)}
${reader('dy', group)}
${writer('kernel', group)}
${writer('shared', group)}
var<workgroup> left: array<vec4f, ${TERMS * quads}>; // [row of the batch][input]
var<workgroup> right: array<vec4f, ${TERMS * quads}>; // [row of the batch][column]
fn hidden_at(b: u32, i: u32) -> f32 {
  if (b >= ${batch}u || i >= ${inputs}u) { return 0.0; }
  return hidden[b * ${inputs}u + i];
}
fn dy_at(place: u32, b: u32, column: u32, width: u32) -> f32 {
  if (b >= ${batch}u || column >= width) { return 0.0; }
  return dy_of(place, b * width + column);
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var tile = group.x;
  var place = 0u;
  ${where}
  let width = WIDTHS[place];
  let column = tile * ${TILE}u;
  let row = group.y * ${TILE}u;
  let tx = lane % 8u;
  let ty = lane / 8u;
  ${registers([0, 1])}
  var sum = vec4f(0.0);
  for (var b0 = 0u; b0 < ${batch}u; b0 += ${TERMS}u) {
    for (var i = lane; i < ${TERMS * quads}u; i += 64u) {
      let b = b0 + i / ${quads}u;
      let q = 4u * (i % ${quads}u);
      left[i] = ${four((j) => `hidden_at(b, row + q + ${j}u)`)};
      right[i] = ${four((j) => `dy_at(place, b, column + q + ${j}u, width)`)};
    }
    workgroupBarrier();
    for (var k = 0u; k < ${TERMS}u; k++) {
      let a0 = left[k * ${quads}u + ty];
      let a1 = left[k * ${quads}u + ${quads / 2}u + ty];
      let b0 = right[k * ${quads}u + tx];
      let b1 = right[k * ${quads}u + ${quads / 2}u + tx];
      ${multiply([0, 1])}
      sum += right[k * ${quads}u + lane % ${quads}u];
    }
    workgroupBarrier();
  }
  for (var j = 0u; j < 4u; j++) {
    ${each([0, 1], (h) => {
      const c = `column + ${h === 0 ? '' : `${TILE / 2}u + `}4u * tx + j`;
      return `if (${c} < width) {
      ${each(ROWS, (r) => `if (row + ${rowOf(r)} < ${inputs}u) { put_kernel(place, (row + ${rowOf(r)}) * width + ${c}, c${r}${h}[j]); }`)}
    }`;
    })}
    if (group.y == 0u && lane < ${quads}u && column + 4u * lane + j < width) { put_shared(place, column + 4u * lane + j, sum[j]); }
  }
}`;
  const bindings = ['read' as const, ...group.flatMap(() => ['read' as const, 'write' as const, 'write' as const])];
  return {
    kernel: { name: `heads gradient ${key(shape, group)}`, code, bindings },
    workgroups: [total, tilesOf(inputs, TILE)],
  };
}

/** How many slices the heads of a group take in the hidden gradient's sum. */
export const slicesOf = (shape: HeadsShape, group: HeadGroup) =>
  group.reduce((sum, head) => sum + tilesOf(shape.outputs[head], sliceOf(shape)), 0);

/**
 * Parts of the gradient of hidden, Σ dy · kernelᵀ, a slice of one head's outputs each: [slices, B, M], to be added. Bindings:
 * parts, then kernel and dy of each head; `firstSlice` is where the group's slices begin.
 */
export function hiddenGradientKernel(shape: HeadsShape, group: HeadGroup, firstSlice: number) {
  const { batch, inputs, outputs } = shape;
  const slice = sliceOf(shape);
  const { code: where, total } = locate(group, (head) => tilesOf(outputs[head], slice));
  const quads = TILE / 4;
  const code = `
@group(0) @binding(0) var<storage, read_write> parts: array<f32>;
${each(
  group,
  (_, i) => `@group(0) @binding(${1 + 2 * i}) var<storage, read> kernel${i}: array<f32>;
@group(0) @binding(${2 + 2 * i}) var<storage, read> dy${i}: array<f32>;`,
)}
${widths(shape, group)}
${reader('kernel', group)}
${reader('dy', group)}
var<workgroup> left: array<vec4f, ${TERMS * quads}>; // [output][row of the batch]
var<workgroup> right: array<vec4f, ${TERMS * quads}>; // [output][input]
fn dy_at(place: u32, b: u32, o: u32, width: u32) -> f32 {
  if (b >= ${batch}u || o >= width) { return 0.0; }
  return dy_of(place, b * width + o);
}
fn kernel_at(place: u32, i: u32, o: u32, width: u32) -> f32 {
  if (i >= ${inputs}u || o >= width) { return 0.0; }
  return kernel_of(place, i * width + o);
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slice = ${firstSlice}u + group.x;
  var tile = group.x;
  var place = 0u;
  ${where}
  let width = WIDTHS[place];
  let row = group.y * ${TILE}u;
  let column = group.z * ${TILE}u;
  let end = min(width, (tile + 1u) * ${slice}u);
  let tx = lane % 8u;
  let ty = lane / 8u;
  ${registers([0, 1])}
  for (var o0 = tile * ${slice}u; o0 < end; o0 += ${TERMS}u) {
    for (var i = lane; i < ${TERMS * quads}u; i += 64u) {
      let o = o0 + i % ${TERMS}u;
      let q = i / ${TERMS}u;
      left[(i % ${TERMS}u) * ${quads}u + q] = ${four((j) => `dy_at(place, row + 4u * q + ${j}u, o, width)`)};
      right[(i % ${TERMS}u) * ${quads}u + q] = ${four((j) => `kernel_at(place, column + 4u * q + ${j}u, o, width)`)};
    }
    workgroupBarrier();
    for (var k = 0u; k < ${TERMS}u; k++) {
      let a0 = left[k * ${quads}u + ty];
      let a1 = left[k * ${quads}u + ${quads / 2}u + ty];
      let b0 = right[k * ${quads}u + tx];
      let b1 = right[k * ${quads}u + ${quads / 2}u + tx];
      ${multiply([0, 1])}
    }
    workgroupBarrier();
  }
  for (var j = 0u; j < 4u; j++) {
    ${each([0, 1], (h) => {
      const c = `column + ${h === 0 ? '' : `${TILE / 2}u + `}4u * tx + j`;
      return `if (${c} < ${inputs}u) {
      ${each(ROWS, (r) => `if (row + ${rowOf(r)} < ${batch}u) { parts[(slice * ${batch}u + row + ${rowOf(r)}) * ${inputs}u + ${c}] = c${r}${h}[j]; }`)}
    }`;
    })}
  }
}`;
  const bindings = ['write' as const, ...group.flatMap(() => ['read' as const, 'read' as const])];
  return {
    kernel: { name: `heads hidden gradient ${key(shape, group)} ${firstSlice}`, code, bindings } as GpuKernel,
    workgroups: [total, tilesOf(batch, TILE), tilesOf(inputs, TILE)],
  };
}
