import { describe, expect, it } from 'vitest';
import { frechetDistance, gaussianOf, mergeMoments, momentsOf, withoutMoments } from '../../src/metrics/frechet.ts';
import { symmetricEigen } from '../../src/metrics/signal/symmetricEigen.ts';
import {
  debiasedWaveletDistance,
  frechetWaveletDistance,
  haarPackets,
  mergePackets,
  packetCoefficients,
  packetCrop,
  packetFolds,
  packetLevel,
  packetMoments,
  waveletFloor,
} from '../../src/metrics/waveletPackets.ts';
import { Random } from '../../src/random.ts';

const diagonal = (...values: number[]) =>
  Float64Array.from({ length: values.length ** 2 }, (_, i) =>
    i % (values.length + 1) === 0 ? values[i / (values.length + 1)] : 0,
  );

describe('symmetricEigen', () => {
  it.each([1, 2, 3, 7, 30])('decomposes a random matrix of %i rows: A·V = V·Λ, VᵀV = 1', (n) => {
    const random = new Random(n, 'synthetic');
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) matrix[i * n + j] = matrix[j * n + i] = random.normal();
    const { values, vectors } = symmetricEigen(matrix, n);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < n; k++) {
        let [product, overlap] = [0, 0];
        for (let j = 0; j < n; j++) {
          product += matrix[i * n + j] * vectors![j * n + k];
          overlap += vectors![j * n + i] * vectors![j * n + k];
        }
        expect(product).toBeCloseTo(values[k] * vectors![i * n + k], 11);
        expect(overlap).toBeCloseTo(i === k ? 1 : 0, 12);
      }
    }
    const sorted = (list: Float64Array) => [...list].sort((a, b) => a - b);
    sorted(symmetricEigen(matrix, n, false).values).forEach((value, i) => {
      expect(value).toBeCloseTo(sorted(values)[i], 11);
    });
  });

  it("finds the path graph's eigenvalues 2 − 2cos(πk/n), and those of singular and zero matrices", () => {
    const n = 20;
    const path = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      path[i * n + i] = i === 0 || i === n - 1 ? 1 : 2;
      if (i > 0) path[i * n + i - 1] = path[(i - 1) * n + i] = -1;
    }
    const values = [...symmetricEigen(path, n).values].sort((a, b) => a - b);
    values.forEach((value, k) => {
      expect(value).toBeCloseTo(2 - 2 * Math.cos((Math.PI * k) / n), 12);
    });
    expect([...symmetricEigen(new Float64Array(9), 3).values]).toEqual([0, 0, 0]);
    const singular = symmetricEigen([1, 1, 1, 1], 2).values;
    expect(Math.max(...singular)).toBeCloseTo(2, 14);
    expect(Math.min(...singular)).toBeCloseTo(0, 14);
    expect(() => symmetricEigen(new Float64Array(4).fill(Number.NaN), 2)).toThrow('not finite');
  });
});

describe('frechetDistance', () => {
  it('is 13 for means that differ by (1,2) and covariances diag(1,4) and diag(9,16)', () => {
    const a = { mean: Float64Array.of(0, 0), covariance: diagonal(1, 4) };
    const b = { mean: Float64Array.of(1, 2), covariance: diagonal(9, 16) };
    expect(frechetDistance(a, b)).toBeCloseTo(13, 12);
    expect(frechetDistance(b, a)).toBeCloseTo(13, 12);
    expect(frechetDistance(a, a)).toBeCloseTo(0, 12);
  });

  it('is (√a − √b)² summed in a common rotated basis, rank-deficient ones too', () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const rotated = (p: number, q: number) =>
      Float64Array.of(c * c * p + s * s * q, c * s * (p - q), c * s * (p - q), s * s * p + c * c * q);
    const mean = Float64Array.of(0, 0);
    const distance = (p: number, q: number, r: number, t: number) =>
      frechetDistance({ mean, covariance: rotated(p, q) }, { mean, covariance: rotated(r, t) });
    expect(distance(4, 9, 25, 1)).toBeCloseTo(9 + 4, 12);
    expect(distance(4, 0, 25, 0)).toBeCloseTo(9, 7);
  });

  it('takes moments with N−1, for any count', () => {
    const whole = momentsOf([1, 2, 3, 2, 5, 5, 3, 1, 7, 4, 0, 0], 2);
    const { mean, covariance } = gaussianOf(whole);
    expect([...mean].map((value) => value.toFixed(6))).toEqual(['3.166667', '2.333333']);
    const slow = (i: number, j: number) => {
      const rows = [1, 2, 3, 2, 5, 5, 3, 1, 7, 4, 0, 0];
      let sum = 0;
      for (let r = 0; r < 6; r++) sum += (rows[2 * r + i] - mean[i]) * (rows[2 * r + j] - mean[j]);
      return sum / 5;
    };
    [slow(0, 0), slow(0, 1), slow(1, 0), slow(1, 1)].forEach((value, at) => {
      expect(covariance[at]).toBeCloseTo(value, 12);
    });
    expect(() => gaussianOf(momentsOf([1, 2], 2))).toThrow('needs 2 vectors');
  });

  it.each([1, 2, 4])('adds moments of %i vectors to those of others, and takes them away again', (count) => {
    const random = new Random(4, 'synthetic', count);
    const [a, b] = [random.normals(count * 3), random.normals(5 * 3)];
    const close = (one: typeof whole, other: typeof whole) => {
      expect(one.count).toBe(other.count);
      for (const key of ['mean', 'scatter'] as const) {
        one[key].forEach((value, at) => {
          expect(value).toBeCloseTo(other[key][at], 12);
        });
      }
    };
    const whole = momentsOf([...a, ...b], 3);
    close(mergeMoments(momentsOf(a, 3), momentsOf(b, 3)), whole);
    close(withoutMoments(whole, momentsOf(a, 3)), momentsOf(b, 3));
    expect(() => withoutMoments(momentsOf(a, 3), momentsOf(a, 3))).toThrow('leave none');
  });
});

