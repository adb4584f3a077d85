import { messageOf, UsageError } from '../../errors.ts';
import type { Kernels } from '../../ops/kernels.ts';
import { tf } from '../../tf.ts';
import type { Engine } from '../contract.ts';
import { loadAddon } from './addon.ts';
import { createNativeBackend } from './backend.ts';
import { elementwiseKernels } from './elementwise.ts';
import { createFieldKernel } from './field.ts';
import { createGridFeatureKernel } from './grid.ts';
import { registerKernels } from './kernel.ts';
import { layoutKernels } from './layout.ts';
import { createOptimizerKernel } from './optimizer.ts';
import { productKernels } from './products.ts';
import { PROFILING, printProfileAtExit } from './profile.ts';

const REMEDY =
  'install a C++ compiler (Debian: apt-get install g++; macOS: xcode-select --install), then run: npm rebuild';

let kernels: Kernels | undefined;

/** The C++ engine of this package (native/): every core, the widest vectors the machine has. */
export const nativeEngine: Engine = {
  name: 'native',
  description: 'C++ on every core (fused field kernels, vector instructions)',
  async probe() {
    try {
      const { addon, settings } = loadAddon();
      const others = addon.instructionSets().filter((name) => name !== settings.instructionSet);
      const also = others.length > 0 ? ` (also here: ${others.join(', ')})` : '';
      const threads = `${settings.threads} thread${settings.threads === 1 ? '' : 's'}`;
      return { available: true, detail: `${settings.instructionSet}${also}, ${threads}` };
    } catch (error) {
      if (error instanceof UsageError) throw error;
      return { available: false, reason: messageOf(error), remedy: REMEDY };
    }
  },
  async start() {
    kernels ??= register();
    await tf.setBackend('native');
    await tf.ready();
    return kernels;
  },
};

/** Makes the backend known to TensorFlow.js, and the kernels that go with it. */
function register(): Kernels {
  const { addon } = loadAddon();
  if (PROFILING) printProfileAtExit();
  const backend = createNativeBackend();
  registerKernels(addon, { ...elementwiseKernels, ...layoutKernels, ...productKernels });
  tf.registerBackend('native', () => backend as never);
  return {
    field: createFieldKernel(addon, backend),
    gridFeatures: createGridFeatureKernel(addon, backend),
    optimizer: createOptimizerKernel(addon, backend),
  };
}
