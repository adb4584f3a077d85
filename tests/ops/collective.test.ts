import { describe, expect, it } from 'vitest';
import { alone, type Collective } from '../../src/ops/collective.ts';
import { Random } from '../../src/random.ts';

/** Members of one program, each of which waits for all: the contract at its simplest. */
function together(size: number): Collective[] {
  const given: Float32Array[] = [];
  const waiting: ((mean: Float32Array) => void)[] = [];
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    allReduce: (values) =>
      new Promise((resolve) => {
        given[rank] = values;
        waiting.push(resolve);
        if (waiting.length < size) return;
        const mean = values.map((_, i) => given.reduce((sum, each) => sum + each[i], 0) / size);
        for (const done of waiting.splice(0)) done(mean.slice());
      }),
  }));
}

/** Gradient of the mean of (a·x − y)² over some samples, with respect to a. */
function gradientOf(samples: readonly (readonly [number, number])[], a: number): Float32Array {
  const sum = samples.reduce((total, [x, y]) => total + 2 * x * (a * x - y), 0);
  return Float32Array.of(sum / samples.length);
}

/** Descends with the collective between gradient and update; what a after some updates is. */
async function descend(collective: Collective, samples: readonly (readonly [number, number])[]): Promise<number> {
  let a = 0;
  for (let step = 0; step < 20; step++) {
    const [gradient] = await collective.allReduce(gradientOf(samples, a));
    a -= 0.2 * gradient;
  }
  return a;
}

const uniforms = new Random(4, 'synthetic').uniforms(16, -1, 1);
const SAMPLES = Array.from({ length: 8 }, (_, i) => [uniforms[2 * i], uniforms[2 * i + 1]] as const);

describe('a collective', () => {
  it('of one process gives back what it is given', async () => {
    const values = Float32Array.of(1, -2, Number.NaN);
    expect(await alone.allReduce(values)).toBe(values);
    expect([alone.rank, alone.size]).toEqual([0, 1]);
  });

  it('between gradient and update makes equal parts of a batch train like the whole', async () => {
    const whole = await descend(alone, SAMPLES);
    const parts = await Promise.all(
      together(4).map((member) => descend(member, SAMPLES.slice(2 * member.rank, 2 * member.rank + 2))),
    );
    expect(new Set(parts).size).toBe(1);
    expect(Math.abs(parts[0] - whole)).toBeLessThan(1e-6);
    // A part by itself ends elsewhere.
    expect(Math.abs((await descend(alone, SAMPLES.slice(0, 2))) - whole)).toBeGreaterThan(0.01);
  });
});
