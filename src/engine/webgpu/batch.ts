/// <reference types="@webgpu/types" />
/** What a training step is given, made on the device: Fourier features of a grid's pixels, colours of images. */

import type { FourierGrid, GridFeatureKernel, ImageTableMaker } from '../../ops/kernels.ts';
import { type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../../tf.ts';
import type { GpuKernel, WebgpuBackend } from './backend.ts';
import { spread } from './dispatch.ts';

/**
 * The phase is separable, so sines and cosines are taken per column and per row, on the processor in float64 (deep zooms
 * keep their precision), and a feature costs two products.
 */
const gridKernel: GpuKernel = {
  name: 'grid features',
  bindings: ['uniform', 'read', 'read', 'read', 'write'],
  code: `
struct Sizes { width: u32, frequencies: u32, first: u32, points: u32, indexed: u32, row: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> columns: array<vec2f>; // sine, cosine
@group(0) @binding(2) var<storage, read> rows: array<vec2f>;
@group(0) @binding(3) var<storage, read> pixels: array<i32>;
@group(0) @binding(4) var<storage, read_write> features: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.y * sizes.row + id.x;
  let point = i / sizes.frequencies;
  let k = i % sizes.frequencies;
  if (point >= sizes.points) { return; }
  var pixel = sizes.first + point;
  if (sizes.indexed != 0u) { pixel = u32(pixels[point]); }
  let x = columns[(pixel % sizes.width) * sizes.frequencies + k];
  let y = rows[(pixel / sizes.width) * sizes.frequencies + k];
  let at = point * 2u * sizes.frequencies + k;
  features[at] = x.x * y.y + x.y * y.x;
  features[at + sizes.frequencies] = x.y * y.y - x.x * y.x;
}`,
};

/** Sines and cosines of a grid, [positions, K] vectors of two; they live as long as the grid. */
interface Waves {
  columns: GPUBuffer;
  rows: GPUBuffer;
}

export function createGridFeatureKernel(backend: WebgpuBackend): GridFeatureKernel {
  const made = new WeakMap<FourierGrid, Waves>();
  const wavesOf = (grid: FourierGrid): Waves => {
    const known = made.get(grid);
    if (known) return known;
    const waves = {
      columns: constantBuffer(backend.device, wavesAlong(grid, grid.xs, 0)),
      rows: constantBuffer(backend.device, wavesAlong(grid, grid.ys, 1, grid.gains)),
    };
    made.set(grid, waves);
    return waves;
  };
  const run = (grid: FourierGrid, points: number, first: number, pixels?: Tensor1D): Tensor2D => {
    const frequencies = grid.frequencies.length / 2;
    const { columns, rows } = wavesOf(grid);
    const features = backend.allocate([points, 2 * frequencies]);
    const [across, down] = spread(Math.ceil((points * frequencies) / 64), backend.device);
    const sizes = Uint32Array.of(grid.xs.length, frequencies, first, points, Number(pixels !== undefined), 64 * across);
    const bound = [backend.uniforms(padUniform(sizes)), columns, rows, pixels ?? columns, features];
    backend.run(gridKernel, bound, [across, down]);
    return tf.engine().makeTensorFromTensorInfo(features as never) as Tensor2D;
  };
  return {
    encode(grid, pixels) {
      if (!(pixels instanceof Int32Array)) {
        return run(grid, pixels.rowCount * grid.xs.length, pixels.firstRow * grid.xs.length);
      }
      const indices = tf.tensor1d(pixels, 'int32');
      const features = run(grid, pixels.length, 0, indices);
      indices.dispose();
      return features;
    },
    encodeAt: (grid, pixels) => run(grid, pixels.size, 0, pixels),
  };
}

function wavesAlong({ frequencies }: FourierGrid, positions: Float64Array, axis: 0 | 1, gains?: Float64Array) {
  const count = frequencies.length / 2;
  const waves = new Float32Array(2 * positions.length * count);
  for (let i = 0, at = 0; i < positions.length; i++) {
    for (let k = 0; k < count; k++) {
      const phase = 2 * Math.PI * frequencies[2 * k + axis] * positions[i];
      const gain = gains ? gains[k] : 1;
      waves[at++] = gain * Math.sin(phase);
      waves[at++] = gain * Math.cos(phase);
    }
  }
  return waves;
}

/** Colours come from a table, as on the processor: divisions of WGSL may be off in the last bits. */
const gatherKernel: GpuKernel = {
  name: 'gather colours',
  bindings: ['uniform', 'read', 'read', 'read', 'read', 'write'],
  code: `
struct Sizes { pixels: u32, points: u32, values: u32, row: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> images: array<i32>;
@group(0) @binding(3) var<storage, read> chosen: array<i32>;
@group(0) @binding(4) var<storage, read> toUnit: array<f32>; // a byte's colour in [0,1]
@group(0) @binding(5) var<storage, read_write> colours: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.y * sizes.row + id.x;
  if (i >= sizes.values) { return; }
  let image = u32(images[i / (3u * sizes.points)]);
  let pixel = u32(chosen[(i / 3u) % sizes.points]);
  let byte = (image * sizes.pixels + pixel) * 3u + i % 3u;
  colours[i] = toUnit[(table[byte / 4u] >> (8u * (byte % 4u))) & 255u];
}`,
};

const TO_UNIT = Float32Array.from({ length: 256 }, (_, value) => value / 255);

export function createImageTableMaker(backend: WebgpuBackend): ImageTableMaker {
  const { limits } = backend.device;
  return (values, pixelsOfImage) => {
    if (values.byteLength > Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize) - 4) return undefined;
    const table = constantBuffer(backend.device, values);
    const toUnit = constantBuffer(backend.device, TO_UNIT);
    return {
      gather(images, pixels) {
        const colours = backend.allocate([images.size, pixels.size, 3]);
        const count = images.size * pixels.size * 3;
        const [across, down] = spread(Math.ceil(count / 64), backend.device);
        const sizes = backend.uniforms(Uint32Array.of(pixelsOfImage, pixels.size, count, 64 * across).buffer);
        backend.run(gatherKernel, [sizes, table, images, pixels, toUnit, colours], [across, down]);
        return tf.engine().makeTensorFromTensorInfo(colours as never) as Tensor3D;
      },
      dispose() {
        backend.flush(); // what still reads them
        table.destroy();
        toUnit.destroy();
      },
    };
  };
}

/** Uniform buffers come in multiples of 16 bytes. */
function padUniform(values: Uint32Array): ArrayBuffer {
  const bytes = new ArrayBuffer(Math.ceil(values.byteLength / 16) * 16);
  new Uint32Array(bytes).set(values);
  return bytes;
}

function constantBuffer(device: GPUDevice, values: Float32Array | Uint8Array): GPUBuffer {
  const size = Math.ceil(values.byteLength / 4) * 4;
  const buffer = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE, mappedAtCreation: true });
  new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  buffer.unmap();
  return buffer;
}
