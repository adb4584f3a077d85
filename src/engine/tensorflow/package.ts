/** Finds TensorFlow's Node package and its addon, as npm installed them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { tf } from '../../tf.ts';

/** The optional peers, in the order in which they are looked for. */
export const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** What this engine uses of the package's addon; loading it starts TensorFlow and finds its devices. */
export interface TensorflowAddon {
  isUsingGpuDevice(): boolean;
  /** Version of libtensorflow. */
  TF_Version: string;
}

export interface TensorflowPackage {
  name: string;
  version: string;
  addonPath: string;
}

/** Why TensorFlow can't be used: a reason and a remedy for one line. */
export class TensorflowProblem extends Error {
  readonly remedy: string;
  constructor(reason: string, remedy: string) {
    super(reason);
    this.remedy = remedy;
  }
}

interface Manifest {
  version: string;
  binary: { module_name: string; module_path: string; napi_versions: number[] };
}

/**
 * The package that is installed, checked as far as that needs no loading.
 *
 * @param from a file beside whose `node_modules` (or above) to look.
 * @throws TensorflowProblem where there is none, or it doesn't fit, or its addon is missing.
 */
export function findPackage(from: string = import.meta.url): TensorflowPackage {
  const require = createRequire(from);
  for (const name of PACKAGES) {
    const path = resolve(require, `${name}/package.json`);
    if (path === undefined) continue;
    const { version, binary } = require(path) as Manifest;
    const ours = tf.version.tfjs;
    if (version !== ours) {
      throw new TensorflowProblem(
        `${name} is of version ${version}, TensorFlow.js of ${ours}`,
        `npm install --save-dev ${name}@${ours}`,
      );
    }
    // Backends register with the TensorFlow.js that they import: another copy would leave ours without.
    const shared = createRequire(import.meta.url).resolve('@tensorflow/tfjs');
    const theirs = resolve(createRequire(path), '@tensorflow/tfjs');
    if (theirs !== shared) {
      throw new TensorflowProblem(`${name} uses another copy of TensorFlow.js (${theirs})`, 'npm dedupe');
    }
    // The newest Node-API that both sides know, as @mapbox/node-pre-gyp chooses.
    const known = binary.napi_versions.filter((api) => api <= Number(process.versions.napi));
    const folder = binary.module_path.replace('{napi_build_version}', String(Math.max(...known)));
    const addonPath = join(dirname(path), folder, `${binary.module_name}.node`);
    if (!existsSync(addonPath)) {
      throw new TensorflowProblem(
        `${name} is installed without its addon: its install script, which downloads libtensorflow, did not run or failed`,
        `npm rebuild ${name} --foreground-scripts shows why; docs/tensorflow.md builds it without that download`,
      );
    }
    return { name, version, addonPath };
  }
  throw new TensorflowProblem(
    `neither ${PACKAGES.join(' nor ')} is installed`,
    `optional, for NVIDIA GPUs with CUDA 11.2: npm install --save-dev ${PACKAGES[0]}@${tf.version.tfjs} (docs/tensorflow.md)`,
  );
}

/**
 * Loads the addon, and with it TensorFlow.
 *
 * @throws TensorflowProblem where a shared library is missing or doesn't fit.
 */
export function loadAddon({ name, addonPath }: TensorflowPackage): TensorflowAddon {
  try {
    return createRequire(import.meta.url)(addonPath) as TensorflowAddon;
  } catch (error) {
    const [reason] = messageOf(error).split('\n');
    throw new TensorflowProblem(
      `the addon of ${name} can't be loaded: ${reason}`,
      `npm rebuild ${name} (docs/tensorflow.md)`,
    );
  }
}

function resolve(require: NodeJS.Require, request: string): string | undefined {
  try {
    return require.resolve(request);
  } catch {
    return undefined;
  }
}
