import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AppendFile } from '../../src/files/appendFile.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('what is appended follows what was there, and is there at once', async () => {
  const path = join(await temporaryFolder(), 'log');
  writeFileSync(path, 'old ');
  const file = AppendFile.open(path);
  file.append(bytes('new '));
  file.append(bytes('newer'));
  expect(readFileSync(path, 'utf8')).toBe('old new newer');
  file.close();
  file.close();
  expect(() => file.append(bytes('x'))).toThrow(`${path} is closed`);
});

test('a file that must be new is not written over', async () => {
  const path = join(await temporaryFolder(), 'log');
  writeFileSync(path, 'old');
  expect(() => AppendFile.open(path, { mustBeNew: true })).toThrow(/^cannot write .*log: something of that name/);
  expect(readFileSync(path, 'utf8')).toBe('old');
});

test('a folder that is missing, or is a file, is said in one line', async () => {
  const folder = await temporaryFolder();
  expect(() => AppendFile.open(join(folder, 'none/log'))).toThrow(/^cannot write .*: it does not exist$/);
  expect(() => AppendFile.open(folder)).toThrow(/^cannot write .*: it is a folder$/);
});

const noFullDevice = !existsSync('/dev/full');
if (noFullDevice) console.warn('there is no /dev/full: skipped writing to it');

test.skipIf(noFullDevice)('a device that is always full is said to be', () => {
  const file = AppendFile.open('/dev/full');
  expect(() => file.append(bytes('x'))).toThrow('cannot write /dev/full: the disk is full; free some space');
});
