import { expect, it } from 'vitest';
import { areaReduce } from '../../src/data/areaReduce.ts';
import { Random } from '../../src/random.ts';

function randomSet(width: number, height: number) {
  const count = 3;
  const pixels = Uint8Array.from(new Random(1, 'synthetic').uniforms(count * width * height * 3, 0, 256));
  return { width, height, pixels };
}

it('averages over areas, parts of pixels included', () => {
  const set = randomSet(10, 7);
  const [width, height] = [4, 3];
  const reduced = areaReduce(set, [2, 0], { width, height });
  // The mean over a grid that every edge of a small pixel falls on: 10 = 4·2.5 columns, 7 = 3·(7/3) rows.
  const fine = { x: 20, y: 21 };
  [2, 0].forEach((image, i) => {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        for (let channel = 0; channel < 3; channel++) {
          let sum = 0;
          for (let y = 0; y < fine.y / height; y++) {
            for (let x = 0; x < fine.x / width; x++) {
              const [sx, sy] = [(column * fine.x) / width + x, (row * fine.y) / height + y];
              const [px, py] = [Math.floor((sx * 10) / fine.x), Math.floor((sy * 7) / fine.y)];
              sum += set.pixels[((image * 7 + py) * 10 + px) * 3 + channel] / 255;
            }
          }
          const expected = sum / ((fine.x / width) * (fine.y / height));
          expect(reduced[((i * height + row) * width + column) * 3 + channel]).toBeCloseTo(expected, 6);
        }
      }
    }
  });
});

it('leaves images of the wanted size as they are, and enlarges none', () => {
  const set = randomSet(5, 4);
  expect(areaReduce(set, [0, 1, 2], { width: 5, height: 4 })).toEqual(
    Float32Array.from(set.pixels, (value) => value / 255),
  );
  expect(() => areaReduce(set, [0], { width: 6, height: 4 })).toThrow("5×4 pixels can't be reduced to 6×4");
});
