import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { parseSize, parseView, parseWindow } from '../../src/render/parseView.ts';

describe('parseSize', () => {
  it('reads WIDTHxHEIGHT and one number for a square', () => {
    expect(parseSize('2048x1024')).toEqual({ width: 2048, height: 1024 });
    expect(parseSize(' 12 X 7 ')).toEqual({ width: 12, height: 7 });
    expect(parseSize('512')).toEqual({ width: 512, height: 512 });
  });

  it.each(['', 'big', '0', '0x5', '5x0', '-4', '1.5x2', '2e3', '3x', '3x4x5', 'NaN', 'Infinity'])(
    'refuses "%s", naming the option and the form',
    (text) => {
      expect(() => parseSize(text)).toThrow(UsageError);
      expect(() => parseSize(text)).toThrow(/^--size ".*" must be WIDTHxHEIGHT/);
    },
  );

  it.each(['1000001', '5x99999999999999999999', `${'9'.repeat(400)}`])('refuses the absurd size %s', (text) => {
    expect(() => parseSize(text, '--resolution')).toThrow(/^--resolution ".*" is too large/);
  });
});

describe('parseWindow', () => {
  it('reads four numbers, off the canvas and in exponent form too', () => {
    expect(parseWindow('0.25,0.25,0.5,0.5')).toEqual([0.25, 0.25, 0.5, 0.5]);
    expect(parseWindow(' -1, -0.5 ,2,1e-3')).toEqual([-1, -0.5, 2, 0.001]);
  });

  it.each(['', '0,0,1', '0,0,1,1,1', '0,0,,1', 'a,0,1,1', 'NaN,0,1,1', '0,0,Infinity,1', '0 0 1 1'])(
    'refuses "%s", naming the option and the form',
    (text) => {
      expect(() => parseWindow(text)).toThrow(UsageError);
      expect(() => parseWindow(text)).toThrow(/^--window ".*" must be x0,y0,x1,y1/);
    },
  );

  it.each(['0,0,0,1', '0,1,1,1', '1,0,0,1', '0,1,1,0'])('refuses "%s", which has no area', (text) => {
    expect(() => parseWindow(text)).toThrow(/no area/);
  });

  it('refuses a window too far out', () => {
    expect(() => parseWindow('0,0,1e9,1')).toThrow(/too far out/);
  });
});

describe('parseView', () => {
  it('is the whole image unless a window is given', () => {
    expect(parseView('64x32')).toEqual({ window: [0, 0, 1, 1], width: 64, height: 32 });
    expect(parseView('8', '0,0,2,2')).toEqual({ window: [0, 0, 2, 2], width: 8, height: 8 });
  });

  it('refuses a window too deep for float64', () => {
    expect(parseView('256', `0.5,0.5,${0.5 + 1e-11},${0.5 + 1e-11}`).width).toBe(256);
    expect(() => parseView('256', `0.5,0.5,${0.5 + 1e-14},0.6`)).toThrow(/too deep/);
  });
});
