/**
 * Reads event files the slow way, sharing nothing with the writer: checksums bit by bit, and protocol buffers without
 * a schema.
 */
import { readFileSync } from 'node:fs';

/** CRC-32C by the definition: division by 0x1EDC6F41, bits of each byte from the lowest, register and result reflected. */
export function slowCrc32c(bytes: Uint8Array): number {
  let register = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const top = (register >> 31n) ^ BigInt((byte >> bit) & 1);
      register = ((register << 1n) & 0xffffffffn) ^ (top ? 0x1edc6f41n : 0n);
    }
  }
  let reflected = 0n;
  for (let bit = 0n; bit < 32n; bit++) reflected |= ((register >> bit) & 1n) << (31n - bit);
  return Number(reflected ^ 0xffffffffn);
}

export function slowMaskedCrc32c(bytes: Uint8Array): number {
  const crc = BigInt(slowCrc32c(bytes));
  return Number(((((crc >> 15n) | (crc << 17n)) & 0xffffffffn) + 0xa282ead8n) & 0xffffffffn);
}

/** The messages of a file, every checksum checked; a last record that is cut short is left out, as readers do. */
export function readRecords(path: string): Uint8Array[] {
  const file = readFileSync(path);
  const messages: Uint8Array[] = [];
  for (let offset = 0; offset + 12 <= file.length; ) {
    const length = Number(file.readBigUInt64LE(offset));
    const checksum = file.readUInt32LE(offset + 8);
    if (slowMaskedCrc32c(file.subarray(offset, offset + 8)) !== checksum)
      throw new Error(`length at ${offset} is damaged`);
    if (offset + 16 + length > file.length) break;
    const message = file.subarray(offset + 12, offset + 12 + length);
    if (slowMaskedCrc32c(message) !== file.readUInt32LE(offset + 12 + length))
      throw new Error(`record at ${offset} is damaged`);
    messages.push(message);
    offset += 16 + length;
  }
  return messages;
}

/** A message's fields by number, each a list of varints, 8-byte doubles or byte strings. */
export type Fields = Record<number, (number | Uint8Array)[]>;

export function decodeFields(message: Uint8Array): Fields {
  const fields: Fields = {};
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let offset = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(offset++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  };
  while (offset < message.length) {
    const key = varint();
    let value: number | Uint8Array;
    if (key % 8 === 0) value = varint();
    else if (key % 8 === 1) {
      value = view.getFloat64(offset, true);
      offset += 8;
    } else if (key % 8 === 2) {
      const length = varint();
      value = message.subarray(offset, offset + length);
      if (value.length < length) throw new Error('field is cut short');
      offset += length;
    } else throw new Error(`unexpected wire type ${key % 8}`);
    const number = Math.floor(key / 8);
    fields[number] ??= [];
    fields[number].push(value);
  }
  return fields;
}

/** The first value along a path of field numbers, each but the last a message. */
export function at(message: Uint8Array, ...path: readonly number[]): number | Uint8Array | undefined {
  let value: number | Uint8Array | undefined = message;
  for (const field of path) {
    if (!(value instanceof Uint8Array)) return undefined;
    value = decodeFields(value)[field]?.[0];
  }
  return value;
}

export function textAt(message: Uint8Array, ...path: readonly number[]): string | undefined {
  const value = at(message, ...path);
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : undefined;
}
