/** Commands with and without a GPU, as a user runs them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../support/commands.ts';
import { availableEngines } from '../../support/engines.ts';

// Under a dynamic loader of its own, node can't be started again by its path.
const isNode = basename(process.execPath).startsWith('node');

const onGpu = ['--config', 'configs/quickstart.yaml', '--engine', 'webgpu'];

describe.skipIf(!isNode)('commands on a machine', () => {
  const environment = { ...process.env };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chladni-webgpu-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  afterEach(() => {
    process.env = { ...environment };
  });

  const withoutDrivers = () => {
    for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) process.env[name] = join(folder, 'none.json');
  };

  it('without a GPU: train --engine webgpu exits 2, with one line that says why and what to do', async () => {
    withoutDrivers();
    const { code, out, err } = await run('train', ...onGpu, '--run', join(folder, 'run'));
    expect(err).toMatch(/^engine webgpu is not available: .+; install .+\n$/);
    expect(out).toBe('');
    expect(code).toBe(2);
  });

  it('without a GPU: doctor names it among what is missing, and writes nothing to stderr', async () => {
    withoutDrivers();
    const { err, out } = await run('doctor');
    expect(err).toBe('');
    expect(out).toMatch(/^✗ webgpu .+; install /m);
  });

  it.skipIf(!availableEngines.includes('webgpu'))(
    'with a GPU: doctor names it, and writes nothing to stderr',
    async () => {
      const { err, out } = await run('doctor');
      expect(err).toBe('');
      expect(out).toMatch(/^✓ webgpu /m);
    },
  );

  it.skipIf(!availableEngines.includes('webgpu'))(
    'with GPUs of other names: CHLADNI_GPU exits 2, naming it',
    async () => {
      process.env.CHLADNI_GPU = 'no such GPU';
      const { code, err } = await run('train', ...onGpu, '--run', join(folder, 'run'));
      expect(err).toMatch(/^CHLADNI_GPU=no such GPU: no GPU here has that in its name; there is: .+\n$/);
      expect(code).toBe(2);
    },
  );
});
