/** Four colours a word; the last word tells whether one was not a number. */

import type { Quantiser } from '../../ops/kernels.ts';
import { tf } from '../../tf.ts';
import type { GpuKernel, WebgpuBackend } from './backend.ts';
import { spread } from './dispatch.ts';

const kernel: GpuKernel = {
  name: 'quantise',
  bindings: ['uniform', 'read', 'write'],
  code: `
struct Sizes { values: u32, words: u32, row: u32, unused: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> colours: array<f32>;
@group(0) @binding(2) var<storage, read_write> bytes: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let word = id.y * sizes.row + id.x;
  if (word >= sizes.words) { return; }
  var packed = 0u;
  for (var j = 0u; j < 4u; j++) {
    let i = 4u * word + j;
    if (i < sizes.values) {
      let colour = colours[i];
      // All who find one write the same.
      if ((bitcast<u32>(colour) & 0x7fffffffu) > 0x7f800000u) { bytes[sizes.words] = 1u; }
      packed |= u32(floor(255.0 * clamp(colour, 0.0, 1.0) + 0.5)) << (8u * j);
    }
  }
  bytes[word] = packed;
}`,
};

/** Clears that last word: its buffer may have been another tensor's. */
const clear: GpuKernel = {
  name: 'clear the flag',
  bindings: ['uniform', 'write'],
  code: `
struct Sizes { values: u32, words: u32, row: u32, unused: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> bytes: array<u32>;
@compute @workgroup_size(1)
fn main() { bytes[sizes.words] = 0u; }`,
};

export function createQuantiser(backend: WebgpuBackend): Quantiser {
  return async (colours) => {
    const words = Math.ceil(colours.size / 4);
    const [across, down] = spread(Math.ceil(words / 64), backend.device);
    const sizes = backend.uniforms(Uint32Array.of(colours.size, words, 64 * across, 0).buffer);
    const bytes = tf.engine().makeTensorFromTensorInfo(backend.allocate([words + 1], 'int32') as never);
    try {
      backend.run(clear, [sizes, bytes], [1]);
      backend.run(kernel, [sizes, colours, bytes], [across, down]);
      const packed = (await bytes.data()) as Int32Array;
      return packed[words] === 0 ? new Uint8Array(packed.buffer, packed.byteOffset, colours.size) : undefined;
    } finally {
      bytes.dispose();
    }
  };
}
