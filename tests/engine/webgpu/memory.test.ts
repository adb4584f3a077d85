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
    expect(() => tf.add(tf.ones([2000]), 1).dataSync()).toThrow('with `await tensor.data()` alone');
  });

  it('says of a tensor that is too large for the device that memory is short, and what to lower', async () => {
    const backend = tf.backend() as unknown as WebgpuBackend;
    const values = backend.device.limits.maxBufferSize / 4 + 64;
    const large = tf.engine().makeTensorFromTensorInfo(backend.allocate([values]) as never);
    const error = await large.data().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RunError);
    expect((error as RunError).message).toMatch(
      /^the GPU has no memory left for this \(.*\): lower train\.batch or train\.points$/,
    );
  });

  it('trusts nothing that it reads after that', async () => {
    await expect(tf.add(tf.ones([2000]), 1).data()).rejects.toThrow('no memory left');
  });
});
