/**
 * Builds the native engine's addon, build/chladni.node, with nothing but a C++ compiler: `node native/build.mjs`.
 *
 * npm runs this on install, so it never fails there: without a compiler it says so in one line, and the wasm engine serves.
 * `--strict` (tests, CI) exits 1 instead. CXX names the compiler; CHLADNI_SKIP_NATIVE=1 skips the build.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { COMMON, TABLES } from './flags.mjs';

const run = promisify(execFile);
const native = dirname(fileURLToPath(import.meta.url));
const output = join(native, '..', 'build');
const addon = join(output, 'chladni.node');
const strict = process.argv.includes('--strict');

const SOURCES = [
  'dispatch.cc',
  'threadPool.cc',
  'operations.cc',
  'strided.cc',
  'limits.cc',
  'addon.cc',
  'addonField.cc',
];

function headersDirectory() {
  const require = createRequire(import.meta.url);
  const override = process.env.CHLADNI_NODE_API_HEADERS;
  return override ?? require('node-api-headers').include_dir;
}

function sourceFiles(directory = native) {
  return readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) => {
      if (entry.isDirectory()) return entry.name === 'test' ? [] : sourceFiles(join(directory, entry.name));
      return [join(directory, entry.name)];
    })
    .sort();
}

async function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const candidate of candidates) {
    try {
      const { stdout } = await run(candidate, ['--version']);
      return { command: candidate, version: stdout.split('\n')[0] };
    } catch {
      // Not this one.
    }
  }
  throw new Error(`no C++ compiler (looked for ${candidates.join(', ')})`);
}

async function build() {
  if (process.env.CHLADNI_SKIP_NATIVE === '1') throw new Error('CHLADNI_SKIP_NATIVE is set');
  if (process.platform === 'win32') throw new Error('not supported on Windows');
  const compiler = await findCompiler();
  const headers = headersDirectory();
  const hash = createHash('sha256').update(`${compiler.version} ${process.platform} ${process.arch}`);
  for (const file of sourceFiles()) hash.update(readFileSync(file));
  const stamp = hash.digest('hex');
  const stampFile = join(output, 'chladni.stamp');
  if (existsSync(addon) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return 'is up to date';

  const objects = join(output, `native-${process.pid}`);
  mkdirSync(objects, { recursive: true });
  try {
    const x86 = process.arch === 'x64' ? ['-DCHLADNI_X86'] : [];
    const jobs = [
      ...Object.entries(TABLES).map(([name, flags]) => ({
        source: 'kernels.cc',
        object: join(objects, `kernels-${name}.o`),
        flags: [...flags, `-DCHLADNI_TABLE=${name}`],
      })),
      ...SOURCES.map((source) => ({
        source,
        object: join(objects, source.replace('.cc', '.o')),
        flags: [...x86, `-I${headers}`, '-pthread'],
      })),
    ];
    await Promise.all(
      jobs.map(({ source, object, flags }) =>
        run(compiler.command, [...COMMON, ...flags, '-c', join(native, source), '-o', object]),
      ),
    );
    const link = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-pthread'];
    const linked = join(objects, 'chladni.node');
    await run(compiler.command, [...link, ...jobs.map(({ object }) => object), '-o', linked]);
    renameSync(linked, addon);
    writeFileSync(stampFile, stamp);
  } finally {
    rmSync(objects, { recursive: true, force: true });
  }
  return `built with ${compiler.version}`;
}

/** Why there is no addon, for `doctor`. */
const reasonFile = join(output, 'not-built.txt');

try {
  console.log(`chladni: native engine ${await build()}`);
  rmSync(reasonFile, { force: true });
} catch (error) {
  const reason =
    String(error.stderr || error.message)
      .split('\n')
      .find((line) => line.includes('error')) ?? error.message;
  console.log(`chladni: native engine not built: ${String(reason).split('\n')[0]}; the wasm engine serves instead`);
  mkdirSync(output, { recursive: true });
  writeFileSync(reasonFile, String(reason).split('\n')[0]);
  if (strict) {
    if (error.stderr) console.error(error.stderr);
    process.exitCode = 1;
  }
}
