/**
 * The wire format of protocol buffers, as much as event files need: every function returns one encoded field, and
 * `concatenate` of fields is a message. (protobuf.dev/programming-guides/encoding)
 */

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;

const utf8 = new TextEncoder();

/** The fields of a message, or any byte strings, one after the other. */
export function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

function encodeVarint(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a non-negative integer: ${value}`);
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  bytes.push(value);
  return Uint8Array.from(bytes);
}

function key(field: number, wireType: number): Uint8Array {
  return encodeVarint(field * 8 + wireType);
}

/** A non-negative int32, int64, enum or bool. */
export function integerField(field: number, value: number | boolean): Uint8Array {
  return concatenate(key(field, VARINT), encodeVarint(Number(value)));
}

/** A double. */
export function doubleField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concatenate(key(field, FIXED_64), bytes);
}

/** A byte string. */
export function bytesField(field: number, value: Uint8Array): Uint8Array {
  return concatenate(key(field, LENGTH_DELIMITED), encodeVarint(value.length), value);
}

/** A string, in UTF-8. */
export function stringField(field: number, value: string): Uint8Array {
  return bytesField(field, utf8.encode(value));
}

/** A message inside a message; empty where no fields are given. */
export function messageField(field: number, ...fields: readonly Uint8Array[]): Uint8Array {
  return bytesField(field, concatenate(...fields));
}
