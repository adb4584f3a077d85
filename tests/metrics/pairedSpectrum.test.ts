import { describe, expect, it } from 'vitest';
import { type BandFidelity, PairedSpectrum, pairedEvaluation } from '../../src/metrics/pairedSpectrum.ts';
import { octavePartition, ringPartition } from '../../src/metrics/signal/bands.ts';
import { Random } from '../../src/random.ts';

function normals(length: number, step: number, standardDeviation = 1): Float64Array {
  return Float64Array.from(new Random(3, 'synthetic', step).normals(length, standardDeviation));
}

function cosine(width: number, height: number, kx: number, ky: number, amplitude: number): Float64Array {
  return Float64Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return amplitude * Math.cos(2 * Math.PI * ((kx * x) / width + (ky * y) / height) + 0.3);
  });
}

function spectrumOf(pairs: [ArrayLike<number>, ArrayLike<number>][], width: number, height: number, channels = 1) {
  const spectrum = new PairedSpectrum(width, height, channels);
  for (const [reference, estimate] of pairs) spectrum.add(reference, estimate);
  return spectrum;
}

const withName = (bands: BandFidelity[], name: string) => bands.find((band) => band.name === name)!;
const sumOfMse = (bands: BandFidelity[]) => bands.reduce((sum, band) => sum + band.mse, 0);

