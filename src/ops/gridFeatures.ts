/** Fourier features of a grid of pixels, where the engine in use brings a kernel for them. */
import { type Tensor1D, type Tensor2D, tf } from '../tf.ts';

/** A separable grid: phases 2π(fx·x + fy·y). */
export interface FourierGrid {
  /** Column and row centres, in image units. */
  xs: Float64Array;
  ys: Float64Array;
  /** [K,2] row-major: cycles per image along x and y. */
  frequencies: Float64Array;
  /** Factor of each frequency, [K], or none. */
  gains?: Float64Array;
}

export interface GridRows {
  firstRow: number;
  rowCount: number;
}

/** Some pixels of a grid: whole rows, or row-major indices. */
export type GridPixels = GridRows | Int32Array;

export interface GridFeatureKernel {
  /** Features [P,2K], all sines and then all cosines of a pixel. */
  encode(grid: FourierGrid, pixels: GridPixels): Tensor2D;
  /** The same for pixels whose row-major indices (int32) are on the device already. */
  encodeAt?(grid: FourierGrid, pixels: Tensor1D): Tensor2D;
}

const kernels = new Map<string, GridFeatureKernel>();

/** Makes `kernel` encode grids whenever the TensorFlow.js backend of that name is in use. */
export function registerGridFeatureKernel(backendName: string, kernel: GridFeatureKernel): void {
  kernels.set(backendName, kernel);
}

/** The kernel of the engine in use, if it has one. */
export function gridFeatureKernel(): GridFeatureKernel | undefined {
  return kernels.get(tf.getBackend());
}
