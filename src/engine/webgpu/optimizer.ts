/**
 * Adam and averages, in place: one dispatch over all parameters, which lie side by side (arena.ts) from the first update
 * on, as do their moments, their averages and, gathered there, their gradients.
 */

import type { AdamState, OptimizerKernel, RowUpdateOptions, Trained, UpdateOptions } from '../../ops/kernels.ts';
import { referenceAdam, referenceEma } from '../../ops/optimizer.ts';
import { type Tensor, type TensorInfo, tf } from '../../tf.ts';
import { type Arena, arenaLayout, gatherKernels, moveToArena } from './arena.ts';
import type { GpuKernel, WebgpuBackend } from './backend.ts';
import { spread } from './dispatch.ts';
import { once } from './once.ts';

const WORKGROUP = 256;

/** What both kernels share: the numbers of `updateValues`, the loss, and one element's update. */
const ADAM = `
struct Values { stepSize: f32, rootCorrection: f32, beta1: f32, beta2: f32, epsilon: f32, decay: f32, rest1: f32, rest2: f32 }
/** By its bits: a compiler may take for granted that no value is NaN. */
fn finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }`;

const updateAllKernel: GpuKernel = {
  name: 'adam and averages',
  bindings: ['uniform', 'read', 'read', 'read', 'write', 'write', 'write', 'write'],
  code: `${ADAM}
struct Lengths { trained: u32, all: u32, averaged: u32, row: u32 }
@group(0) @binding(0) var<uniform> lengths: Lengths;
@group(0) @binding(1) var<storage, read> values: Values;
@group(0) @binding(2) var<storage, read> loss: f32;
@group(0) @binding(3) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> firstMoments: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> secondMoments: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> averages: array<vec4f>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.y * lengths.row + id.x;
  if (i >= lengths.all || !finite(loss)) { return; }
  var parameter = parameters[i];
  if (i < lengths.trained) {
    let g = gradients[i];
    let m = values.beta1 * firstMoments[i] + values.rest1 * g;
    let v = values.beta2 * secondMoments[i] + values.rest2 * g * g;
    firstMoments[i] = m;
    secondMoments[i] = v;
    parameter -= values.stepSize * m / (sqrt(v) * values.rootCorrection + values.epsilon);
    parameters[i] = parameter;
  }
  if (lengths.averaged != 0u) {
    averages[i] = values.decay * averages[i] + (1.0 - values.decay) * parameter;
  }
}`,
};

const updateRowsKernel: GpuKernel = {
  name: 'adam on rows',
  bindings: ['uniform', 'read', 'read', 'read', 'read', 'read', 'write', 'write', 'write'],
  code: `${ADAM}
struct Shape { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> values: Values;
@group(0) @binding(2) var<storage, read> loss: f32;
@group(0) @binding(3) var<storage, read> rows: array<i32>;
@group(0) @binding(4) var<storage, read> corrections: array<vec2f>;
@group(0) @binding(5) var<storage, read> gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(7) var<storage, read_write> firstMoments: array<f32>;
@group(0) @binding(8) var<storage, read_write> secondMoments: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.rows * shape.width || !finite(loss)) { return; }
  let row = id.x / shape.width;
  let i = u32(rows[row]) * shape.width + id.x % shape.width;
  let g = gradient[id.x];
  let m = values.beta1 * firstMoments[i] + values.rest1 * g;
  let v = values.beta2 * secondMoments[i] + values.rest2 * g * g;
  firstMoments[i] = m;
  secondMoments[i] = v;
  parameters[i] -= corrections[row].x * m / (sqrt(v) * corrections[row].y + values.epsilon);
}`,
};

/** Parameters that are updated together, side by side. */
interface Together {
  /** In the order in which they lie: those with a gradient first. */
  members: Tensor[][];
  arenas: Arena[];
  gradients: GPUBuffer;
}

