import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import util from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { findPackage, loadAddon, PACKAGES } from '../../src/engine/tensorflow/package.ts';
import { supplementUtil, tensorflowEngine } from '../../src/engine/tensorflow/tensorflow.ts';
import { UsageError } from '../../src/errors.ts';
import { tf } from '../../src/tf.ts';

const require = createRequire(import.meta.url);
const tfjs = dirname(require.resolve('@tensorflow/tfjs/package.json'));
const availability = await tensorflowEngine.probe();

/** A project with packages of these names, as npm lays them out. */
let project: string;
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'chladni-tensorflow-'));
});
afterEach(() => rmSync(project, { recursive: true }));

/** Installs a package whose manifest is that of tfjs-node 4.22.0, as far as it matters here; returns its folder. */
function install(name: string, version: string = tf.version.tfjs): string {
  const folder = join(project, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  const binary = {
    module_name: 'tfjs_binding',
    module_path: './lib/napi-v{napi_build_version}',
    napi_versions: [3, 4, 5, 6, 7, 8],
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, binary }));
  return folder;
}

const shareTensorflowJs = () => symlinkSync(tfjs, join(project, 'node_modules', '@tensorflow', 'tfjs'));
const find = () => findPackage(join(project, 'index.js'));

describe('the tensorflow engine, searching for its package,', () => {
  it('says which packages it looked for, and how to get one', () => {
    expect(find).toThrow('neither @tensorflow/tfjs-node-gpu nor @tensorflow/tfjs-node is installed');
    expect(problemOf(find).remedy).toContain(`npm install --save-dev @tensorflow/tfjs-node-gpu@${tf.version.tfjs}`);
  });

  it('refuses a package of another version than TensorFlow.js, naming both', () => {
    install('@tensorflow/tfjs-node', '4.10.0');
    expect(find).toThrow(`@tensorflow/tfjs-node is of version 4.10.0, TensorFlow.js of ${tf.version.tfjs}`);
    expect(problemOf(find).remedy).toBe(`npm install --save-dev @tensorflow/tfjs-node@${tf.version.tfjs}`);
  });

  it('refuses a package that would register its backend with another copy of TensorFlow.js', () => {
    install('@tensorflow/tfjs-node');
    cpSync(join(tfjs, 'package.json'), join(project, 'node_modules', '@tensorflow', 'tfjs', 'package.json'));
    const main = join(
      project,
      'node_modules',
      '@tensorflow',
      'tfjs',
      JSON.parse(readFileSync(join(tfjs, 'package.json'), 'utf8')).main,
    );
    mkdirSync(dirname(main), { recursive: true });
    writeFileSync(main, '');
    expect(find).toThrow(/^@tensorflow\/tfjs-node uses another copy of TensorFlow\.js \(.*tfjs.*\)$/);
    expect(problemOf(find).remedy).toBe('npm dedupe');
  });

  it('tells a package whose install script left no addon', () => {
    install('@tensorflow/tfjs-node');
    shareTensorflowJs();
    expect(find).toThrow('@tensorflow/tfjs-node is installed without its addon');
    expect(problemOf(find).remedy).toContain('npm rebuild @tensorflow/tfjs-node');
  });

  it('prefers the GPU package, and finds the addon of the newest Node-API that both sides know', () => {
    for (const name of PACKAGES) {
      mkdirSync(join(install(name), 'lib', 'napi-v8'), { recursive: true });
      writeFileSync(join(project, 'node_modules', name, 'lib', 'napi-v8', 'tfjs_binding.node'), '');
    }
    shareTensorflowJs();
    const { name, addonPath } = find();
    expect(name).toBe('@tensorflow/tfjs-node-gpu');
    expect(addonPath).toBe(join(project, 'node_modules', name, 'lib', 'napi-v8', 'tfjs_binding.node'));
  });

  it('gives the first line of what the loader says of an addon that is damaged', () => {
    const addonPath = join(project, 'tfjs_binding.node');
    writeFileSync(addonPath, 'cut short');
    const load = () => loadAddon({ name: '@tensorflow/tfjs-node', version: '4.22.0', addonPath });
    expect(load).toThrow(/^the addon of @tensorflow\/tfjs-node can't be loaded: .+$/);
    expect(problemOf(load).message).not.toContain('\n');
  });
});

describe("the tensorflow engine's supplement to Node's util", () => {
  it('has what tfjs-node asks of a util that lacks it', () => {
    const lacking: Partial<Record<string, unknown>> = { ...util, isArray: undefined, isNullOrUndefined: undefined };
    supplementUtil(lacking);
    const { isArray, isNullOrUndefined } = lacking as Record<string, (value: unknown) => boolean>;
    expect([[], [1], 'a', { length: 1 }, undefined].map(isArray)).toEqual([true, true, false, false, false]);
    expect([null, undefined, 0, '', false, Number.NaN].map(isNullOrUndefined)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it.skipIf(!availability.available)('makes every function of util that tfjs-node calls one that exists', () => {
    supplementUtil();
    const dist = join(dirname(require.resolve(`${findPackage().name}/package.json`)), 'dist');
    const sources = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
      /(?<!_test)\.js$/.test(file),
    );
    const called = sources.flatMap((file) => {
      const text = readFileSync(join(dist, file), 'utf8');
      const name = /var (\w+) = require\("util"\)/.exec(text)?.[1];
      return name ? [...text.matchAll(new RegExp(`\\b${name}\\.(\\w+)`, 'g'))].map((match) => match[1]) : [];
    });
    expect(called).toContain('isNullOrUndefined');
    for (const name of new Set(called)) expect(typeof require('node:util')[name], name).toBe('function');
  });
});

describe('the tensorflow engine', () => {
  it.skipIf(availability.available)('is refused by name in one line that says why and what to do', async () => {
    const error = await startEngine('tensorflow').catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(/^engine tensorflow is not available: .*; .*npm.*$/);
  });

  it('is taken by auto only where it has a GPU', async () => {
    const automatic = availability.available && !availability.onlyByName;
    expect((await startEngine('auto')).name === 'tensorflow').toBe(automatic);
  });

  it.skipIf(!availability.available)('says what it computes on, and is not started by being probed', async () => {
    await startEngine('javascript');
    const again = await tensorflowEngine.probe();
    expect(again).toMatchObject({ available: true });
    expect((again as { detail: string }).detail).toMatch(
      /^@tensorflow\/tfjs-node(-gpu)? \S+, libtensorflow \d+\.\d+\.\d+, on (a GPU|the CPU)$/,
    );
    expect(tf.getBackend()).toBe('cpu');
  });

  it.skipIf(!availability.available)(
    'computes in the TensorFlow.js of this project, and hands over to other engines and back',
    async () => {
      await startEngine('tensorflow');
      expect(tf.getBackend()).toBe('tensorflow');
      const x = tf.tensor1d([1, 2, 4]);
      await startEngine('javascript');
      expect(await tf.square(x).data()).toEqual(Float32Array.of(1, 4, 16));
      await startEngine('tensorflow');
      expect(await tf.square(x).data()).toEqual(Float32Array.of(1, 4, 16));
    },
  );
});

function problemOf(work: () => unknown): { message: string; remedy: string } {
  try {
    work();
  } catch (error) {
    return error as { message: string; remedy: string };
  }
  throw new Error('nothing was thrown');
}
