/**
 * Builds the addon of an installed @tensorflow/tfjs-node (or -gpu) from the package's own sources, with a C++ compiler and
 * the libtensorflow that a Python wheel of TensorFlow holds, for machines where its install script can't download one:
 *
 *   node scripts/dev/tensorflow/build.mjs node_modules/@tensorflow/tfjs-node [tensorflow-cpu==2.18.1]
 *
 * Linux on x64; pip fetches the wheel, nothing of Python is used afterwards. CXX names the compiler.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { run } from './run.mjs';

/** Newer than tfjs-node's own 2.9.1, behind the same C API. The second is built for CUDA 12.5, up to Hopper GPUs. */
const WHEEL = { '@tensorflow/tfjs-node': 'tensorflow-cpu==2.18.1', '@tensorflow/tfjs-node-gpu': 'tensorflow==2.18.1' };

const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/** Takes the libraries and the headers of the C API out of a wheel: argv is the wheel and the folder. */
const UNPACK = `
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wanted = tuple('tensorflow/' + part for part in ('libtensorflow_', 'include/tensorflow/', 'include/tsl/', 'include/xla/'))
wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith(wanted)])
`;

/** Builds the addon in `packageFolder`; what it needs lies beside it afterwards (deps/), as after the package's install. */
export function buildAddon(packageFolder, wheel) {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('only for Linux on x64');
  const { name, binary } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'));
  const deps = join(packageFolder, 'deps');
  const unpacked = mkdtempSync(join(packageFolder, 'wheel-'));
  try {
    const platform = ['--python-version', '3.11', '--implementation', 'cp', '--platform', 'manylinux_2_17_x86_64'];
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', ...platform];
    run('python3', [...pip, '--dest', unpacked, wheel ?? WHEEL[name]]);
    const [file] = readdirSync(unpacked).filter((entry) => entry.endsWith('.whl'));
    run('python3', ['-c', UNPACK, join(unpacked, file), unpacked]);
    rmSync(deps, { recursive: true, force: true });
    mkdirSync(join(deps, 'lib'), { recursive: true });
    renameSync(join(unpacked, 'tensorflow', 'include'), join(deps, 'include'));
    for (const library of LIBRARIES) renameSync(join(unpacked, 'tensorflow', library), join(deps, 'lib', library));
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }

  const napi = Math.max(...binary.napi_versions.filter((version) => version <= Number(process.versions.napi)));
  const folder = join(packageFolder, binary.module_path.replace('{napi_build_version}', napi));
  mkdirSync(folder, { recursive: true });
  const headers = createRequire(join(packageFolder, 'package.json'))('node-api-headers').include_dir;
  run(process.env.CXX ?? 'c++', [
    ...['-std=c++17', '-O2', '-fPIC', '-shared', `-DNAPI_VERSION=${napi}`],
    ...[`-I${headers}`, `-I${join(deps, 'include')}`],
    ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((source) => join(packageFolder, 'binding', source)),
    ...['-o', join(folder, `${binary.module_name}.node`), `-L${join(deps, 'lib')}`],
    ...LIBRARIES.map((library) => `-l:${library}`),
    '-Wl,-rpath,$ORIGIN/../../deps/lib',
  ]);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [packageFolder, wheel] = process.argv.slice(2);
  if (packageFolder === undefined) throw new Error('name the folder of the installed package');
  buildAddon(resolve(packageFolder), wheel);
}
