/** The linear model on a periodic grid: closed forms against gradient descent that is really run. */
import { describe, expect, it } from 'vitest';
import {
  descentGain,
  filterResponse,
  filterRisk,
  flowGain,
  gridEigenvalues,
} from '../../../../src/eval/noise/theory/linearFit.ts';
import { bestStoppingSteps, excessRisk, wienerGains, wienerRisk } from '../../../../src/eval/noise/theory/wiener.ts';
import { fft } from '../../../../src/metrics/signal/fft.ts';
import { Random } from '../../../../src/random.ts';

const N = 128;
/** The case that the figures .804, .7456, .345, .300, 7.27, 5.77, 5.87 and 6.04 belong to. */
const amplitudes = Float64Array.from({ length: N / 2 + 1 }, (_, k) => 1 / (1 + k));
const eigenvalues = gridEigenvalues(amplitudes, N);
const rate = 0.9 / N;
const STEPS = 400;
const sigma = 0.3;
const frequency = (mode: number) => Math.min(mode, N - mode);
/** |S_k|² of Σ 1.5/k·cos(2πkx + φ_k), orthonormal DFT. */
const power = Float64Array.from({ length: N }, (_, mode) => {
  const k = frequency(mode);
  return k === 0 ? 0 : (N / 4) * (1.5 / k) ** 2;
});
const bandOf = (k: number) => (k >= 7 && k <= 14 ? 1 : k >= 15 && k <= 30 ? 2 : 0);
const membership = Int32Array.from({ length: N }, (_, mode) => bandOf(frequency(mode)));
const gains = eigenvalues.map((eigenvalue) => descentGain(rate * eigenvalue, STEPS));

/** Plain gradient descent on ½‖Φw − y‖² from zero; nothing here knows of Fourier modes being eigenvectors. */
function descend(y: ArrayLike<number>): Float64Array {
  const features: Float64Array[] = [];
  for (let k = 0; k <= N / 2; k++) {
    const wave = (f: (x: number) => number) =>
      Float64Array.from({ length: N }, (_, n) => amplitudes[k] * f((2 * Math.PI * k * n) / N));
    features.push(wave(Math.cos));
    if (k > 0 && k < N / 2) features.push(wave(Math.sin));
  }
  const weights = new Float64Array(features.length);
  let fit = new Float64Array(N);
  for (let step = 0; step < STEPS; step++) {
    for (const [i, feature] of features.entries()) {
      let gradient = 0;
      for (let n = 0; n < N; n++) gradient += feature[n] * (fit[n] - y[n]);
      weights[i] -= rate * gradient;
    }
    fit = new Float64Array(N);
    for (const [i, feature] of features.entries()) for (let n = 0; n < N; n++) fit[n] += weights[i] * feature[n];
  }
  return fit;
}

describe('the linear model on a periodic grid', () => {
  it('has the published values of T, C and G in bands 7–14 and 15–30', () => {
    const [, low, high] = filterResponse(gains, power, membership, 3);
    expect(low.transfer).toBeCloseTo(0.804, 3);
    expect(low.copy).toBeCloseTo(0.7456, 4);
    expect(low.gain).toBeCloseTo(0.573, 3);
    expect(high.transfer).toBeCloseTo(0.345, 3);
    expect(high.copy).toBeCloseTo(0.3, 3);
  });

  it('has the published risks: of gradient descent, of Wiener, and of the best ridge and the best stopped flow', () => {
    const variance = sigma ** 2;
    const best = (gain: (eigenvalue: number, time: number) => number) =>
      Math.min(
        ...Array.from({ length: 800 }, (_, i) =>
          filterRisk(
            eigenvalues.map((eigenvalue) => gain(eigenvalue, 10 ** (-3 + i / 100))),
            power,
            variance,
          ),
        ),
      );
    const descent = filterRisk(gains, power, variance);
    const flow = best((eigenvalue, time) => flowGain(eigenvalue * time));
    const ridge = best((eigenvalue, time) => (eigenvalue * time) / (1 + eigenvalue * time));
    expect(descent).toBeGreaterThan(7.22);
    expect(descent).toBeLessThan(7.32);
    expect(wienerRisk(power, variance)).toBeCloseTo(5.77, 1);
    expect(ridge).toBeCloseTo(5.87, 1);
    expect(flow).toBeCloseTo(6.04, 1);
    expect(wienerRisk(power, variance)).toBeLessThan(ridge);
    expect(ridge).toBeLessThan(flow);
  });

  it('gives each mode the gain that gradient descent gives it', () => {
    const random = new Random(0, 'synthetic');
    const y = Float64Array.from({ length: N }, () => random.normal());
    const [before, after] = [fft(y), fft(descend(y))];
    for (let k = 0; k < N; k++) {
      expect(after.re[k]).toBeCloseTo(gains[k] * before.re[k], 9);
      expect(after.im[k]).toBeCloseTo(gains[k] * before.im[k], 9);
    }
  });

  it('keeps the digits of small rates, and agrees with the power for large ones', () => {
    expect(descentGain(1e-12, 5)).toBeCloseTo(5e-12, 22);
    expect(descentGain(1, 3)).toBe(1);
    expect(descentGain(1.5, 3)).toBeCloseTo(1 + 0.125, 12);
    expect(descentGain(2.5, 3)).toBeGreaterThan(1);
  });
});

describe('the Wiener filter', () => {
  it('is never beaten by a diagonal filter in expectation, and the excess is exactly Σ(P+σ²)(g−g*)²', () => {
    const random = new Random(1, 'synthetic');
    for (let trial = 0; trial < 200; trial++) {
      const spectrum = Float64Array.from({ length: 20 }, () => 10 ** (4 * random.uniform() - 2));
      const variance = 10 ** (2 * random.uniform() - 1);
      const filter = Float64Array.from({ length: 20 }, () => 2 * random.uniform() - 0.5);
      const risk = filterRisk(filter, spectrum, variance);
      const least = wienerRisk(spectrum, variance);
      expect(risk).toBeGreaterThanOrEqual(least);
      expect(risk - least).toBeCloseTo(excessRisk(filter, spectrum, variance), 8);
      expect(filterRisk(wienerGains(spectrum, variance), spectrum, variance)).toBeCloseTo(least, 8);
    }
  });

  it('is what gradient descent gives a mode that stops at its best step', () => {
    for (const snr of [0.1, 1, 100]) {
      for (const r of [1e-4, 0.1, 0.5]) {
        expect(descentGain(r, bestStoppingSteps(snr, r))).toBeCloseTo(snr / (1 + snr), 10);
      }
    }
    expect((bestStoppingSteps(3, 1e-7) * 1e-7) / Math.log(4)).toBeCloseTo(1, 6);
  });

  it('bounds gradient flow: at t = 1/λ its risk is at most 1.6862 times ridge, mode by mode (Ali et al. 2019)', () => {
    let worst = 0;
    for (let i = -400; i <= 400; i++) {
      for (let j = -40; j <= 40; j++) {
        const [x, snr] = [10 ** (i / 100), 10 ** (j / 10)];
        const risk = (g: number) => (1 - g) ** 2 * snr + g ** 2;
        worst = Math.max(worst, risk(flowGain(x)) / risk(x / (1 + x)));
      }
    }
    expect(worst).toBeLessThan(1.6862);
    expect(worst).toBeGreaterThan(1.68);
  });
});
