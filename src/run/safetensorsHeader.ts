import { RunError } from '../errors.ts';

/** Bytes per number of each dtype that is read and written here; the format knows more. */
export const DTYPE_BYTES = { F64: 8, F32: 4, I32: 4, U8: 1 } as const;

export type SafeTensorDtype = keyof typeof DTYPE_BYTES;

export interface TensorEntry {
  name: string;
  dtype: SafeTensorDtype;
  shape: number[];
  /** Byte range within the data. */
  begin: number;
  end: number;
}

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;

/** The one line about a file that can't be trusted. */
export function damageError(origin: string, what: string): RunError {
  return new RunError(`${origin}: not a complete safetensors file: ${what}`);
}

/** Bytes of the JSON header, from a file's first eight bytes and its length. */
export function headerLength(start: Uint8Array, fileBytes: number, origin: string): number {
  if (fileBytes < 8) throw damageError(origin, `it has ${fileBytes} bytes`);
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) throw damageError(origin, `its header claims ${length} bytes`);
  if (8 + Number(length) > fileBytes) {
    throw damageError(origin, `its header should have ${length} bytes, the whole file has ${fileBytes}`);
  }
  return Number(length);
}

/**
 * Reads the JSON header strictly: the tensors must fill the data without gap, overlap or rest.
 *
 * @returns the tensors in the order of their data.
 * @throws RunError naming `origin`, the tensor and what is wrong.
 */
export function parseHeader(
  json: Uint8Array,
  dataBytes: number,
  origin: string,
): { entries: TensorEntry[]; metadata: Record<string, string> } {
  const header = parseJson(json, origin);
  const { __metadata__: metadata = {}, ...tensors } = header;
  if (!isObject(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
    throw damageError(origin, 'its metadata is not a map of strings');
  }
  const entries = Object.entries(tensors).map(([name, entry]) => parseEntry(name, entry, origin));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let offset = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== offset) {
      throw damageError(origin, `tensor "${name}" starts at byte ${begin} of the data, expected ${offset}`);
    }
    offset = end;
  }
  if (offset !== dataBytes)
    throw damageError(origin, `its tensors need ${offset} bytes of data, the file has ${dataBytes}`);
  return { entries, metadata: metadata as Record<string, string> };
}

function parseJson(json: Uint8Array, origin: string): Record<string, unknown> {
  try {
    const header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json)) as unknown;
    if (isObject(header)) return header;
  } catch {
    // Falls through: neither text nor JSON.
  }
  throw damageError(origin, 'its header is not a JSON object');
}

function parseEntry(name: string, entry: unknown, origin: string): TensorEntry {
  if (!isObject(entry)) throw damageError(origin, `tensor "${name}" is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BYTES, dtype)) {
    throw damageError(
      origin,
      `tensor "${name}" is of dtype ${JSON.stringify(dtype)}, known are ${Object.keys(DTYPE_BYTES)}`,
    );
  }
  if (!isSizes(shape)) throw damageError(origin, `tensor "${name}" has no valid shape`);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw damageError(origin, `tensor "${name}" has no valid data_offsets`);
  const [begin, end] = offsets;
  const bytes = shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype as SafeTensorDtype]);
  if (end - begin !== bytes) {
    throw damageError(
      origin,
      `tensor "${name}", ${dtype} [${shape}], needs ${bytes} bytes and is given ${end - begin}`,
    );
  }
  return { name, dtype: dtype as SafeTensorDtype, shape, begin, end };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
