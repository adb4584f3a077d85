/** Activations in WGSL, on vectors of four (src/ops/fieldReference.ts has the formulas and their sources). */
import { LEAKY_SLOPE } from '../../ops/fieldReference.ts';
import type { Activation, FieldSpec } from '../../ops/fieldSpec.ts';

/** A number as a WGSL literal. */
export const literal = (value: number) => (Number.isInteger(value) ? `${value}.0` : `${Math.fround(value)}`);

/** Whether the derivative can be told from the activation itself: no need to keep it, then. */
export const isPiecewiseLinear = (activation: Activation) => activation === 'relu' || activation === 'leakyRelu';

/**
 * Sine and cosine to 2e-7, by the minimax polynomials of S. Moshier's Cephes on ±π/2: WGSL bounds the error of its own
 * only on ±π, and there by 2⁻¹¹. The argument less n·π, in three parts (Cody & Waite 1980) whose products with n are
 * exact to n ≈ 10⁴: fma is not fused on every driver.
 */
export const SINE = `
struct Turned { angle: vec4f, sign: vec4f }
fn turned(x: vec4f) -> Turned {
  let n = round(x * 0.31830987);
  let angle = x - n * 3.140625 - n * 9.67502593994140625e-4 - n * 1.509957990978376432e-7;
  return Turned(angle, 1.0 - 2.0 * fract(0.5 * n) * 2.0);
}
fn sine(x: vec4f) -> vec4f {
  let t = turned(x);
  let s = t.angle * t.angle;
  let p = fma(fma(fma(fma(s, vec4f(2.6083159e-6), vec4f(-1.9810665e-4)), s, vec4f(8.3330580e-3)), s, vec4f(-0.16666658)), s, vec4f(0.0));
  return t.sign * fma(t.angle, p, t.angle);
}
fn cosine(x: vec4f) -> vec4f {
  let t = turned(x);
  let s = t.angle * t.angle;
  let p = fma(fma(fma(fma(s, vec4f(-2.6051615e-7), vec4f(2.4760495e-5)), s, vec4f(-1.3888378e-3)), s, vec4f(4.1666638e-2)), s, vec4f(-0.5));
  return t.sign * fma(p, s, vec4f(1.0));
}`;

/** Φ by Abramowitz & Stegun 7.1.26, as the reference has it. */
const NORMAL = `
fn normal(z: vec4f) -> vec4f {
  let t = 1.0 / (abs(z) * ${literal(0.3275911 * Math.SQRT1_2)} + 1.0);
  let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let tail = p * exp(-0.5 * z * z) * 0.5;
  return select(tail, 1.0 - tail, z >= vec4f(0.0));
}`;

const FORMULAS: Record<Activation, { helpers: string; value: string; derivative: string }> = {
  // Not max(z, 0), which loses what is not a number: a model that has diverged must show it.
  relu: {
    helpers: '',
    value: 'select(z, vec4f(0.0), z < vec4f(0.0))',
    derivative: 'select(vec4f(0.0), vec4f(1.0), z > vec4f(0.0))',
  },
  leakyRelu: {
    helpers: '',
    value: `select(z, ${LEAKY_SLOPE} * z, z < vec4f(0.0))`,
    derivative: `select(vec4f(${LEAKY_SLOPE}), vec4f(1.0), z > vec4f(0.0))`,
  },
  gelu: {
    helpers: NORMAL,
    value: 'z * normal(z)',
    derivative: `normal(z) + z * exp(-0.5 * z * z) * ${literal(1 / Math.sqrt(2 * Math.PI))}`,
  },
  sine: { helpers: SINE, value: 'sine(OMEGA * z)', derivative: 'OMEGA * cosine(OMEGA * z)' },
  finer: {
    helpers: SINE,
    value: 'sine(OMEGA * (abs(z) + 1.0) * z)',
    derivative: 'OMEGA * (2.0 * abs(z) + 1.0) * cosine(OMEGA * (abs(z) + 1.0) * z)',
  },
  gaussian: {
    helpers: '',
    value: 'exp(-0.5 * OMEGA * OMEGA * z * z)',
    derivative: '-OMEGA * OMEGA * z * exp(-0.5 * OMEGA * OMEGA * z * z)',
  },
};

/**
 * Functions `activate(z)`, `derivative(z)`, and, where the activation is piecewise linear, `derivativeOf(a)` of the
 * activation; `squash(y)` for the output and `squashDerivative(y)` of the squashed output.
 */
export function activationFunctions({ activation, omega, output }: FieldSpec): string {
  const { helpers, value, derivative } = FORMULAS[activation];
  const sigmoid = output === 'sigmoid';
  return `
const OMEGA = ${literal(omega)};
${helpers}
fn activate(z: vec4f) -> vec4f { return ${value}; }
fn derivative(z: vec4f) -> vec4f { return ${derivative}; }
fn squash(y: vec4f) -> vec4f {
  ${sigmoid ? 'return select(1.0 / (1.0 + exp(-y)), y, (bitcast<vec4u>(y) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u)); // NaN stays NaN' : 'return y;'}
}
fn squashDerivative(y: vec4f) -> vec4f { return ${sigmoid ? 'y * (1.0 - y)' : 'vec4f(1.0)'}; }`;
}
