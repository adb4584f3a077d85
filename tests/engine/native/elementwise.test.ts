import { describe, expect, it } from 'vitest';
import { BINARY, UNARY } from '../../../src/engine/native/elementwise.ts';
import { Random } from '../../../src/random.ts';
import { slowNormalDistribution } from '../../support/slowModel.ts';
import { addon, instructionSets, isBuilt, relativeError, sameBits, withSettings } from './support.ts';

type UnaryName = (typeof UNARY)[number];

/** Each function in float64, the range to try it on, and the error it may have there, relative to max(1, |value|). */
const FUNCTIONS: Record<UnaryName, { f: (x: number) => number; range: [number, number]; error: number; p?: number[] }> =
  {
    Relu: { f: (x) => Math.max(0, x), range: [-5, 5], error: 0 },
    LeakyRelu: { f: (x) => (x > 0 ? x : Math.fround(x * Math.fround(0.2))), range: [-5, 5], error: 0, p: [0.2, 0] },
    Sigmoid: { f: (x) => 1 / (1 + Math.exp(-x)), range: [-90, 90], error: 3e-7 },
    Tanh: { f: Math.tanh, range: [-12, 12], error: 3e-7 },
    Sin: { f: Math.sin, range: [-8000, 8000], error: 2 ** -22 },
    Cos: { f: Math.cos, range: [-8000, 8000], error: 2 ** -22 },
    Exp: { f: Math.exp, range: [-87, 88], error: 3e-7 },
    Log: { f: Math.log, range: [1e-30, 50], error: 3e-7 },
    Sqrt: { f: Math.sqrt, range: [0, 1e6], error: 1e-7 },
    Rsqrt: { f: (x) => 1 / Math.sqrt(x), range: [1e-3, 1e3], error: 3e-7 },
    Square: { f: (x) => x * x, range: [-9, 9], error: 1e-7 },
    Neg: { f: (x) => -x, range: [-9, 9], error: 0 },
    Abs: { f: Math.abs, range: [-9, 9], error: 0 },
    Step: { f: (x) => (x > 0 ? 1 : 0.25), range: [-9, 9], error: 0, p: [0.25, 0] },
    Reciprocal: { f: (x) => 1 / x, range: [0.01, 9], error: 1e-7 },
    Sign: { f: Math.sign, range: [-9, 9], error: 0 },
    Erf: { f: (x) => 2 * slowNormalDistribution(x * Math.SQRT2) - 1, range: [-3.5, 3.5], error: 5e-7 },
    Softplus: { f: (x) => Math.log1p(Math.exp(x)), range: [-30, 30], error: 3e-7 },
    Elu: { f: (x) => (x >= 0 ? x : Math.expm1(x)), range: [-9, 9], error: 3e-7 },
    Relu6: { f: (x) => Math.min(6, Math.max(0, x)), range: [-9, 9], error: 0 },
    ClipByValue: { f: (x) => Math.min(2, Math.max(-1, x)), range: [-9, 9], error: 0, p: [-1, 2] },
  };

const apply = (name: UnaryName, x: Float32Array): Float32Array => {
  const y = new Float32Array(x.length).fill(Number.NaN);
  const [p0, p1] = FUNCTIONS[name].p ?? [0, 0];
  addon.unary(UNARY.indexOf(name), x, y, p0, p1);
  return y;
};

