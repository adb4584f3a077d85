import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RunError } from '../../src/errors.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type SafeTensors,
  writeSafetensors,
} from '../../src/run/safetensors.ts';
import { failureOf, temporaryFolder } from '../support/temporaryFolder.ts';

const TENSORS: SafeTensors = {
  'b.weight': { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, -2, 0.1, Number.NaN, Infinity, -0) },
  bytes: { dtype: 'U8', shape: [5], data: Uint8Array.of(0, 1, 127, 128, 255) },
  'ä "quoted"': { dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) },
  a: { dtype: 'I32', shape: [2], data: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) },
  empty: { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
};
const METADATA = { config: 'name: "x"\nseed: 0\n', '7': 'a key like a number' };

/** A file put together by hand. */
function file(header: unknown, data: Uint8Array = new Uint8Array(0)): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

test('what is written is read back, bit for bit', async () => {
  const path = join(await temporaryFolder(), 'x.safetensors');
  await writeSafetensors(path, TENSORS, METADATA);
  const content = await readSafetensors(path);
  expect(content).toEqual({ tensors: TENSORS, metadata: METADATA, verified: true });
  expect(Object.is((content.tensors['b.weight'].data as Float32Array)[5], -0)).toBe(true);
  expect(decodeSafetensors(readFileSync(path))).toEqual(content);
  expect(Buffer.compare(encodeSafetensors(TENSORS, METADATA), readFileSync(path))).toBe(0);
});

test('the bytes are laid out as the format says, aligned, and the same whatever the order of the keys', () => {
  const bytes = Buffer.from(encodeSafetensors(TENSORS, METADATA));
  const headerLength = Number(bytes.readBigUInt64LE());
  expect(headerLength % 8).toBe(0);
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString()) as Record<string, never>;
  const data = bytes.subarray(8 + headerLength);
  expect(data).toHaveLength(8 + 8 + 24 + 5);
  const {
    data_offsets: offsets,
    dtype,
    shape,
  } = header['b.weight'] as { data_offsets: number[]; dtype: string; shape: number[] };
  expect([dtype, shape, offsets[1] - offsets[0], offsets[0] % 4]).toEqual(['F32', [2, 3], 24, 0]);
  expect(data.readFloatLE(offsets[0] + 4)).toBe(-2);
  const [start] = (header['ä "quoted"'] as { data_offsets: number[] }).data_offsets;
  expect([start % 8, data.readDoubleLE(start)]).toEqual([0, Math.PI]);
  const reversed = Object.fromEntries(Object.entries(TENSORS).reverse());
  expect(Buffer.compare(encodeSafetensors(reversed, METADATA), bytes)).toBe(0);
});

test('the checksum is the SHA-256 of header and data with zeros in its place', () => {
  const bytes = Buffer.from(encodeSafetensors(TENSORS, METADATA));
  const [checksum] = /[0-9a-f]{64}/.exec(bytes.toString('latin1')) ?? [];
  const blank = Buffer.from(bytes.toString('latin1').replace(checksum!, '0'.repeat(64)), 'latin1').subarray(8);
  expect(createHash('sha256').update(blank).digest('hex')).toBe(checksum);
});

