/** What does not fit on the device. In a file of its own: the device is of no use afterwards. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import type { WebgpuBackend } from '../../../src/engine/webgpu/backend.ts';
import { RunError } from '../../../src/errors.ts';
import { tf } from '../../../src/tf.ts';
import { availableEngines } from '../../support/engines.ts';

describe.skipIf(!availableEngines.includes('webgpu'))('the webgpu engine', () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  it('refuses to read at once, naming what to write instead', () => {
    expect(() => tf.add(tf.ones([2]), tf.ones([2])).dataSync()).toThrow('with `await tensor.data()` alone');
  });

  it('says of a tensor that is too large for the device that memory is short, and what to lower', async () => {
    const { limits } = (tf.backend() as unknown as WebgpuBackend).device;
    const values = Math.ceil(limits.maxBufferSize / 4) + 64;
    const large = tf.broadcastTo(tf.ones([1, 1]), [64, Math.ceil(values / 64)]);
    const error = await tf
      .sum(large)
      .data()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RunError);
    expect((error as RunError).message).toMatch(
      /^the GPU has no memory left for this \(.*\): lower train\.batch or train\.points$/,
    );
  });

  it('trusts nothing that it reads after that', async () => {
    await expect(tf.add(tf.ones([2]), 1).data()).rejects.toThrow('no memory left');
  });
});