describe('PairedSpectrum', () => {
  it.each([
    [64, 64, 3, 4, '5-6'],
    [48, 31, 0, 7, '7-8'],
    [50, 40, 10, 0, '8-9'],
    [32, 32, 16, 0, '15-16'],
    [32, 32, 12, 12, 'corner'],
  ])(
    'finds a cosine of a %ix%i image with %i and %i cycles in ring %s, with energy a²/2',
    (width, height, kx, ky, name) => {
      const image = cosine(width, height, kx, ky, 0.4);
      const rings = spectrumOf([[image, new Float64Array(width * height)]], width, height).fidelity(
        ringPartition(width, height),
      );
      // At Nyquist the samples are ±a·cos φ.
      const energy = 2 * kx === width ? (0.4 * Math.cos(0.3)) ** 2 : 0.4 ** 2 / 2;
      expect(withName(rings, name).energy).toBeCloseTo(energy, 14);
      expect(withName(rings, name)).toMatchObject({ fvu: 1, snrDb: -0, transfer: 0, powerRatio: 0 });
      for (const ring of rings.filter((ring) => ring.name !== name)) {
        expect(ring.energy).toBeLessThan(1e-28);
        expect(ring.fvu).toBeNaN();
        expect(ring.snrDb).toBeNaN();
      }
    },
  );

  it('reports a gain g as T = g, A = g², FRC = 1 and FVU = (1−g)²', () => {
    const image = normals(30 * 42 * 3, 0);
    const rings = spectrumOf([[image, image.map((value) => 0.7 * value)]], 30, 42, 3).fidelity(ringPartition(30, 42));
    for (const ring of rings) {
      expect(ring.transfer).toBeCloseTo(0.7, 12);
      expect(ring.powerRatio).toBeCloseTo(0.49, 12);
      expect(ring.frc).toBeCloseTo(1, 12);
      expect(ring.fvu).toBeCloseTo(0.09, 12);
      expect(ring.snrDb).toBeCloseTo(-20 * Math.log10(0.3), 10);
    }
  });

  it('adds up to the MSE over bands, whatever the partition, and is built image by image', () => {
    const [width, height] = [27, 20];
    const spectrum = new PairedSpectrum(width, height);
    const mses = Array.from({ length: 4 }, (_, i) =>
      spectrum.add(normals(width * height * 3, 2 * i, 0.3), normals(width * height * 3, 2 * i + 1, 0.2)),
    );
    const mse = mses.reduce((sum, value) => sum + value) / mses.length;
    for (const partition of [ringPartition(width, height), octavePartition(width, height)]) {
      expect(Math.abs(sumOfMse(spectrum.fidelity(partition)) / mse - 1)).toBeLessThan(1e-12);
    }
    expect(spectrum.mses).toEqual(mses);
  });

  it('satisfies FVU = (1−T)² + A(1−FRC²) in every band to 1e-10', () => {
    for (let draw = 0; draw < 20; draw++) {
      const random = new Random(5, 'synthetic', draw);
      const [width, height] = [8 + random.integer(40), 8 + random.integer(40)];
      const [gain, noise] = [2 * random.uniform(), 10 ** (-4 + 5 * random.uniform())];
      const reference = random.normals(width * height);
      const disturbance = random.normals(width * height, noise);
      const estimate = reference.map((value, i) => gain * value + disturbance[i]);
      for (const band of spectrumOf([[reference, estimate]], width, height).fidelity(ringPartition(width, height))) {
        const decomposed = (1 - band.transfer) ** 2 + band.powerRatio * (1 - band.frc ** 2);
        expect(Math.abs(band.fvu - decomposed)).toBeLessThan(1e-10 * Math.max(1, band.powerRatio));
      }
    }
  });

  it('measures white noise of variance σ² added independently: MSE σ² per mode, FVU σ²/P, T = 1, A = 1 + σ²/P', () => {
    const [size, sigma, images] = [32, 0.5, 60];
    const pairs = Array.from({ length: images }, (_, i): [Float64Array, Float64Array] => {
      const reference = normals(size * size, 2 * i);
      const noise = normals(size * size, 2 * i + 1, sigma);
      return [reference, reference.map((value, k) => value + noise[k])];
    });
    const octaves = spectrumOf(pairs, size, size).fidelity(octavePartition(size, size));
    for (const octave of octaves.filter((octave) => octave.kind === 'octave')) {
      // Relative standard deviation of a band's power is √(2/(modes·images)), the pairing ±k counted.
      const tolerance = 4 * Math.sqrt(2 / (octave.modes * images));
      expect(Math.abs((octave.mse * size * size) / octave.modes / sigma ** 2 - 1)).toBeLessThan(tolerance);
      expect(Math.abs(octave.fvu / sigma ** 2 - 1)).toBeLessThan(2 * tolerance);
      expect(Math.abs(octave.transfer - 1)).toBeLessThan(tolerance);
      expect(Math.abs(octave.powerRatio - 1 - sigma ** 2)).toBeLessThan(2 * tolerance);
      expect(Math.abs(octave.frc - 1 / Math.sqrt(1 + sigma ** 2))).toBeLessThan(tolerance);
    }
  });

  it("finds a periodic Gaussian blur's analytic transfer function in each ring", () => {
    const [width, height, sigma] = [36, 24, 0.8];
    const wraps = [-4, -3, -2, -1, 0, 1, 2, 3, 4];
    // A sampled Gaussian wrapped around n pixels, and its DFT: the Gaussian of the frequency, with aliases (Poisson).
    const kernel = (d: number, n: number) =>
      wraps.reduce((sum, w) => sum + Math.exp(-((d + w * n) ** 2) / (2 * sigma ** 2)), 0) /
      (sigma * Math.sqrt(2 * Math.PI));
    const gainAt = (k: number, n: number) =>
      wraps.reduce((sum, w) => sum + Math.exp(-2 * (Math.PI * sigma * (k / n + w)) ** 2), 0);
    const image = normals(width * height, 1);
    const rowsBlurred = image.map((_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      let sum = 0;
      for (let from = 0; from < width; from++) sum += kernel(x - from, width) * image[y * width + from];
      return sum;
    });
    const blurred = image.map((_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      let sum = 0;
      for (let from = 0; from < height; from++) sum += kernel(y - from, height) * rowsBlurred[from * width + x];
      return sum;
    });
    const spectrum = spectrumOf([[image, blurred]], width, height);
    const partition = ringPartition(width, height);
    const [gain, power] = [new Float64Array(partition.bands.length), new Float64Array(partition.bands.length)];
    partition.membership.forEach((b, k) => {
      const [kx, ky] = [k % width, Math.floor(k / width)];
      const transfer = gainAt(kx, width) * gainAt(ky, height);
      gain[b] += transfer * spectrum.energies.reference[k];
      power[b] += spectrum.energies.reference[k];
    });
    spectrum.fidelity(partition).forEach((ring, b) => {
      expect(ring.transfer).toBeCloseTo(gain[b] / power[b], 12);
    });
  });

  it('has infinite SNR and no error where images are identical, and keeps the digits of a tiny error', () => {
    const image = normals(16 * 16, 2);
    const partition = octavePartition(16, 16);
    for (const band of spectrumOf([[image, image]], 16, 16).fidelity(partition)) {
      expect(band).toMatchObject({ mse: 0, fvu: 0, snrDb: Number.POSITIVE_INFINITY, transfer: 1, powerRatio: 1 });
    }
    const tiny = cosine(16, 16, 5, 0, 2 ** -40);
    const [off, exact] = spectrumOf([[image, image.map((value, i) => value + tiny[i])]], 16, 16)
      .fidelity(partition)
      .reduce((sums, band) => (band.name === '4-8' ? [band.mse, sums[1]] : [sums[0], sums[1] + band.mse]), [0, 0]);
    expect(off / (2 ** -80 / 2)).toBeCloseTo(1, 2);
    expect(exact / off).toBeLessThan(1e-4);
  });

  it('has no FRC where the estimate is flat, and T = 0', () => {
    const spectrum = spectrumOf([[normals(24 * 24, 4, 0.2), new Float64Array(24 * 24).fill(0.37)]], 24, 24);
    for (const band of spectrum.fidelity(ringPartition(24, 24)).slice(1)) {
      expect(band.frc).toBeNaN();
      expect(band.transfer).toBeCloseTo(0, 12);
      expect(band.fvu).toBeCloseTo(1, 12);
    }
  });

  it('refuses sizes that differ, values that are not finite, and an empty collection', () => {
    const spectrum = new PairedSpectrum(4, 4);
    expect(() => spectrum.add(new Float64Array(48), new Float64Array(16))).toThrow(
      '4x4x3 needs 48 values, got 48 and 16',
    );
    expect(() => spectrum.add(new Float64Array(48), new Float64Array(48).fill(Number.NaN))).toThrow(
      'image pair 0: values are not all finite',
    );
    expect(() => spectrum.fidelity(ringPartition(4, 4))).toThrow('no image pair');
    expect(() => spectrum.fidelity(ringPartition(4, 5))).toThrow('bands of 4x5');
    expect(spectrum.energies.reference.every((value) => value === 0)).toBe(true);
  });
});

