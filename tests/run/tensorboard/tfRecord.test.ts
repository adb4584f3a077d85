import { expect, test } from 'vitest';
import { Random } from '../../../src/random.ts';
import { crc32c, maskedCrc32c } from '../../../src/run/tensorboard/tfRecord.ts';
import { slowCrc32c, slowMaskedCrc32c } from './eventFile.ts';

const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);

// The check value of the polynomial, then the examples of RFC 3720, appendix B.4.
test.each([
  ['"123456789"', new TextEncoder().encode('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(0), 0],
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['0 to 31', ascending, 0x46dd794e],
  ['31 to 0', ascending.toReversed(), 0x113fdb5c],
])('the CRC-32C of %s is the published one', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
  expect(slowCrc32c(bytes)).toBe(expected);
});

test('the mask is that of TFRecord files', () => {
  expect(maskedCrc32c(new TextEncoder().encode('123456789'))).toBe(0xc78ab0e5);
});

test('the table agrees with division bit by bit on random bytes', () => {
  const random = new Random(1, 'evaluation');
  for (let length = 0; length < 100; length += 7) {
    const bytes = Uint8Array.from({ length }, () => random.integer(256));
    expect(crc32c(bytes)).toBe(slowCrc32c(bytes));
    expect(maskedCrc32c(bytes)).toBe(slowMaskedCrc32c(bytes));
  }
});
