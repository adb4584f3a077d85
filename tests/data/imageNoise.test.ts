import { describe, expect, it } from 'vitest';
import { gatherTargets } from '../../src/data/batches.ts';
import { addImageNoise, noiseOfImage, noiseOfImages } from '../../src/data/imageNoise.ts';

const set = { count: 3, width: 5, height: 4, pixels: new Uint8Array(3 * 5 * 4 * 3).map((_, i) => (i * 37) % 256) };
const length = 5 * 4 * 3;

describe('noise on training images', () => {
  it('is a function of seed and image, whatever the number of images', () => {
    const all = noiseOfImages(4, 0.2, set);
    for (let image = 0; image < 3; image++) {
      expect(all.slice(image * length, (image + 1) * length)).toEqual(noiseOfImage(4, image, 0.2, length));
    }
    expect(noiseOfImage(4, 0, 0.2, length)).not.toEqual(noiseOfImage(5, 0, 0.2, length));
    expect(noiseOfImage(4, 0, 0.2, length)).not.toEqual(noiseOfImage(4, 1, 0.2, length));
    const long = noiseOfImage(4, 0, 0.2, 20000);
    expect(Math.sqrt(long.reduce((sum, value) => sum + value ** 2, 0) / long.length)).toBeCloseTo(0.2, 2);
  });

  it('lands on the pixels it belongs to, in whatever order a step takes them', () => {
    const noise = noiseOfImages(1, 0.1, set);
    const [images, points] = [Int32Array.of(2, 0), Int32Array.of(19, 3, 0)];
    const clean = gatherTargets(set, images, points);
    const noisy = clean.slice();
    addImageNoise(noisy, noise, images, points, set);
    let at = 0;
    for (const image of images) {
      for (const point of points) {
        for (let channel = 0; channel < 3; channel++, at++) {
          expect(noisy[at] - clean[at]).toBeCloseTo(noise[(image * 20 + point) * 3 + channel], 6);
        }
      }
    }
  });
});
