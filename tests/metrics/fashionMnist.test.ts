/**
 * LSD and FWD of real images, Fashion-MNIST, against figures that others worked out. Debian has the images in the package
 * dataset-fashion-mnist; CHLADNI_FASHION_MNIST names another folder. Without them these tests are skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { ringPartition } from '../../src/metrics/signal/bands.ts';
import { type ImageStack, ROUNDING_POWER } from '../../src/metrics/signal/imageStack.ts';
import {
  columnMeans,
  comparableBands,
  logSpectralDistance,
  powerRatiosDb,
} from '../../src/metrics/signal/spectralDistance.ts';
import { bandPowers } from '../../src/metrics/signal/windowedSpectrum.ts';
import { frechetWaveletDistance, packetMoments } from '../../src/metrics/waveletPackets.ts';
import { Random } from '../../src/random.ts';

const folder = process.env.CHLADNI_FASHION_MNIST ?? '/usr/share/datasets/fashion-mnist';
const files = ['train-images-idx3-ubyte.gz', 't10k-images-idx3-ubyte.gz'].map((name) => join(folder, name));
const isThere = files.every((file) => existsSync(file));
if (!isThere) console.log(`Fashion-MNIST is not in ${folder}: LSD and FWD are not checked against published figures`);

const COUNT = 10_000;
const SIDE = 28;

function load(file: string): ImageStack & { pixels: Uint8Array } {
  const bytes = gunzipSync(readFileSync(file));
  const header = [4, 8, 12].map((at) => bytes.readUInt32BE(at));
  expect(header.slice(1)).toEqual([SIDE, SIDE]);
  const pixels = new Uint8Array(bytes.subarray(16, 16 + COUNT * SIDE * SIDE));
  return { count: COUNT, width: SIDE, height: SIDE, channels: 1, pixels };
}

/** 1 2 1 both ways over 16, zeros around, rounded down. */
function blurred(stack: ReturnType<typeof load>) {
  const pixels = stack.pixels.map((_, at) => {
    const [x, y] = [at % SIDE, Math.floor(at / SIDE) % SIDE];
    let sum = 0;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if (x + dx < 0 || y + dy < 0 || x + dx >= SIDE || y + dy >= SIDE) continue;
        sum += (2 - Math.abs(dx)) * (2 - Math.abs(dy)) * stack.pixels[at + dy * SIDE + dx];
      }
    }
    return Math.floor(sum / 16);
  });
  return { ...stack, pixels };
}

/** Brought to 32×32 with zeros. */
function padded({ pixels, ...stack }: ReturnType<typeof load>): ImageStack {
  const larger = new Uint8Array(COUNT * 32 * 32);
  for (let row = 0; row < COUNT * SIDE; row++) {
    const [image, y] = [Math.floor(row / SIDE), row % SIDE];
    larger.set(pixels.subarray(row * SIDE, (row + 1) * SIDE), (image * 32 + y + 2) * 32 + 2);
  }
  return { ...stack, width: 32, height: 32, pixels: larger };
}

describe.skipIf(!isThere)('Fashion-MNIST', () => {
  let train: ReturnType<typeof load>;
  let test: ReturnType<typeof load>;
  beforeAll(() => {
    [train, test] = files.map(load);
  });

  it('has FWDs of 0.00512 between 10,000 training and the test images, and 0.2739 between these and blurred ones', () => {
    // The published figures are of level 2, 16 packets of 64 numbers, on one channel.
    const [a, b, c] = [train, test, blurred(test)].map((stack) => packetMoments(padded(stack), 2));
    expect(frechetWaveletDistance(a, b)).toBeCloseTo(0.00512, 5);
    expect(frechetWaveletDistance(c, b)).toBeCloseTo(0.2739, 4);
  });

  it('has LSDs of 0.078 dB, not 0.072, and 12.9 dB, not 13.2; floors that scatter from split to split', () => {
    const [a, b, c] = [train, test, blurred(test)].map((stack) => bandPowers(stack, [ringPartition(SIDE, SIDE)])[0]);
    const columns = b.bands.length;
    const lsd = (generated: Float64Array, reference: Float64Array) => {
      const pair = { generated, reference };
      const comparable = comparableBands(pair, ROUNDING_POWER);
      return logSpectralDistance(b.bands, powerRatiosDb(pair, ROUNDING_POWER, comparable));
    };
    const [own, other, smooth] = [a, b, c].map(({ powers }) => columnMeans(powers, columns));
    expect(lsd(own, other)).toBeCloseTo(0.0777, 4);
    expect(lsd(smooth, other)).toBeCloseTo(12.89, 2);
    // Published: 0.458 dB between halves of 100 images, 0.107 dB of 1,000. Such are single splits.
    const splits = (images: number) =>
      Array.from({ length: 60 }, (_, split) => {
        const order = new Random(split, 'evaluation').sample(COUNT, 2 * images);
        const half = (first: number) => {
          const rows = Array.from(order.subarray(first, first + images), (image) =>
            b.powers.subarray(image * columns, (image + 1) * columns),
          );
          return columnMeans(Float64Array.from(rows.flatMap((row) => [...row])), columns);
        };
        return lsd(half(0), half(images));
      });
    for (const [images, published, typical] of [
      [100, 0.458, 0.69],
      [1000, 0.107, 0.21],
    ]) {
      const floors = splits(images);
      const rootMeanSquare = Math.sqrt(floors.reduce((sum, floor) => sum + floor ** 2, 0) / floors.length);
      expect(Math.abs(rootMeanSquare / typical - 1)).toBeLessThan(0.15);
      expect(Math.min(...floors)).toBeLessThan(published);
      expect(Math.max(...floors)).toBeGreaterThan(2 * published);
    }
  });
});