describe('Haar packets', () => {
  it('are the orthonormal transform: each coefficient a signed mean of a block, times its side', () => {
    const [width, height, level] = [8, 12, 2];
    const image = Float64Array.from(new Random(5, 'synthetic').normals(width * height));
    const packets = haarPackets(image.slice(), width, height, level);
    // Along an axis, after two steps: bit 1 of the packet's number is the first step's, bit 0 the second's.
    const sign = (packet: number, offset: number) =>
      (packet & 2 && offset & 1 ? -1 : 1) * (packet & 1 && offset & 2 ? -1 : 1);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [a, b] = [Math.floor(y / 3), Math.floor(x / 2)];
        let sum = 0;
        for (let dy = 0; dy < 4; dy++) {
          for (let dx = 0; dx < 4; dx++) {
            sum += sign(a, dy) * sign(b, dx) * image[(4 * (y % 3) + dy) * width + 4 * (x % 2) + dx];
          }
        }
        expect(packets[y * width + x]).toBeCloseTo(sum / 4, 12);
      }
    }
  });

  it('keep the energy, and gather channels and places of a packet in one vector', () => {
    const pixels = Float64Array.from(new Random(6, 'synthetic').normals(2 * 8 * 8 * 3));
    const packets = packetCoefficients({ count: 2, width: 8, height: 8, pixels }, 1);
    expect(packets.map(({ length }) => length)).toEqual([96, 96, 96, 96]);
    const energy = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value ** 2, 0);
    expect(packets.reduce((sum, rows) => sum + energy(rows), 0) / energy(pixels)).toBeCloseTo(1, 6);
  });

  it('take a level that leaves 4 to 7 coefficients, and the centre where sizes are no multiples', () => {
    expect([8, 28, 31, 32, 64, 100, 256].map((size) => packetLevel(size, size))).toEqual([1, 2, 2, 3, 4, 4, 6]);
    expect(packetCrop(50, 41, 3)).toEqual({ left: 1, top: 0, width: 48, height: 40 });
    expect(() => packetCrop(3, 64, 2)).toThrow('no Haar packets of level 2 in 3x64');
  });
});

describe('frechetWaveletDistance', () => {
  const sets = (count: number, gain: number, channels: number) => {
    const random = new Random(7, 'synthetic', gain > 1 ? 1 : 0);
    const grey = random.normals(count * 64, gain);
    const pixels = new Float64Array(count * 64 * channels).map((_, at) => grey[Math.floor(at / channels)]);
    return packetMoments({ count, width: 8, height: 8, channels, pixels }, 1);
  };

  it('of white noise of standard deviations 1 and 1.5 is d·(0.5)² per packet of d coefficients', () => {
    const distance = frechetWaveletDistance(sets(4000, 1, 1), sets(4000, 1.5, 1));
    expect(Math.abs(distance / (16 * 0.25) - 1)).toBeLessThan(0.03);
  });

  it('takes sets larger than it holds at once for what they are', () => {
    const stack = {
      count: 515,
      width: 8,
      height: 8,
      channels: 1,
      pixels: new Random(9, 'synthetic').normals(515 * 64),
    };
    const whole = packetCoefficients(stack, 1).map((rows) => momentsOf(rows, 16));
    packetMoments(stack, 1).forEach(({ scatter, mean }, packet) => {
      scatter.forEach((value, at) => {
        expect(value).toBeCloseTo(whole[packet].scatter[at], 4);
      });
      mean.forEach((value, at) => {
        expect(value).toBeCloseTo(whole[packet].mean[at], 6);
      });
    });
  });

  it('of grey images repeated to RGB is three times that of the grey ones', () => {
    const grey = frechetWaveletDistance(sets(200, 1, 1), sets(200, 1.5, 1));
    const rgb = frechetWaveletDistance(sets(200, 1, 3), sets(200, 1.5, 3));
    expect(rgb / grey).toBeCloseTo(3, 5);
  });
});

