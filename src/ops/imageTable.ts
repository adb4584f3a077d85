/** Training images on the device, where the engine in use keeps them there: batches need not be uploaded, then. */
import { type Tensor1D, type Tensor3D, tf } from '../tf.ts';

export interface ImageTable {
  /** Colours of the given pixels of the given images (int32 indices), in [0,1]: [B,P,3]. */
  gather(images: Tensor1D, pixels: Tensor1D): Tensor3D;
  dispose(): void;
}

/** Makes a table of images [count, pixels, 3], or none where they don't fit. */
export type ImageTableMaker = (values: Uint8Array, pixelsOfImage: number) => ImageTable | undefined;

const makers = new Map<string, ImageTableMaker>();

/** Makes `maker` keep images whenever the TensorFlow.js backend of that name is in use. */
export function registerImageTable(backendName: string, maker: ImageTableMaker): void {
  makers.set(backendName, maker);
}

/** A table of images on the engine in use, where it has a maker and room for them. */
export function makeImageTable(values: Uint8Array, pixelsOfImage: number): ImageTable | undefined {
  return makers.get(tf.getBackend())?.(values, pixelsOfImage);
}
