/**
 * What a fixed kernel does to signal and noise when gradient descent fits with it, without periodicity:
 *   f_t = f_0 + H(y − f_0),  H = I − (I − ηK)^t,
 *   C_b = tr(Π_b H)/n_b,  G_b = tr(Π_b H Hᵀ)/n_b,  T_b = Re⟨Π_b s, f_0 + H(s − f_0)⟩ / ‖Π_b s‖²,
 * Π_b the projection on a band's Fourier modes. One eigendecomposition of K serves every t.
 */
import type { BandPartition } from '../../../metrics/signal/bands.ts';
import { fft2 } from '../../../metrics/signal/fft.ts';
import { leastEnergies } from '../../../metrics/signal/leastEnergy.ts';
import { symmetricEigen } from '../../../metrics/signal/symmetricEigen.ts';
import type { FilterResponse } from './linearFit.ts';

type Partition = Pick<BandPartition, 'width' | 'height' | 'membership'> & { bands: readonly unknown[] };

export interface KernelPrediction {
  /** Eigenvalues of K, in no order. */
  eigenvalues: Float64Array;
  /** Per band, for a gain 1 − (1−ηλ)^t (or any other function of λ). */
  response(gain: (eigenvalue: number) => number): FilterResponse[];
}

/**
 * @param kernel [N,N] over the pixels of the partition's image, row by row.
 * @param signal planes s, one per channel, [N] each; all channels share K.
 * @param options.initial planes f_0 of the untrained field; zero where left out.
 * @param options.rounding of the signal, as power in each mode of the orthonormal DFT.
 */
export function predictFromKernel(
  kernel: ArrayLike<number>,
  partition: Partition,
  signal: readonly ArrayLike<number>[],
  { initial, rounding = 0 }: { initial?: readonly ArrayLike<number>[]; rounding?: number } = {},
): KernelPrediction {
  const { width, height, membership, bands } = partition;
  const pixels = width * height;
  const { values, vectors = new Float64Array() } = symmetricEigen(kernel, pixels);
  const modes = new Float64Array(bands.length);
  for (const band of membership) modes[band]++;
  const spectra = signal.map((plane) => fft2(plane, width, height));
  const energy = new Float64Array(bands.length);
  /** Re⟨Π_b s, f_0⟩ */
  const start = new Float64Array(bands.length);
  signal.forEach((_, channel) => {
    const s = spectra[channel];
    const f = initial && fft2(initial[channel], width, height);
    for (let k = 0; k < pixels; k++) {
      energy[membership[k]] += s.re[k] ** 2 + s.im[k] ** 2;
      if (f) start[membership[k]] += s.re[k] * f.re[k] + s.im[k] * f.im[k];
    }
  });
  const least = leastEnergies(
    energy,
    modes.map((count) => count * signal.length),
    rounding * pixels,
  );
  /** ‖Π_b v‖² and ⟨v, s−f_0⟩·Re⟨Π_b s, v⟩ of each eigenvector, [n,bands]. */
  const share = new Float64Array(pixels * bands.length);
  const passed = new Float64Array(pixels * bands.length);
  for (let i = 0; i < pixels; i++) {
    const vector = Float64Array.from({ length: pixels }, (_, p) => vectors[p * pixels + i]);
    const v = fft2(vector, width, height);
    const row = i * bands.length;
    for (let k = 0; k < pixels; k++) share[row + membership[k]] += (v.re[k] ** 2 + v.im[k] ** 2) / pixels;
    signal.forEach((plane, channel) => {
      let coefficient = 0;
      for (let p = 0; p < pixels; p++) coefficient += vector[p] * (plane[p] - (initial ? initial[channel][p] : 0));
      const s = spectra[channel];
      for (let k = 0; k < pixels; k++) {
        passed[row + membership[k]] += coefficient * (s.re[k] * v.re[k] + s.im[k] * v.im[k]);
      }
    });
  }
  const response = (gain: (eigenvalue: number) => number): FilterResponse[] => {
    const gains = values.map(gain);
    return bands.map((_, b) => {
      let [transfer, copy, squares] = [start[b], 0, 0];
      for (let i = 0, at = b; i < pixels; i++, at += bands.length) {
        transfer += gains[i] * passed[at];
        copy += gains[i] * share[at];
        squares += gains[i] ** 2 * share[at];
      }
      const known = energy[b] > least[b];
      return { transfer: known ? transfer / energy[b] : Number.NaN, copy: copy / modes[b], gain: squares / modes[b] };
    });
  };
  return { eigenvalues: values, response };
}
