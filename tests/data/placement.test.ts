import { describe, expect, it } from 'vitest';
import { fittedSize, place } from '../../src/data/placement.ts';

const square = { width: 64, height: 64 };

describe('place', () => {
  it('crops the middle of a wide and of a tall image', () => {
    const whole = { left: 0, top: 0, width: 64, height: 64 };
    expect(place({ width: 300, height: 100 }, square, 'crop')).toEqual({
      from: { left: 100, top: 0, width: 100, height: 100 },
      to: whole,
    });
    expect(place({ width: 100, height: 133 }, square, 'crop')).toEqual({
      from: { left: 0, top: 16, width: 100, height: 100 },
      to: whole,
    });
  });

  it('pads a wide and a tall image in the middle', () => {
    expect(place({ width: 200, height: 100 }, square, 'pad').to).toEqual({ left: 0, top: 16, width: 64, height: 32 });
    expect(place({ width: 10, height: 40 }, square, 'pad').to).toEqual({ left: 24, top: 0, width: 16, height: 64 });
  });

  it('stretches the whole image over the whole target', () => {
    const { from, to } = place({ width: 7, height: 901 }, { width: 30, height: 20 }, 'stretch');
    expect(from).toEqual({ left: 0, top: 0, width: 7, height: 901 });
    expect(to).toEqual({ left: 0, top: 0, width: 30, height: 20 });
  });

  it('stays within image and target, with at least a pixel of each, for shapes however extreme', () => {
    const lengths = [1, 2, 3, 31, 64, 65, 807, 20_000];
    for (const fit of ['crop', 'pad', 'stretch'] as const) {
      for (const width of lengths) {
        for (const height of lengths) {
          for (const target of [square, { width: 1, height: 1 }, { width: 96, height: 17 }]) {
            const { from, to } = place({ width, height }, target, fit);
            for (const [inner, outer] of [
              [from, { width, height }],
              [to, target],
            ] as const) {
              expect(Math.min(inner.left, inner.top)).toBeGreaterThanOrEqual(0);
              expect(Math.min(inner.width, inner.height)).toBeGreaterThanOrEqual(1);
              expect(inner.left + inner.width).toBeLessThanOrEqual(outer.width);
              expect(inner.top + inner.height).toBeLessThanOrEqual(outer.height);
            }
          }
        }
      }
    }
  });

  it('asks for vector art in pixels of the target', () => {
    for (const fit of ['crop', 'pad', 'stretch'] as const) {
      const { from, to } = place(fittedSize({ width: 32, height: 33 }, square, fit), square, fit);
      expect([from.width, from.height]).toEqual([to.width, to.height]);
    }
  });
});