describe('pairedEvaluation', () => {
  it('names its numbers by prefix and band, with bands and rings that carry edges and modes', () => {
    const image = normals(16 * 16 * 3, 5);
    const spectrum = spectrumOf([[image, image.map((value) => value / 2)]], 16, 16, 3);
    const { metrics, bands, rings, protocol } = pairedEvaluation(spectrum, 'reconstruction_1x', 'float');
    expect(metrics.reconstruction_1x_mse_n1).toBeCloseTo(spectrum.mses[0], 15);
    expect(metrics['reconstruction_1x_transfer_4-8_n1']).toBeCloseTo(0.5, 12);
    expect(metrics['reconstruction_1x_power_ratio_4-8_n1']).toBeCloseTo(0.25, 12);
    expect(metrics['reconstruction_1x_frc_4-8_n1']).toBeCloseTo(1, 12);
    expect(metrics['reconstruction_1x_fvu_4-8_n1']).toBeCloseTo(0.25, 12);
    expect(metrics.reconstruction_1x_snr_corner_n1_db).toBeCloseTo(20 * Math.log10(2), 10);
    expect(bands?.find((band) => band.name === '4-8')).toMatchObject({
      fromCyclesPerPixel: 0.25,
      toCyclesPerPixel: 0.5,
      modes: expect.any(Number),
    });
    expect(rings).toHaveLength(9);
    expect(protocol).toContain('1 images of 16x16x3');
  });
});
