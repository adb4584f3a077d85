/** Colours as bytes, made on the device where the engine in use can: a quarter of what has to be read back. */
import { type Tensor, tf } from '../tf.ts';

/** round(255·x) of every value, x clamped to [0,1]; undefined where a value is not a number. */
export type Quantiser = (colours: Tensor) => Promise<Uint8Array | undefined>;

const quantisers = new Map<string, Quantiser>();

/** Makes `quantiser` serve whenever the TensorFlow.js backend of that name is in use. */
export function registerQuantiser(backendName: string, quantiser: Quantiser): void {
  quantisers.set(backendName, quantiser);
}

/** The quantiser of the engine in use, if it has one. */
export function quantiserInUse(): Quantiser | undefined {
  return quantisers.get(tf.getBackend());
}
