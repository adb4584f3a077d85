/** Fourier features of a grid of pixels, where the engine in use brings a kernel for them. */
import { type GridFeatureKernel, kernelsInUse } from './kernels.ts';

export type { FourierGrid, GridFeatureKernel, GridPixels, GridRows } from './kernels.ts';

/** The kernel of the engine in use, if it has one. */
export function gridFeatureKernel(): GridFeatureKernel | undefined {
  return kernelsInUse().gridFeatures;
}
