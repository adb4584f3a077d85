/**
 * The safetensors format (github.com/huggingface/safetensors): a uint64 header length, a JSON header with each tensor's
 * dtype, shape and byte range, then the tensors' bytes, little-endian, end to end.
 *
 * Files written here also carry a SHA-256 of header and data (taken with zeros in the checksum's own place), so that
 * reading notices damage anywhere. To other programs it is one more metadata entry.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { writeFileAtomically } from '../files/atomicFile.ts';
import { fileError } from '../files/fileErrors.ts';
import { DTYPE_BYTES, damageError, headerLength, parseHeader, type SafeTensorDtype } from './safetensorsHeader.ts';

export type { SafeTensorDtype };

/** `data` holds the product of `shape` numbers, in row-major order, in the array type of `dtype`. */
export interface SafeTensor {
  dtype: SafeTensorDtype;
  shape: number[];
  data: Float64Array | Float32Array | Int32Array | Uint8Array;
}

export type SafeTensors = Record<string, SafeTensor>;

export interface SafeTensorsContent {
  tensors: SafeTensors;
  /** Without the checksum. */
  metadata: Record<string, string>;
  /** Whether the file has a checksum (which then was right); files of other programs have none. */
  verified: boolean;
}

const ARRAYS = { F64: Float64Array, F32: Float32Array, I32: Int32Array, U8: Uint8Array } as const;

const CHECKSUM_KEY = 'sha256';
/** The checksum stands first in the header, so that its place is known. */
const HEADER_START = `{"__metadata__":{"${CHECKSUM_KEY}":"`;
const NO_CHECKSUM = '0'.repeat(64);

/** The header with its length before it, then the tensors' bytes (views, not copies), in the order of the file. */
function layOut(tensors: SafeTensors, metadata: Readonly<Record<string, string>>): Uint8Array[] {
  if (CHECKSUM_KEY in metadata) throw new RangeError(`metadata key "${CHECKSUM_KEY}" is reserved`);
  // Wide types first, then by name: with the header's padding every tensor is aligned.
  const sorted = Object.entries(tensors).sort(
    ([a, x], [b, y]) => DTYPE_BYTES[y.dtype] - DTYPE_BYTES[x.dtype] || (a < b ? -1 : 1),
  );
  let offset = 0;
  const descriptions = sorted.map(([name, { dtype, shape, data }]): [string, unknown] => {
    const size = shape.reduce((product, length) => product * length, 1);
    if (name === '__metadata__' || !(data instanceof ARRAYS[dtype]) || data.length !== size) {
      throw new RangeError(`tensor "${name}": ${dtype} [${shape}] given ${data.constructor.name} of ${data.length}`);
    }
    const begin = offset;
    offset += data.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, offset] }];
  });
  const sortedMetadata = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  const metadataText = jsonMembers([[CHECKSUM_KEY, NO_CHECKSUM], ...sortedMetadata]);
  const json = Buffer.from(`{${[`"__metadata__":{${metadataText}}`, jsonMembers(descriptions)].filter(Boolean)}}`);
  const start = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  start.writeBigUInt64LE(BigInt(start.length - 8));
  json.copy(start, 8);
  const data = sorted.map(([, tensor]) => bytesOf(tensor));
  start.write(checksum(start.subarray(8), data), 8 + HEADER_START.length, 'latin1');
  return [start, ...data];
}

/** The inside of a JSON object. By hand, because an object would put keys that look like numbers first. */
function jsonMembers(entries: readonly [string, unknown][]): string {
  return entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join();
}

function bytesOf({ data }: Pick<SafeTensor, 'data'>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function checksum(header: Uint8Array, data: readonly Uint8Array[]): string {
  const hash = createHash('sha256').update(header);
  for (const bytes of data) hash.update(bytes);
  return hash.digest('hex');
}

/** A whole file in memory. See `writeSafetensors`. */
export function encodeSafetensors(tensors: SafeTensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  return new Uint8Array(Buffer.concat(layOut(tensors, metadata)));
}

/**
 * Writes a file atomically and streams it: beyond the tensors nothing large is held in memory. The tensors must not
 * change until it is done.
 *
 * @throws RunError where the file can't be written, a full disk included; an older file of the name then stays.
 */
export async function writeSafetensors(
  path: string,
  tensors: SafeTensors,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const parts = layOut(tensors, metadata);
  try {
    await writeFileAtomically(path, async (file) => {
      for (const part of parts) await file.writeFile(part);
    });
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/** A file whose header has been read: its tensors, allocated but still empty, and where in the file each one stands. */
class PendingTensors {
  readonly tensors: SafeTensors = {};
  /** The tensors' memory and its place in the file. */
  readonly parts: { bytes: Uint8Array; position: number }[] = [];
  private readonly metadata: Record<string, string>;

  constructor(
    private readonly header: Uint8Array,
    fileBytes: number,
    private readonly origin: string,
  ) {
    const dataStart = 8 + header.length;
    const { entries, metadata } = parseHeader(header, fileBytes - dataStart, origin);
    this.metadata = metadata;
    for (const { name, dtype, shape, begin, end } of entries) {
      const data = new ARRAYS[dtype]((end - begin) / DTYPE_BYTES[dtype]);
      this.tensors[name] = { dtype, shape, data };
      this.parts.push({ bytes: bytesOf({ data }), position: dataStart + begin });
    }
  }

  /** Checks what has been read. */
  finish(): SafeTensorsContent {
    const { [CHECKSUM_KEY]: expected, ...metadata } = this.metadata;
    const verified = expected !== undefined;
    if (verified) {
      const header = Buffer.from(this.header);
      header.write(NO_CHECKSUM, HEADER_START.length, 'latin1');
      const data = this.parts.map(({ bytes }) => bytes);
      if (checksum(header, data) !== expected)
        throw damageError(this.origin, 'its content does not match its checksum');
    }
    return { tensors: this.tensors, metadata, verified };
  }
}

/**
 * Reads a whole file in memory.
 *
 * @param origin names it in errors.
 * @throws RunError where anything in it is wrong.
 */
export function decodeSafetensors(bytes: Uint8Array, origin = 'safetensors data'): SafeTensorsContent {
  const pending = new PendingTensors(
    bytes.subarray(8, 8 + headerLength(bytes, bytes.length, origin)),
    bytes.length,
    origin,
  );
  for (const part of pending.parts) part.bytes.set(bytes.subarray(part.position, part.position + part.bytes.length));
  return pending.finish();
}

/**
 * Reads a file, each tensor straight into its own array.
 *
 * @throws RunError where the file can't be read or anything in it is wrong.
 */
export async function readSafetensors(path: string): Promise<SafeTensorsContent> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    const start = new Uint8Array(Math.min(8, size));
    await readFully(file, start, 0, path);
    const header = new Uint8Array(headerLength(start, size, path));
    await readFully(file, header, 8, path);
    const pending = new PendingTensors(header, size, path);
    for (const { bytes, position } of pending.parts) await readFully(file, bytes, position, path);
    return pending.finish();
  } catch (error) {
    throw fileError('read', path, error);
  } finally {
    await file?.close();
  }
}

async function readFully(file: FileHandle, into: Uint8Array, position: number, path: string): Promise<void> {
  for (let filled = 0; filled < into.length; ) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, position + filled);
    if (bytesRead === 0) throw damageError(path, `it ends at byte ${position + filled}`);
    filled += bytesRead;
  }
}
