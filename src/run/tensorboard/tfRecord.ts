/**
 * TFRecord, the framing of event files (tensorflow/core/lib/io/record_writer.h): the length of a message (uint64), the
 * masked CRC-32C of the length, the message, and the masked CRC-32C of the message. The checksum is Castagnoli's; Node's
 * `zlib.crc32` is of another polynomial.
 */
import { concatenate } from './protobuf.ts';

const REFLECTED_POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? REFLECTED_POLYNOMIAL : 0);
  return remainder;
});

/** CRC-32C of the bytes, unsigned (RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The CRC as TFRecord files store it: rotated right by 15 bits, plus a constant (`crc32c::Mask` in TensorFlow). */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A message as one record. */
export function encodeRecord(message: Uint8Array): Uint8Array {
  const header = new Uint8Array(12);
  const view = new DataView(header.buffer);
  view.setBigUint64(0, BigInt(message.length), true);
  view.setUint32(8, maskedCrc32c(header.subarray(0, 8)), true);
  const footer = new Uint8Array(4);
  new DataView(footer.buffer).setUint32(0, maskedCrc32c(message), true);
  return concatenate(header, message, footer);
}
