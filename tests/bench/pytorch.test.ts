import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { relativeError } from '../../bench/measure.ts';
import { PytorchPeer } from '../../bench/webgpu/pytorchPeer.ts';
import { StepWork, stepExperiment } from '../../bench/webgpu/training.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { tf } from '../../src/tf.ts';

const python = ['python3', '/usr/bin/python3'].find((program) => {
  return spawnSync(program, ['-c', 'import torch']).status === 0;
});

describe.skipIf(python === undefined)('PyTorch, where it is installed', () => {
  it('trains the same model from the same start: its losses are ours, step after step', async () => {
    process.env.CHLADNI_BENCH_PYTHON = python;
    process.env.CUDA_VISIBLE_DEVICES = ''; // a GPU would need no such test
    const folder = mkdtempSync(join(tmpdir(), 'chladni-bench-'));
    try {
      await startEngine('wasm');
      const before = tf.memory().numTensors;
      const work = new StepWork(stepExperiment(8, 6, 50, [12, 10]));
      await work.save(join(folder, 'model.safetensors'));
      const ours = await work.losses();
      work.dispose();
      expect(tf.memory().numTensors).toBe(before);
      const models = { tiny: join(folder, 'model.safetensors') };
      const started = await PytorchPeer.start({ models, renderSize: 0, seconds: 60, allowCpu: true });
      if ('absent' in started) throw new Error(started.absent);
      started.peer.close();
      const { eager_f32: eager, graph_tf32: graph } = started.figures.steps.tiny;
      if ('absent' in eager) throw new Error(eager.absent);
      expect(ours[4]).toBeLessThan(ours[0]);
      expect(relativeError(eager.losses, ours)).toBeLessThan(1e-5);
      expect(graph).toMatchObject({ absent: expect.stringContaining('CUDA') });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