describe('debiasedWaveletDistance', () => {
  /** Of white noise of some standard deviation, which is 16·(1 − deviation)² away from that of 1. */
  const foldsOf = (count: number, deviation: number, step: number, channels = 1, folds = 12) => {
    const pixels = new Random(10, 'synthetic', step).normals(count * 64 * channels, deviation);
    return packetFolds({ count, width: 8, height: 8, channels, pixels }, 1, folds);
  };

  it.each([
    // Images a side, deviation, and how far above the truth the distance itself lies on average, at least.
    [[60, 60], 1.5, 1.8],
    [[100, 60], 1.2, 3],
    [[120, 120], 1, 1],
  ] as const)(
    'covers the true distance of %j images of deviation %d, which FWD itself misses',
    ([n, m], deviation, above) => {
      const truth = 16 * (deviation - 1) ** 2;
      const repetitions = 60;
      let [covered, values, debiased] = [0, 0, 0];
      for (let repetition = 0; repetition < repetitions; repetition++) {
        const [a, b] = [foldsOf(n, deviation, 2 * repetition), foldsOf(m, 1, 2 * repetition + 1)];
        const { value, interval } = debiasedWaveletDistance(a, b);
        const [low, high] = interval;
        expect(low <= value && value <= high).toBe(true);
        debiased += value / repetitions;
        covered += Number(low <= truth && truth <= high);
        const [wholeA, wholeB] = [a, b].map((folds) => folds.reduce(mergePackets));
        values += frechetWaveletDistance(wholeA, wholeB) / repetitions;
      }
      expect(values).toBeGreaterThan(truth === 0 ? above : above * truth);
      expect(covered / repetitions).toBeGreaterThanOrEqual(0.9);
      // What is left of the bias, which cutting at 0 keeps positive where the sets are equal, is a tenth of it or less.
      expect(Math.abs(debiased - truth)).toBeLessThan(0.1 * (values - truth));
    },
  );

  it('is narrower with more images, and sits around the distance where that is large', () => {
    const width = ([low, high]: readonly [number, number]) => high - low;
    const [few, many] = [50, 800].map((n) => debiasedWaveletDistance(foldsOf(n, 1.5, 1), foldsOf(n, 1, 2)).interval);
    expect(width(few) / width(many)).toBeGreaterThan(2);
    const far = [foldsOf(400, 5, 3), foldsOf(400, 1, 4)] as const;
    const [low, high] = debiasedWaveletDistance(...far).interval;
    expect(low).toBeLessThan(16 * 16);
    expect(high).toBeGreaterThan(16 * 16);
  });
});

describe('waveletFloor', () => {
  const stackOf = (count: number, step: number) => ({
    count,
    width: 8,
    height: 8,
    channels: 1,
    pixels: new Random(11, 'synthetic', step).normals(count * 64),
  });

  it('is the mean distance of halves, to within one image, over the splits', () => {
    const stack = stackOf(21, 0);
    const folds = packetFolds(stack, 1, 6);
    expect(folds.map(([{ count }]) => count)).toEqual([4, 4, 4, 3, 3, 3]);
    const { value, splits } = waveletFloor(folds);
    expect(splits).toBe(4);
    const halves = [
      [0, 2, 4],
      [1, 2, 5],
      [0, 3, 5],
      [1, 3, 4],
    ];
    const distances = halves.map((half) => {
      const [one, other] = [true, false].map((side) =>
        folds.filter((_, fold) => half.includes(fold) === side).reduce(mergePackets),
      );
      expect(Math.abs(one[0].count - other[0].count)).toBe(1);
      return frechetWaveletDistance(one, other);
    });
    expect(value).toBeCloseTo(distances.reduce((sum, distance) => sum + distance, 0) / 4, 10);
  });

  it('varies less than the distance of one pair of halves', () => {
    const spread = (values: number[]) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return {
        mean,
        deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length),
      };
    };
    const sets = Array.from({ length: 30 }, (_, i) => packetFolds(stackOf(96, i), 1, 12));
    const floors = spread(sets.map((folds) => waveletFloor(folds).value));
    const single = spread(
      sets.map((folds) =>
        frechetWaveletDistance(folds.slice(0, 6).reduce(mergePackets), folds.slice(6).reduce(mergePackets)),
      ),
    );
    expect(floors.deviation).toBeLessThan(0.7 * single.deviation);
    expect(Math.abs(floors.mean / single.mean - 1)).toBeLessThan(0.1);
  });
});
