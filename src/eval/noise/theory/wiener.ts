/**
 * The oracle Wiener filter: the best that any filter of one gain per mode can do when it knows the signal's power
 * spectrum. What a fit leaves above its risk is the price of not knowing; a nonlinear fit may legitimately beat it.
 */
import type { BandPartition } from '../../../metrics/signal/bands.ts';

/** g*_k = P_k / (P_k + σ²). Zero where neither has energy. */
export function wienerGains(power: ArrayLike<number>, noiseVariance: number): Float64Array {
  return Float64Array.from(power, (p) => (p > 0 ? p / (p + noiseVariance) : 0));
}

/** R* = Σ P σ²/(P+σ²), the expected squared error of that filter. */
export function wienerRisk(power: ArrayLike<number>, noiseVariance: number): number {
  let risk = 0;
  for (let k = 0; k < power.length; k++)
    if (power[k] > 0) risk += (power[k] * noiseVariance) / (power[k] + noiseVariance);
  return risk;
}

/** Σ (P+σ²)(g−g*)²: exactly what the risk of gains g exceeds R* by. */
export function excessRisk(gains: ArrayLike<number>, power: ArrayLike<number>, noiseVariance: number): number {
  const best = wienerGains(power, noiseVariance);
  let excess = 0;
  for (let k = 0; k < power.length; k++) excess += (power[k] + noiseVariance) * (gains[k] - best[k]) ** 2;
  return excess;
}

/**
 * The number of gradient descent steps after which a mode is filtered as Wiener would: from
 * 1 − (1−r)^t = P/(P+σ²), t* = −ln(1+P/σ²) / ln(1−r), r = ηλ < 1. For small r it is ln(1+P/σ²)/r, that of gradient flow.
 */
export function bestStoppingSteps(signalToNoise: number, rate: number): number {
  return -Math.log1p(signalToNoise) / Math.log1p(-rate);
}

/**
 * ρ×: the frequency where noise of variance σ² begins to exceed the signal, in cycles per pixel. White noise has the
 * same power in every mode; a photograph's falls. Log-linear between the centres of rings.
 *
 * @param rings from `ringPartition`.
 * @param power P_k per mode of the orthonormal DFT (mean over channels).
 * @returns NaN where the signal lies above the noise in every ring; the lowest ring's centre where it never does.
 */
export function noiseCrossing(rings: BandPartition, power: ArrayLike<number>, noiseVariance: number): number {
  const mean = bandMeans(rings, power);
  let previous: { centre: number; logPower: number } | undefined;
  for (const [b, band] of rings.bands.entries()) {
    if (band.kind === 'dc') continue;
    const centre = (band.fromCyclesPerPixel + band.toCyclesPerPixel) / 2;
    const logPower = Math.log(mean[b] / noiseVariance);
    if (logPower <= 0) {
      if (!previous || !Number.isFinite(logPower)) return centre;
      return previous.centre + ((centre - previous.centre) * previous.logPower) / (previous.logPower - logPower);
    }
    previous = { centre, logPower };
  }
  return Number.NaN;
}

/** Replaces each mode's power by the mean of its band: what an isotropic filter may know. */
export function bandMeanPower(partition: BandPartition, power: ArrayLike<number>): Float64Array {
  const mean = bandMeans(partition, power);
  return Float64Array.from(partition.membership, (b) => mean[b]);
}

function bandMeans({ bands, membership }: BandPartition, power: ArrayLike<number>): Float64Array {
  const mean = new Float64Array(bands.length);
  for (let k = 0; k < power.length; k++) mean[membership[k]] += power[k] / bands[membership[k]].modes;
  return mean;
}
