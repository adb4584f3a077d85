import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cgroupQuota, threadCount } from '../../../src/engine/native/threads.ts';
import { addon, instructionSets, isBuilt } from './support.ts';

const floats = (length: number) => new Float32Array(length);

describe.skipIf(!isBuilt)('the addon', () => {
  it.each<[string, () => void]>([
    ['a short matrix', () => addon.gemm(floats(5), floats(6), floats(4), 1, 2, 2, 3, false, false, false, false)],
    ['a negative extent', () => addon.gemm(floats(6), floats(6), floats(4), 1, -2, 2, 3, false, false, false, false)],
    [
      'an extent that overflows',
      () => addon.gemm(floats(0), floats(0), floats(0), 2 ** 30, 2 ** 30, 2 ** 30, 0, false, false, false, false),
    ],
    ['another type of array', () => addon.ema(floats(4), new Float64Array(4) as never, 0.5)],
    ['an unknown function', () => addon.unary(99, floats(1), floats(1), 0, 0)],
    ['a result of another length', () => addon.unary(0, floats(3), floats(4), 0, 0)],
    ['a broadcast beyond its array', () => addon.binary(0, [4, 3], floats(12), [3, 1], floats(3), [1, 1], floats(12))],
    ['a negative stride', () => addon.binary(0, [3], floats(3), [-1], floats(3), [1], floats(3))],
    ['a copy from beyond its array', () => addon.stridedCopy([2, 2], floats(4), 1, [2, 1], floats(4), 0, [2, 1])],
    ['a copy to before its array', () => addon.stridedCopy([2], floats(4), 0, [1], floats(4), 0, [-1])],
    ['a copy onto one place', () => addon.stridedCopy([2], floats(4), 0, [1], floats(4), 0, [0])],
    ['an index beyond the table', () => addon.gather(floats(6), Int32Array.of(0, 3), floats(4), 1, 3, 2)],
    ['a negative index', () => addon.scatterAdd(floats(2), Int32Array.of(-1), floats(6), 2)],
    [
      'a convolution without its filter',
      () => addon.conv(0, [1, 4, 4, 1, 4, 4, 1, 3, 3, 1, 1, 1, 1, 1, 1], floats(16), null, null, floats(16)),
    ],
    ['a sum of nothing', () => addon.sum(floats(0), floats(0), 0, 0, 1, 1)],
    [
      'rows beyond the grid',
      () => {
        const two = new Float64Array(2);
        addon.fieldOnGrid([2, 1], 0, 0, 1, false, 1, [floats(2)], [floats(1)], two, two, two, null, 2, 3, floats(3));
      },
    ],
    [
      'a pixel beyond the grid',
      () => {
        const two = new Float64Array(2);
        addon.grid(two, two, two, null, Int32Array.of(4), 0, floats(2));
      },
    ],
    ['too few arguments', () => (addon.ema as unknown as () => void)()],
    [
      'a field of no layers',
      () => addon.field(0, [3], 0, 0, 1, false, true, 1, 1, [], [], floats(3), null, floats(3), null),
    ],
    [
      'a field with a short kernel',
      () =>
        addon.field(0, [2, 3], 0, 0, 1, false, true, 1, 1, [floats(5)], [floats(3)], floats(2), null, floats(3), null),
    ],
    [
      'a field that trains without targets',
      () =>
        addon.field(
          1,
          [2, 3],
          0,
          0,
          1,
          false,
          true,
          1,
          1,
          [floats(6)],
          [floats(3)],
          floats(2),
          null,
          null,
          floats(1),
          [floats(6)],
          [floats(3)],
          null,
        ),
    ],
    [
      'a skip to the first layer after the last',
      () =>
        addon.field(0, [2, 3], 1, 0, 1, false, true, 1, 1, [floats(12)], [floats(3)], floats(2), null, floats(3), null),
    ],
    [
      'a skip without the weights for it',
      () => {
        const [kernels, biases] = [
          [floats(6), floats(3)],
          [floats(3), floats(1)],
        ];
        const [x, y] = [floats(2), floats(1)];
        addon.field(0, [2, 3, 1], 1, 0, 1, false, true, 1, 1, kernels, biases, x, null, y, null);
      },
    ],
    ['an unknown instruction set', () => addon.configure(1, 'vax')],
  ])('refuses %s before touching memory', (_, call) => {
    expect(call).toThrow(TypeError);
  });

  it('runs the instruction set that CHLADNI_SIMD names, on CHLADNI_THREADS threads', () => {
    const script = `
      import { startEngine } from './src/engine/engine.ts';
      const availability = await (await startEngine('native')).probe();
      console.log(availability.detail);`;
    for (const CHLADNI_SIMD of instructionSets) {
      const env = { ...process.env, CHLADNI_SIMD, CHLADNI_THREADS: '3' };
      const args = ['--import', 'tsx', '--input-type=module', '-e', script];
      const detail = execFileSync(process.execPath, args, { env, encoding: 'utf8' });
      expect(detail).toMatch(new RegExp(`^${CHLADNI_SIMD}.*, 3 threads`));
    }
  });
});

describe('building the addon', () => {
  const build = (args: string[], environment: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, ['native/build.mjs', ...args], {
      env: { ...process.env, ...environment },
      encoding: 'utf8',
    });

  it('says one line and does not fail the install where there is no compiler', () => {
    const { status, stdout, stderr } = build([], { CXX: 'no-such-compiler' });
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^chladni: native engine not built: .*no C\+\+ compiler.*; the wasm engine serves instead\n$/,
    );
    expect(stderr).toBe('');
  });

  it('fails where it was asked to be strict', () => {
    expect(build(['--strict'], { CXX: 'no-such-compiler' }).status).toBe(1);
  });
});

describe('the number of threads', () => {
  it('is CHLADNI_THREADS where that is set', () => {
    expect(threadCount({ CHLADNI_THREADS: '7' })).toBe(7);
    expect(threadCount({})).toBeGreaterThanOrEqual(1);
    for (const wrong of ['0', '-1', '1.5', 'many']) {
      expect(() => threadCount({ CHLADNI_THREADS: wrong })).toThrow(`got "${wrong}"`);
    }
  });

  it('respects the smallest quota of the control groups above the process', () => {
    const root = mkdtempSync(join(tmpdir(), 'chladni-cgroup-'));
    try {
      mkdirSync(join(root, 'pod', 'box'), { recursive: true });
      expect(cgroupQuota(root, '/pod/box')).toBe(Infinity);
      writeFileSync(join(root, 'cpu.max'), 'max 100000\n');
      writeFileSync(join(root, 'pod', 'cpu.max'), '150000 100000\n');
      writeFileSync(join(root, 'pod', 'box', 'cpu.max'), '400000 100000\n');
      expect(cgroupQuota(root, '/pod/box')).toBe(1.5);
      expect(cgroupQuota(root, '/')).toBe(Infinity);
      mkdirSync(join(root, 'cpu'));
      writeFileSync(join(root, 'cpu', 'cpu.cfs_quota_us'), '50000\n');
      writeFileSync(join(root, 'cpu', 'cpu.cfs_period_us'), '100000\n');
      expect(cgroupQuota(root, '/pod/box')).toBe(0.5);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
