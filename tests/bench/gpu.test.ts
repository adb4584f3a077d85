import { describe, expect, it } from 'vitest';
import { copyCeiling, multiplyAddCeiling } from '../../bench/webgpu/ceilings.ts';
import { dispatch, Gpu } from '../../bench/webgpu/gpu.ts';
import { matrixCeiling } from '../../bench/webgpu/matrixCeiling.ts';
import { traced } from '../../bench/webgpu/trace.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { describeGpu } from '../../src/engine/webgpu/device.ts';
import { webgpuDevice } from '../../src/engine/webgpu/webgpu.ts';
import { availableEngines } from '../support/engines.ts';

/** Runs where there is an adapter, SwiftShader and lavapipe included. */
describe.skipIf(!availableEngines.includes('webgpu'))('the limits of a GPU', async () => {
  if (!availableEngines.includes('webgpu')) return;
  await startEngine('webgpu');
  const gpu = new Gpu(webgpuDevice(), await describeGpu());

  it('come from kernels whose results are right, or they throw', async () => {
    expect((await copyCeiling(gpu)).perSecond).toBeGreaterThan(1e6);
    expect((await multiplyAddCeiling(gpu, 'f32')).perSecond).toBeGreaterThan(1e6);
    if (gpu.adapter.halfPrecision) expect((await multiplyAddCeiling(gpu, 'f16')).perSecond).toBeGreaterThan(1e6);
    const matrix = await matrixCeiling(gpu);
    expect(matrix === undefined).toBe(
      gpu.adapter.subgroupMatrices.length === 0 || gpu.adapter.subgroupSize === undefined,
    );
  });

  it.skipIf(!gpu.hasTimestamps)(
    'are traced by the pass or by the dispatch, without a change to what runs',
    async () => {
      const code = '@group(0) @binding(0) var<storage, read_write> x: array<u32>;';
      const named = (name: string, change: string) =>
        gpu.pipeline(`${code} @compute @workgroup_size(1) fn main() { x[0] = ${change}; }`, name);
      const [double, add] = [await named('double', '2u * x[0]'), await named('add', 'x[0] + 3u')];
      for (const grain of ['pass', 'dispatch'] as const) {
        const x = gpu.storage(Uint32Array.of(5, 0));
        const intervals = await traced(gpu, grain, async () => {
          await gpu.device.queue.onSubmittedWorkDone();
          const encoder = gpu.device.createCommandEncoder();
          const pass = encoder.beginComputePass();
          for (const pipeline of [double, add, double]) dispatch(pass, pipeline, gpu.bind(pipeline, x), 1);
          pass.end();
          gpu.device.queue.submit([encoder.finish()]);
        });
        const labels = intervals.map((interval) => interval.labels);
        expect(labels).toEqual(grain === 'pass' ? [['double', 'add', 'double']] : [['double'], ['add'], ['double']]);
        expect(intervals.every(({ seconds }) => seconds >= 0)).toBe(true);
        expect(new Uint32Array(await gpu.read(x))[0]).toBe(2 * (2 * 5 + 3));
      }
    },
  );
});
