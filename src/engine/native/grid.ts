/** Fourier features of a grid (native/kernels/grid.h). */

import type { GridFeatureKernel } from '../../ops/kernels.ts';
import { type Tensor2D, tf } from '../../tf.ts';
import type { Addon } from './addon.ts';
import type { NativeBackend } from './backend.ts';
import { profile } from './profile.ts';

export function createGridFeatureKernel(addon: Addon, backend: NativeBackend): GridFeatureKernel {
  const encode: GridFeatureKernel['encode'] = ({ xs, ys, frequencies, gains }, pixels) => {
    const scattered = pixels instanceof Int32Array;
    const count = scattered ? pixels.length : pixels.rowCount * xs.length;
    const { info, values } = backend.allocate([count, frequencies.length]);
    const first = scattered ? 0 : pixels.firstRow * xs.length;
    profile('gridFeatures', () =>
      addon.grid(xs, ys, frequencies, gains ?? null, scattered ? pixels : null, first, values),
    );
    return tf.engine().makeTensorFromTensorInfo(info as never) as Tensor2D;
  };
  return { encode };
}
