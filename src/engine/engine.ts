/**
 * Which device computes. An engine is a TensorFlow.js backend that may bring fused kernels of its own
 * (`src/ops/kernels.ts`), so that every model is written once, in TensorFlow.js ops.
 *
 * Engines plug in here: one more file that exports an `Engine`, one more line in ENGINES.
 */
import { messageOf, UsageError } from '../errors.ts';
import { useKernels } from '../ops/kernels.ts';
import { tf } from '../tf.ts';
import type { Engine } from './contract.ts';
import { javascriptEngine } from './javascript.ts';
import { nativeEngine } from './native/native.ts';
import { tensorflowEngine } from './tensorflow/tensorflow.ts';
import { wasmEngine } from './wasm/wasm.ts';
import { webgpuEngine } from './webgpu/webgpu.ts';

export type { Availability, Engine } from './contract.ts';

/** In the order in which `auto` tries them; an engine of a GPU only where it has one. */
export const ENGINES: readonly Engine[] = [tensorflowEngine, webgpuEngine, nativeEngine, wasmEngine, javascriptEngine];

export const ENGINE_NAMES: readonly string[] = ['auto', ...ENGINES.map((engine) => engine.name)];

/**
 * Starts the engine of that name; `auto` takes the first that works.
 *
 * @throws UsageError where the name is unknown or that engine can't run here, with the reason and the remedy.
 */
export async function startEngine(name = 'auto'): Promise<Engine> {
  if (name !== 'auto') {
    const engine = ENGINES.find((candidate) => candidate.name === name);
    if (!engine) throw new UsageError(`engine "${name}" is unknown; choose one of ${ENGINE_NAMES.join(', ')}`);
    const availability = await engine.probe();
    if (!availability.available) {
      throw new UsageError(`engine ${name} is not available: ${availability.reason}; ${availability.remedy}`);
    }
    await start(engine);
    return engine;
  }
  const failures: string[] = [];
  for (const engine of ENGINES) {
    const availability = await engine.probe();
    if (!availability.available || availability.onlyByName) {
      failures.push(`${engine.name}: ${availability.available ? availability.onlyByName : availability.reason}`);
      continue;
    }
    try {
      await start(engine);
      return engine;
    } catch (error) {
      failures.push(`${engine.name}: ${messageOf(error)}`);
    }
  }
  throw new UsageError(`no engine works here (${failures.join('; ')})`);
}

async function start(engine: Engine): Promise<void> {
  const kernels = await engine.start();
  useKernels(tf.getBackend(), kernels);
}
