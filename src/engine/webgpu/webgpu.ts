import { messageOf } from '../../errors.ts';
import { registerFieldKernel } from '../../ops/field.ts';
import { registerGridFeatureKernel } from '../../ops/gridFeatures.ts';
import { registerHeadsKernel } from '../../ops/heads.ts';
import { registerImageTable } from '../../ops/imageTable.ts';
import { registerOptimizerKernel } from '../../ops/optimizer.ts';
import { registerQuantiser } from '../../ops/quantise.ts';
import { registerRecorder } from '../../ops/recording.ts';
import { tf } from '../../tf.ts';
import type { Engine } from '../engine.ts';
import { createWebgpuBackend, type WebgpuBackend } from './backend.ts';
import { createGridFeatureKernel, createImageTableMaker } from './batch.ts';
import { describeGpu, NoGpu, openDevice } from './device.ts';
import { registerElementwise } from './elementwise.ts';
import { createFieldKernel } from './field.ts';
import { createHeadsKernel } from './heads.ts';
import { registerMatmul } from './matmul.ts';
import { createOptimizerKernel } from './optimizer.ts';
import { createQuantiser } from './quantise.ts';
import { createRecorder } from './recorder.ts';

let backend: WebgpuBackend | undefined;

/** Any GPU with a Vulkan, Metal or Direct3D 12 driver (npm `webgpu`, Dawn). */
export const webgpuEngine: Engine = {
  name: 'webgpu',
  description: 'the GPU through WebGPU (fused field kernels)',
  async probe() {
    try {
      const { name, software, halfPrecision, subgroupMatrices } = await describeGpu();
      const matrices = subgroupMatrices.map(({ M, N, K }) => `${M}x${N}x${K}`).join(', ');
      const abilities = [
        ...(halfPrecision ? ['16-bit floats'] : []),
        ...(matrices ? [`subgroup matrices ${matrices}`] : []),
      ];
      const detail = [name, ...abilities].join(', ');
      return software
        ? { available: true, detail, onlyByName: 'the processor plays this GPU, slowly' }
        : { available: true, detail };
    } catch (error) {
      if (!(error instanceof NoGpu)) throw error;
      return { available: false, reason: messageOf(error), remedy: error.remedy };
    }
  },
  async start() {
    backend ??= await open();
    await tf.setBackend('webgpu');
    await tf.ready();
  },
  device: () => backend?.opened.description.name ?? 'not started',
};

/** The device of the running engine. @throws Error where it has not been started. */
export function webgpuDevice(): GPUDevice {
  if (!backend) throw new Error('the webgpu engine has not been started');
  return backend.device;
}

async function open(): Promise<WebgpuBackend> {
  const made = createWebgpuBackend(await openDevice());
  // Loading TensorFlow.js's backend registered it on a device of its own choice, which is not opened yet.
  if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => made as never, 3);
  registerMatmul(made);
  registerElementwise(made);
  registerFieldKernel('webgpu', createFieldKernel(made));
  registerQuantiser('webgpu', createQuantiser(made));
  registerHeadsKernel('webgpu', createHeadsKernel(made));
  registerOptimizerKernel('webgpu', createOptimizerKernel(made));
  registerGridFeatureKernel('webgpu', createGridFeatureKernel(made));
  registerImageTable('webgpu', createImageTableMaker(made));
  registerRecorder('webgpu', createRecorder(made));
  return made;
}
