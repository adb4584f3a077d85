import { describe, expect, it } from 'vitest';
import { cubicKernel, enlarge } from '../../src/data/enlarge.ts';
import { Random } from '../../src/random.ts';

const random = new Random(3, 'synthetic');
const noise = (width: number, height: number) =>
  Uint8Array.from({ length: width * height * 3 }, () => random.integer(256));

describe('enlarge', () => {
  it('equals the two-dimensional definition', () => {
    const [from, to] = [
      { width: 5, height: 4 },
      { width: 12, height: 7 },
    ];
    const pixels = noise(from.width, from.height);
    const enlarged = enlarge(pixels, from, to);
    for (let y = 0; y < to.height; y++) {
      for (let x = 0; x < to.width; x++) {
        const u = ((x + 0.5) / to.width) * from.width - 0.5;
        const v = ((y + 0.5) / to.height) * from.height - 0.5;
        let sum = 0;
        for (let j = -4; j < from.height + 4; j++) {
          for (let i = -4; i < from.width + 4; i++) {
            const column = Math.min(from.width - 1, Math.max(0, i));
            const row = Math.min(from.height - 1, Math.max(0, j));
            sum += cubicKernel(u - i) * cubicKernel(v - j) * pixels[(row * from.width + column) * 3];
          }
        }
        const expected = Math.min(255, Math.max(0, sum));
        expect(Math.abs(enlarged[(y * to.width + x) * 3] - expected)).toBeLessThanOrEqual(0.501);
      }
    }
  });

  it('has a kernel that is 1 at 0, 0 at other whole numbers, and sums to 1 anywhere', () => {
    expect([0, 1, 2, 3].map(cubicKernel)).toEqual([1, 0, 0, 0]);
    for (const offset of [0.1, 0.5, 0.77]) {
      const sum = [-2, -1, 0, 1, 2].reduce((total, k) => total + cubicKernel(k - offset), 0);
      expect(sum).toBeCloseTo(1, 12);
    }
  });

  it('keeps pixels where they are at odd multiples, and everything at the same size', () => {
    const size = { width: 6, height: 5 };
    const pixels = noise(size.width, size.height);
    expect(enlarge(pixels, size, { ...size })).toBe(pixels);
    const tripled = enlarge(pixels, size, { width: 18, height: 15 });
    for (let y = 0; y < 5; y++) {
      for (let x = 0; x < 6; x++) {
        const centre = ((3 * y + 1) * 18 + 3 * x + 1) * 3;
        expect(tripled[centre + 1]).toBe(pixels[(y * 6 + x) * 3 + 1]);
      }
    }
  });
});