test('a file of another program, without checksum or padding, is read and said to be unverified', () => {
  const data = Buffer.from(Float32Array.of(1, 2).buffer);
  const bytes = file({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, data);
  expect(decodeSafetensors(bytes)).toEqual({
    tensors: { x: { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } },
    metadata: {},
    verified: false,
  });
});

test('any single damaged byte is noticed', () => {
  const tensors: SafeTensors = { x: { dtype: 'F32', shape: [3], data: Float32Array.of(1, 2, 3) } };
  const bytes = encodeSafetensors(tensors, { step: '5' });
  for (let i = 0; i < bytes.length; i++) {
    const damaged = Uint8Array.from(bytes);
    damaged[i] ^= 4;
    let noticed = false;
    try {
      // Where it hits the checksum's own name, the file is one without checksum: unverified.
      noticed = !decodeSafetensors(damaged).verified;
    } catch (error) {
      noticed = error instanceof RunError;
    }
    expect(noticed, `byte ${i}`).toBe(true);
  }
});

test('a file cut off anywhere, or with something after its end, is refused', () => {
  const bytes = encodeSafetensors(TENSORS, METADATA);
  for (let length = 0; length < bytes.length; length++) {
    expect(() => decodeSafetensors(bytes.subarray(0, length)), `${length} bytes`).toThrow(RunError);
  }
  expect(() => decodeSafetensors(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(RunError);
});

const f32 = (begin: unknown, end: unknown, shape: unknown = [1], dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

test.each([
  ['a header that is no JSON', file('{"x":'), 'its header is not a JSON object'],
  ['a header that is no object', file('[]'), 'its header is not a JSON object'],
  ['a header that is not UTF-8', Buffer.concat([file('').fill(1, 0, 1), Buffer.of(0xff)]), 'not a JSON object'],
  ['a header as long as memory', Buffer.alloc(16, 0xff), 'its header claims 18446744073709551615 bytes'],
  [
    'a header past the end',
    Buffer.concat([file('{}'), Buffer.of()]).fill(99, 0, 1),
    'should have 99 bytes, the whole file has 10',
  ],
  ['seven bytes', Buffer.alloc(7), 'it has 7 bytes'],
  ['a gap', file({ x: f32(4, 8) }, Buffer.alloc(8)), 'tensor "x" starts at byte 4 of the data, expected 0'],
  [
    'an overlap',
    file({ x: f32(0, 4), y: f32(2, 6) }, Buffer.alloc(6)),
    'tensor "y" starts at byte 2 of the data, expected 4',
  ],
  ['too little data', file({ x: f32(0, 4) }, Buffer.alloc(3)), 'its tensors need 4 bytes of data, the file has 3'],
  ['too much data', file({ x: f32(0, 4) }, Buffer.alloc(5)), 'its tensors need 4 bytes of data, the file has 5'],
  [
    'a range of another size',
    file({ x: f32(0, 8, [1]) }, Buffer.alloc(8)),
    '"x", F32 [1], needs 4 bytes and is given 8',
  ],
  ['an unknown dtype', file({ x: f32(0, 4, [1], 'Q4') }, Buffer.alloc(4)), 'of dtype "Q4", known are F64,F32,I32,U8'],
  ['a negative size', file({ x: f32(0, 4, [-1]) }, Buffer.alloc(4)), 'tensor "x" has no valid shape'],
  ['a size that is no integer', file({ x: f32(0, 4, [0.5]) }, Buffer.alloc(4)), 'tensor "x" has no valid shape'],
  ['offsets that are no numbers', file({ x: f32('0', '4') }, Buffer.alloc(4)), 'tensor "x" has no valid data_offsets'],
  ['metadata that is no map of strings', file({ __metadata__: { step: 5 } }), 'its metadata is not a map of strings'],
])('%s is refused with the reason', async (_, bytes, reason) => {
  const path = join(await temporaryFolder(), 'x.safetensors');
  writeFileSync(path, bytes);
  const error = await failureOf(() => readSafetensors(path));
  expect(error).toBeInstanceOf(RunError);
  expect(error.message).toContain(`${path}: not a complete safetensors file: `);
  expect(error.message).toContain(reason);
  expect(error.message).not.toContain('\n');
});

test('a missing file, and a folder that is none, are said in one line', async () => {
  const folder = await temporaryFolder();
  await expect(readSafetensors(join(folder, 'x'))).rejects.toThrow(/^cannot read .*x: it does not exist$/);
  writeFileSync(join(folder, 'file'), '');
  await expect(writeSafetensors(join(folder, 'file/x'), TENSORS)).rejects.toThrow(
    /^cannot write .*: a part of the path/,
  );
});

test('a shape that does not fit its data is a mistake, and nothing is written', async () => {
  const folder = await temporaryFolder();
  const wrong: SafeTensors = { x: { dtype: 'F32', shape: [2], data: new Float32Array(3) } };
  await expect(writeSafetensors(join(folder, 'x'), wrong)).rejects.toThrow(
    'tensor "x": F32 [2] given Float32Array of 3',
  );
  const mixed: SafeTensors = { x: { dtype: 'F32', shape: [3], data: new Float64Array(3) } };
  await expect(writeSafetensors(join(folder, 'x'), mixed)).rejects.toThrow('given Float64Array');
  await expect(writeSafetensors(join(folder, 'x'), {}, { sha256: '' })).rejects.toThrow('reserved');
  expect(readdirSync(folder)).toEqual([]);
});

test('writing over a file replaces it whole', async () => {
  const path = join(await temporaryFolder(), 'x');
  await writeSafetensors(path, TENSORS);
  truncateSync(path, 50);
  await writeSafetensors(path, {}, { a: 'b' });
  expect(await readSafetensors(path)).toEqual({ tensors: {}, metadata: { a: 'b' }, verified: true });
});
