/** Training images on the device, where the engine in use keeps them there: batches need not be uploaded, then. */
import { type ImageTable, kernelsInUse } from './kernels.ts';

export type { ImageTable, ImageTableMaker } from './kernels.ts';

/** A table of images on the engine in use, where it has a maker and room for them. */
export function makeImageTable(values: Uint8Array, pixelsOfImage: number): ImageTable | undefined {
  return kernelsInUse().imageTable?.(values, pixelsOfImage);
}
