import { describe, expect, it } from 'vitest';
import { Random } from '../../src/random.ts';
import { interpolateLatents, slerp } from '../../src/render/interpolation.ts';
import { largestDifference } from './randomField.ts';

const random = new Random(3, 'latents');
const latents = Array.from({ length: 3 }, () => random.normals(5));

function frame(path: Float32Array, index: number, size = 5): Float32Array {
  return path.subarray(index * size, (index + 1) * size);
}

const angleBetween = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  const dot = (u: ArrayLike<number>, v: ArrayLike<number>) => Array.from(u).reduce((sum, x, i) => sum + x * v[i], 0);
  return Math.acos(Math.min(1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))));
};

describe('interpolateLatents', () => {
  it.each(['linear', 'spherical'] as const)('passes through every latent of an open path (%s)', (kind) => {
    const path = interpolateLatents(latents, { frames: 9, kind });
    expect(path.length).toBe(9 * 5);
    latents.forEach((latent, i) => {
      expect(largestDifference(frame(path, 4 * i), latent)).toBeLessThan(1e-6);
    });
  });

  it.each(['linear', 'spherical'] as const)('closes a loop without repeating its first frame (%s)', (kind) => {
    const path = interpolateLatents(latents, { frames: 12, closed: true, kind });
    latents.forEach((latent, i) => {
      expect(largestDifference(frame(path, 4 * i), latent)).toBeLessThan(1e-6);
    });
    const again = interpolateLatents([latents[2], latents[0]], { frames: 5, kind });
    for (let i = 0; i < 4; i++) {
      expect(largestDifference(frame(path, 8 + i), frame(again, i))).toBeLessThan(1e-6);
    }
  });

  it('takes equal steps along a straight line', () => {
    const path = interpolateLatents([Float32Array.of(0, 10), Float32Array.of(4, 2)], { frames: 5 });
    expect([...path]).toEqual([0, 10, 1, 8, 2, 6, 3, 4, 4, 2]);
  });

  it('stays at a single latent, open or closed, and gives one frame where one is asked for', () => {
    for (const closed of [false, true]) {
      for (const kind of ['linear', 'spherical'] as const) {
        const path = interpolateLatents([latents[0]], { frames: 3, closed, kind });
        for (let i = 0; i < 3; i++) expect(largestDifference(frame(path, i), latents[0])).toBeLessThan(1e-6);
      }
    }
    expect(interpolateLatents(latents, { frames: 1 })).toEqual(latents[0]);
  });

  it('refuses no latents, no frames and latents of different sizes', () => {
    expect(() => interpolateLatents([], { frames: 3 })).toThrow('at least one latent');
    expect(() => interpolateLatents(latents, { frames: 0 })).toThrow('frames');
    expect(() => interpolateLatents([new Float32Array(2), new Float32Array(3)], { frames: 3 })).toThrow('differ');
  });
});

describe('slerp', () => {
  it('equals sin((1−t)Ω)/sinΩ·a + sin(tΩ)/sinΩ·b for vectors of equal length', () => {
    const [a, b] = latents.map((latent) => {
      const length = Math.hypot(...latent);
      return latent.map((x) => (2 * x) / length);
    });
    const omega = angleBetween(a, b);
    for (const t of [0, 0.3, 0.5, 0.9, 1]) {
      const expected = Array.from(a, (x, i) => {
        return (Math.sin((1 - t) * omega) * x + Math.sin(t * omega) * b[i]) / Math.sin(omega);
      });
      expect(largestDifference(slerp(a, b, t), expected)).toBeLessThan(1e-6);
    }
  });

  it('turns at a constant rate while the length goes linearly', () => {
    const [a, b] = [Float32Array.of(3, 0, 0), Float32Array.of(0, 0, 1)];
    expect(largestDifference(slerp(a, b, 1 / 3), [(7 / 3) * Math.cos(Math.PI / 6), 0, (7 / 3) * 0.5])).toBeLessThan(
      1e-6,
    );
  });

  it('goes round a half circle between opposite vectors', () => {
    const a = latents[0];
    const b = a.map((x) => -x);
    const middle = slerp(a, b, 0.5);
    expect(Math.hypot(...middle)).toBeCloseTo(Math.hypot(...a), 5);
    expect(angleBetween(a, middle)).toBeCloseTo(Math.PI / 2, 5);
    expect(largestDifference(slerp(a, b, 1), b)).toBeLessThan(1e-6);
  });

  it('is linear where there is no direction to turn in', () => {
    expect([...slerp(Float32Array.of(0, 0), Float32Array.of(2, 4), 0.5)]).toEqual([1, 2]);
    expect([...slerp(Float32Array.of(1), Float32Array.of(-1), 0.25)]).toEqual([0.5]);
    expect(largestDifference(slerp(Float32Array.of(1, 2), Float32Array.of(2, 4), 0.5), [1.5, 3])).toBeLessThan(1e-6);
  });
});
