import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/random.ts';
import { encodePng } from '../../src/render/png.ts';

async function encoded(...args: Parameters<typeof encodePng>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of encodePng(...args)) parts.push(part);
  return Buffer.concat(parts);
}

/** Flat, smooth and noisy stretches, so that every filter wins somewhere. */
function testPixels(width: number, height: number): Uint8Array {
  const random = new Random(5, 'synthetic');
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [row, column] = [Math.floor(i / (3 * width)), Math.floor(i / 3) % width];
    if (row % 4 === 0) return random.integer(256);
    if (row % 4 === 1) return (row * 5 + (i % 3) * 80) & 255;
    return (column * 3 + row * 2 + (i % 3) * 30) & 255;
  });
}

async function decoded(png: Buffer) {
  const { data, info } = await sharp(png, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height, channels: info.channels };
}

describe('encodePng', () => {
  it.each([
    [1, 1],
    [1, 300],
    [3, 2],
    [257, 130],
    [90_000, 3],
  ])('is decoded by sharp to the same %i×%i pixels', async (width, height) => {
    const pixels = testPixels(width, height);
    const image = await decoded(await encoded(width, height, [pixels]));
    expect([image.width, image.height, image.channels]).toEqual([width, height, 3]);
    expect(Buffer.compare(image.data, pixels)).toBe(0);
  });

  it('gives the same bytes however the rows arrive, even in memory that is reused', async () => {
    const [width, height] = [57, 41];
    const pixels = testPixels(width, height);
    async function* inPieces() {
      const memory = new Uint8Array(7 * width * 3);
      for (let row = 0; row < height; row += 7) {
        const rows = Math.min(7, height - row);
        memory.set(pixels.subarray(row * width * 3, (row + rows) * width * 3));
        yield memory.subarray(0, rows * width * 3);
        memory.fill(99);
      }
    }
    expect(Buffer.compare(await encoded(width, height, inPieces()), await encoded(width, height, [pixels]))).toBe(0);
  });

  it('says its colours are sRGB', async () => {
    const png = await encoded(2, 2, [testPixels(2, 2)]);
    expect(png.subarray(37, 41).toString('latin1')).toBe('sRGB');
  });

  it('compresses a smooth image well', async () => {
    const size = 256;
    const smooth = Uint8Array.from({ length: size * size * 3 }, (_, i) => {
      return 128 + 100 * Math.sin(i / 3 / size / 20) * Math.cos(((i / 3) % size) / 30);
    });
    const theirs = await sharp(smooth, { raw: { width: size, height: size, channels: 3 } })
      .png({ adaptiveFiltering: true })
      .toBuffer();
    expect((await encoded(size, size, [smooth])).length).toBeLessThan(1.1 * theirs.length);
  });

  it('passes on what the rows throw, and refuses too few, too many and broken rows', async () => {
    async function* failing() {
      yield new Uint8Array(30);
      throw new Error('the field is gone');
    }
    await expect(encoded(10, 4, failing())).rejects.toThrow('the field is gone');
    await expect(encoded(10, 4, [new Uint8Array(90)])).rejects.toThrow('3 scanlines of 4');
    await expect(encoded(10, 4, [new Uint8Array(150)])).rejects.toThrow('more than 4');
    await expect(encoded(10, 4, [new Uint8Array(31)])).rejects.toThrow('whole scanlines');
  });

  it('stops drawing when its reader stops', async () => {
    let stopped = false;
    async function* endless() {
      try {
        for (;;) yield new Uint8Array(3 * 1000 * 100);
      } finally {
        stopped = true;
      }
    }
    for await (const bytes of encodePng(1000, 1_000_000, endless())) {
      if (bytes.length > 1000) break;
    }
    await expect.poll(() => stopped).toBe(true);
  });
});
