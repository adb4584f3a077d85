/** Colours as bytes, made on the device where the engine in use can: a quarter of what has to be read back. */
import { kernelsInUse, type Quantiser } from './kernels.ts';

export type { Quantiser } from './kernels.ts';

/** The quantiser of the engine in use, if it has one. */
export function quantiserInUse(): Quantiser | undefined {
  return kernelsInUse().quantise;
}
