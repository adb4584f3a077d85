/**
 * Builds and runs the kernels' own tests under the address, undefined-behaviour and thread sanitizers:
 * `node native/test/sanitize.mjs [address|undefined|thread …]`. Exits 1 where any complains.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMON, TABLES } from '../flags.mjs';

const native = join(dirname(fileURLToPath(import.meta.url)), '..');
const compiler = process.env.CXX || 'c++';
const asked = process.argv.slice(2);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) throw error;
  return status === 0;
}

function check(sanitizer) {
  const output = join(native, '..', 'build', `sanitize-${sanitizer}`);
  mkdirSync(output, { recursive: true });
  const flags = [...COMMON, '-O1', '-g', `-fsanitize=${sanitizer}`, '-fno-sanitize-recover=all', '-pthread'];
  const x86 = process.arch === 'x64' ? ['-DCHLADNI_X86'] : [];
  const objects = Object.entries(TABLES).map(([name, own]) => {
    const object = join(output, `kernels-${name}.o`);
    const args = [...flags, ...own, `-DCHLADNI_TABLE=${name}`, '-c', join(native, 'kernels.cc'), '-o', object];
    return run(compiler, args) && object;
  });
  if (objects.includes(false)) return false;
  const sources = ['dispatch.cc', 'threadPool.cc', 'operations.cc', 'strided.cc', 'limits.cc', 'test/main.cc'].map(
    (file) => join(native, file),
  );
  const program = join(output, 'test');
  return run(compiler, [...flags, ...x86, ...sources, ...objects, '-o', program]) && run(program, []);
}

for (const sanitizer of asked.length > 0 ? asked : ['address', 'undefined', 'thread']) {
  const clean = check(sanitizer);
  console.log(`${sanitizer}: ${clean ? 'clean' : 'FAILED'}`);
  if (!clean) process.exitCode = 1;
}