/** @param settings the most values in one arena: what the device binds, unless a test says otherwise. */
export function createOptimizerKernel(backend: WebgpuBackend, settings: { mostValues?: number } = {}): OptimizerKernel {
  const groups = new WeakMap<Tensor, Together>();
  const gatherSteps = once((sizes: string) =>
    gatherKernels(sizes.split(' ').map(Number), backend.device.limits.maxStorageBuffersPerShaderStage),
  );

  /** What is recorded goes on writing where it wrote first: nothing may move then. */
  const requireNoRecording = () => {
    if (backend.wrapEncoder) throw new Error('a recorded step needs its parameters for itself: one of them is a clone');
  };

  /** The tensor, or a copy in its place where its values are seen elsewhere. */
  const makeExclusive = (tensor: Tensor): Tensor => {
    if (backend.isExclusive(tensor)) return tensor;
    requireNoRecording();
    const copy = tf.add(tensor, 0);
    tensor.dispose();
    return copy;
  };

  /** Where these tensors lie side by side already, in this order. */
  const findTogether = (columns: readonly Tensor[][]): Together | undefined => {
    const group = groups.get(columns[0][0]);
    const same = group && columns.every((column, c) => column.every((tensor, i) => tensor === group.members[c][i]));
    return same && columns.flat().every((tensor) => backend.isExclusive(tensor)) ? group : undefined;
  };

  const gather = (columns: readonly Tensor[][]): Together => {
    requireNoRecording();
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const { length } = arenaLayout(columns[0].map(({ size }) => size));
    const gradients = backend.bufferManager.acquireBuffer(4 * length, usage);
    const releaseGradients = () => backend.bufferManager.releaseBuffer(gradients);
    const moved = columns.map((column, c) => moveToArena(backend, column, c === 0 ? releaseGradients : undefined));
    const group = { members: moved.map(({ tensors }) => tensors), arenas: moved.map(({ arena }) => arena), gradients };
    groups.set(group.members[0][0], group);
    return group;
  };

  const { maxStorageBufferBindingSize, maxBufferSize } = backend.device.limits;
  const mostValues = settings.mostValues ?? Math.min(maxStorageBufferBindingSize, maxBufferSize) / 4;

  /** Runs of items whose values fit an arena. */
  const arenasOf = <T>(items: readonly T[], sizeOf: (item: T) => number): T[][] => {
    const arenas: T[][] = [];
    for (const item of items) {
      const longer = [...(arenas[arenas.length - 1] ?? []), item];
      if (arenas.length > 0 && arenaLayout(longer.map(sizeOf)).length <= mostValues) arenas[arenas.length - 1] = longer;
      else arenas.push([item]);
    }
    return arenas;
  };

  /** Updates parameters, those with a gradient first, that lie in one arena or are moved there. */
  const updateTogether = (parameters: readonly Trained[], { values, guard }: UpdateOptions): Trained[] => {
    const averaged = parameters.every(({ average }) => average !== undefined);
    if (!averaged && parameters.some(({ average }) => average !== undefined)) {
      throw new Error('either all parameters have averages or none');
    }
    const columns = [
      parameters.map(({ state }) => state.parameter),
      parameters.map(({ state }) => state.firstMoment),
      parameters.map(({ state }) => state.secondMoment),
      ...(averaged ? [parameters.map(({ average }) => average as Tensor)] : []),
    ];
    const group = findTogether(columns) ?? gather(columns);
    const [parameterArena, first, second, averages] = group.arenas;
    const gradients = parameters.flatMap(({ gradient }) => (gradient ? [gradient] : []));
    const steps = gradients.length > 0 ? gatherSteps(gradients.map(({ size }) => size).join(' ')) : [];
    for (const { kernel, members, workgroups } of steps) {
      const bound = members.map((m) => gradients[m]);
      backend.run(kernel, [group.gradients, ...bound], spread(workgroups, backend.device));
    }
    const trained = arenaLayout(gradients.map(({ size }) => size)).length / 4;
    const all = parameterArena.length / 4;
    const workgroups = Math.ceil(all / WORKGROUP);
    const [across, down] = spread(workgroups, backend.device);
    const lengths = backend.uniforms(Uint32Array.of(trained, all, Number(averaged), across * WORKGROUP).buffer);
    // Without averages something else must be bound in their place, and is left alone.
    const fourth = averages?.buffer ?? scratch(backend);
    backend.run(
      updateAllKernel,
      [lengths, values, guard, group.gradients, parameterArena.buffer, first.buffer, second.buffer, fourth],
      [across, down],
    );
    for (const tensor of group.members.flat()) backend.forgetValues(tensor);
    return parameters.map((_, i) => {
      const [parameter, firstMoment, secondMoment, average] = group.members.map((column) => column[i]);
      return { state: { parameter, firstMoment, secondMoment }, average };
    });
  };

  return {
    adam: referenceAdam,
    ema: referenceEma,

    updateAll(parameters, options) {
      // Those with a gradient first, in as many arenas as bindings ask for: one, but for large models on small devices.
      const order = [...parameters.keys()].sort((i, j) => {
        return Number(!parameters[i].gradient) - Number(!parameters[j].gradient);
      });
      const result: Trained[] = [];
      for (const part of arenasOf(order, (i) => parameters[i].state.parameter.size)) {
        updateTogether(
          part.map((i) => parameters[i]),
          options,
        ).forEach((updated, i) => {
          result[part[i]] = updated;
        });
      }
      return result;
    },

    updateRows(table, rows, gradient, { values, guard, corrections }: RowUpdateOptions): AdamState {
      const parts = [
        makeExclusive(table.parameter),
        makeExclusive(table.firstMoment),
        makeExclusive(table.secondMoment),
      ];
      const [count, width] = gradient.shape as [number, number];
      const shape = backend.uniforms(Uint32Array.of(count, width, 0, 0).buffer);
      const bound: TensorInfo[] = [values, guard, rows, corrections, gradient, ...parts];
      backend.run(updateRowsKernel, [shape, ...bound], [Math.ceil((count * width) / 64)]);
      const [parameter, firstMoment, secondMoment] = parts;
      return { parameter, firstMoment, secondMoment };
    },
  };
}

let unused: GPUBuffer | undefined;

/** A buffer to bind where a kernel wants one that it won't touch. */
function scratch({ device }: WebgpuBackend): GPUBuffer {
  unused ??= device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE });
  return unused;
}