describe.skipIf(!isBuilt).each(isBuilt ? instructionSets : ['none'])('elementwise kernels on %s', (instructionSet) => {
  const run = <T>(work: () => T) => withSettings({ instructionSet }, work);

  it.each(UNARY)('%s keeps its error bound at any length', (name) => {
    const { f, range, error } = FUNCTIONS[name];
    for (const length of [1, 3, 15, 16, 17, 100, 16_411]) {
      const x = new Random(length, 'synthetic').uniforms(length, ...range);
      const y = run(() => apply(name, x));
      const errors = Float64Array.from(y, (value, i) => Math.abs(value - f(x[i])) / Math.max(1, Math.abs(f(x[i]))));
      expect(Math.max(...errors)).toBeLessThanOrEqual(error);
    }
  });

  it('takes sines of angles of any size', () => {
    const x = Float32Array.of(1e4, -123456.789, 1e8, -3e12, 1e30, 0, -0, 8192, -8192.5);
    const [sine, cosine] = run(() => [apply('Sin', x), apply('Cos', x)]);
    x.forEach((angle, i) => {
      expect(Math.abs(sine[i] - Math.sin(angle))).toBeLessThan(2 ** -22);
      expect(Math.abs(cosine[i] - Math.cos(angle))).toBeLessThan(2 ** -22);
    });
  });

  it('treats infinities and NaN as mathematics does', () => {
    const x = Float32Array.of(Infinity, -Infinity, Number.NaN);
    const expected: Partial<Record<UnaryName, number[]>> = {
      Exp: [Infinity, 0, Number.NaN],
      Log: [Infinity, Number.NaN, Number.NaN],
      Sigmoid: [1, 0, Number.NaN],
      Tanh: [1, -1, Number.NaN],
      Sin: [Number.NaN, Number.NaN, Number.NaN],
      Relu: [Infinity, 0, Number.NaN],
      Sqrt: [Infinity, Number.NaN, Number.NaN],
    };
    for (const [name, values] of Object.entries(expected)) {
      expect([...run(() => apply(name as UnaryName, x))], name).toEqual(values);
    }
    expect([...run(() => apply('Log', Float32Array.of(0, -1)))]).toEqual([-Infinity, Number.NaN]);
    expect([...run(() => apply('Exp', Float32Array.of(88.8, -104)))]).toEqual([Infinity, 0]);
  });

  it('combines two operands along every kind of broadcast', () => {
    const combine: Record<(typeof BINARY)[number], (a: number, b: number) => number> = {
      Add: (a, b) => a + b,
      Sub: (a, b) => a - b,
      Multiply: (a, b) => a * b,
      RealDiv: (a, b) => a / b,
      Maximum: Math.max,
      Minimum: Math.min,
      SquaredDifference: (a, b) => (a - b) ** 2,
      Pow: (a, b) => a ** b,
    };
    const shape = [3, 4, 5, 19];
    // [strides of a, strides of b] over the shape: same, scalar, rows, columns, middle, both repeated.
    const full = [380, 95, 19, 1];
    const cases = [full, [0, 0, 0, 0], [0, 0, 0, 1], [20, 5, 1, 0], [19, 0, 0, 1], [0, 19, 0, 1], [5, 0, 1, 0]];
    const x = new Random(1, 'synthetic').uniforms(1140, 0.5, 2);
    const z = new Random(2, 'synthetic').uniforms(1140, 0.5, 2);
    for (const [op, name] of BINARY.entries()) {
      for (const stridesA of cases) {
        for (const stridesB of [full, ...cases]) {
          const y = new Float32Array(1140).fill(Number.NaN);
          run(() => addon.binary(op, shape, x, stridesA, z, stridesB, y));
          const at = (strides: number[], i: number) =>
            Math.floor(i / 380) * strides[0] +
            (Math.floor(i / 95) % 4) * strides[1] +
            (Math.floor(i / 19) % 5) * strides[2] +
            (i % 19) * strides[3];
          const expected = Float64Array.from(y, (_, i) => combine[name](x[at(stridesA, i)], z[at(stridesB, i)]));
          expect(relativeError(y, expected)).toBeLessThan(3e-7);
        }
      }
    }
  });

  it.each([
    [1, 1, 1],
    [1, 1000, 1],
    [7, 33, 1],
    [3, 50, 7],
    [1, 300_000, 1],
    [2, 9000, 33],
    [1, 700, 5000],
  ])('sums [%i, %i, %i] over the middle to float32 rounding', (outer, reduce, inner) => {
    const x = new Random(3, 'synthetic').uniforms(outer * reduce * inner, -1, 3);
    const y = new Float32Array(outer * inner).fill(Number.NaN);
    run(() => addon.sum(x, y, outer, reduce, inner, 0.5));
    const expected = new Float64Array(outer * inner);
    for (let o = 0; o < outer; o++) {
      for (let r = 0; r < reduce; r++) {
        for (let i = 0; i < inner; i++) expected[o * inner + i] += 0.5 * x[(o * reduce + r) * inner + i];
      }
    }
    expect(relativeError(y, expected)).toBeLessThan(5e-7);
    const other = new Float32Array(outer * inner);
    withSettings({ instructionSet, threads: 1 }, () => addon.sum(x, other, outer, reduce, inner, 0.5));
    expect(sameBits(other, y)).toBe(true);
  });

  it('updates by Adam and averages exactly as written, at any length', () => {
    for (const length of [1, 16, 37, 40_000]) {
      const random = new Random(4, 'synthetic');
      const [p, m, g] = [random.normals(length), random.normals(length, 0.1), random.normals(length, 2)];
      const v = random.uniforms(length, 0, 1);
      const before = [p, m, v].map((array) => Float64Array.from(array));
      run(() => addon.adam(p, m, v, g, 0.01, 0.9, 0.99, 1e-8, 1.25));
      const first = before[1].map((value, i) => 0.9 * value + 0.1 * g[i]);
      const second = before[2].map((value, i) => 0.99 * value + 0.01 * g[i] * g[i]);
      const value = before[0].map((x, i) => x - (0.01 * first[i]) / (Math.sqrt(second[i]) * 1.25 + 1e-8));
      expect(relativeError(p, value)).toBeLessThan(2e-7);
      expect(relativeError(m, first)).toBeLessThan(2e-7);
      expect(relativeError(v, second)).toBeLessThan(2e-7);
      const average = before[0].map((x, i) => 0.75 * x + 0.25 * g[i]);
      const kept = Float32Array.from(before[0]);
      run(() => addon.ema(kept, g, 0.75));
      expect(relativeError(kept, average)).toBeLessThan(2e-7);
    }
  });
});
