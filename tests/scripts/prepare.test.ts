import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../data/files.ts';
import { run } from '../support/commands.ts';

it('draws faces into the cache, and says what they have and what is held out', async () => {
  const cache = join(temporaryFolder(), 'cache');
  const keys = ['data.count=60', 'data.size=8', 'data.heldOut=20', `data.cache=${cache}`];
  const prepared = await run('prepare', '--config', 'configs/faces.yaml', '--set', ...keys);
  expect(prepared.code).toBe(0);
  const lines = prepared.out.trim().split('\n');
  expect(lines.slice(0, 3)).toEqual([
    `60 images of 8x8, cached in ${cache}`,
    'ground truth up to any size',
    expect.stringMatching(/^faces: "ToonHead" by Johan Melin .*CC BY 4.0/),
  ]);
  // Shares of all values that are printed add up to the whole, where none is left out.
  const hair = lines.find((line) => line.startsWith('hair: '))!;
  const shares = [...hair.matchAll(/(\w+) ([\d.]+) %/g)];
  expect(shares.map(([, value]) => value).sort()).toEqual(['bun', 'sideComed', 'spiky', 'undercut']);
  expect(shares.reduce((sum, [, , share]) => sum + Number(share), 0)).toBeCloseTo(100, 0);
  expect(lines.find((line) => line.startsWith('clothesColor: '))).toMatch(/, … 10 values$/);
  expect(lines.slice(-2)).toEqual([
    'held out of training: 20 images',
    'and 20 of combinations of attributes that are never trained on',
  ]);
  const bad = await run('prepare', '--config', 'configs/faces.yaml', '--set', 'data.style=manga');
  expect(bad).toMatchObject({ code: 2, out: '' });
  expect(bad.err.trim()).toMatch(/^--set: data.style: [^\n]+got "manga"$/);
});
