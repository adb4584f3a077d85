import { createRequire } from 'node:module';
import { tf } from '../../tf.ts';
import type { Availability, Engine } from '../contract.ts';
import { threadCount } from '../native/threads.ts';
import { findPackage, loadAddon, type TensorflowPackage, TensorflowProblem } from './package.ts';

/** TensorFlow's C library (tfjs-node-gpu, else tfjs-node, if installed); no fused kernels: every op is one of its. */
export const tensorflowEngine: Engine = {
  name: 'tensorflow',
  description: 'TensorFlow (optional packages; NVIDIA GPUs through CUDA)',
  async probe() {
    try {
      return describe(findPackage());
    } catch (error) {
      if (!(error instanceof TensorflowProblem)) throw error;
      return { available: false, reason: error.message, remedy: error.remedy };
    }
  },
  async start() {
    if (!tf.findBackendFactory('tensorflow')) {
      const { name } = findPackage();
      setDefaults();
      supplementUtil();
      // Registers its backend with the TensorFlow.js of src/tf.ts: `findPackage` checked that there is no other.
      createRequire(import.meta.url)(name);
    }
    await tf.setBackend('tensorflow');
    await tf.ready();
    return {};
  },
};

function describe(installed: TensorflowPackage): Availability {
  setDefaults();
  const addon = loadAddon(installed);
  const what = `${installed.name} ${installed.version}, libtensorflow ${addon.TF_Version}`;
  if (addon.isUsingGpuDevice()) return { available: true, detail: `${what}, on a GPU` };
  const why = installed.name.endsWith('-gpu')
    ? 'TensorFlow found no GPU that it can use (TF_CPP_MIN_LOG_LEVEL=0 shows what it looked for)'
    : 'it computes on the CPU';
  return { available: true, detail: `${what}, on the CPU`, onlyByName: why };
}

/** What the environment leaves open; TensorFlow reads it once, when its library is loaded. */
function setDefaults(): void {
  const { env } = process;
  // Nothing: what fails is thrown, and the rest (CUDA plugins that register twice, unused instructions) helps nobody here.
  env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  env.TF_NUM_INTRAOP_THREADS ??= String(threadCount());
  // Memory as it is needed, instead of all of the GPU's at once.
  env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  // Products of float32 in float32, as on every other engine, instead of TF32's 10 bits of mantissa.
  env.NVIDIA_TF32_OVERRIDE ??= '0';
}

/** What tfjs-node 4.22 calls of Node's `util` and newer versions of Node no longer have, or warn about. */
const SUPPLEMENT = {
  isArray: Array.isArray,
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
};

/**
 * Gives `util` the two functions that tfjs-node's backend calls for every op: Node 22 prints a deprecation warning for
 * them (DEP0044, DEP0051), Node 23 has no `isNullOrUndefined`, and no release of tfjs-node does without (tfjs#8609).
 */
export function supplementUtil(util: object = createRequire(import.meta.url)('node:util')): void {
  Object.assign(util, SUPPLEMENT);
}
