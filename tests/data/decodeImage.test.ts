import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage, type Transform } from '../../src/data/decodeImage.ts';
import { noise, painted, plain } from './files.ts';

const base: Transform = { width: 8, height: 8, scale: 1, fit: 'crop', background: '#ff8000' };

/** The first pixel; every pixel must be within `tolerance` of it. */
async function colourOf(bytes: Uint8Array, tolerance = 0): Promise<number[]> {
  const { pixels } = await decodeImage(bytes, base);
  pixels.forEach((value, i) => {
    expect(Math.abs(value - pixels[i % 3])).toBeLessThanOrEqual(tolerance);
  });
  return [...pixels.subarray(0, 3)];
}

function expectNear(actual: number[], expected: number[], tolerance: number): void {
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]), `${actual} for ${expected}`).toBeLessThanOrEqual(tolerance);
  });
}

/** (0.5·200 + 0.5·255, …): half-transparent [200,100,50] over the background, alpha 128/255. */
const HALF_OVER_BACKGROUND = [200, 100, 50].map((value, c) => (value * 128 + [255, 128, 0][c] * 127) / 255);

describe('decodeImage, colours', () => {
  it('reads every format it promises', async () => {
    const image = () => plain([200, 100, 50], 16, 16);
    const formats = {
      jpeg: image().jpeg({ quality: 100 }),
      png: image().png(),
      webp: image().webp({ lossless: true }),
      avif: image().avif({ quality: 95, effort: 0 }),
      gif: image().gif(),
      tiff: image().tiff(),
    };
    for (const [name, encoder] of Object.entries(formats)) {
      expectNear(await colourOf(await encoder.toBuffer(), 2), [200, 100, 50], name === 'avif' ? 4 : 2);
    }
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2"><rect width="2" height="2" fill="#c86432"/></svg>';
    expect(await colourOf(Buffer.from(svg))).toEqual([200, 100, 50]);
  });

  it('turns grey into three equal channels, from 8 and 16 bits', async () => {
    expect(await colourOf(await plain([77]).toColourspace('b-w').jpeg({ quality: 100 }).toBuffer())).toEqual([
      77, 77, 77,
    ]);
    const grey16 = await plain([77]).toColourspace('grey16').png().toBuffer();
    expect((await sharp(grey16).metadata()).depth).toBe('ushort');
    expect(await colourOf(grey16)).toEqual([77, 77, 77]);
  });

  it('takes the high byte of 16 bits', async () => {
    const png = await plain([200, 100, 50]).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(png).metadata()).depth).toBe('ushort');
    expect(await colourOf(png)).toEqual([200, 100, 50]);
  });

  it('converts an embedded profile to sRGB, at 8 and 16 bits alike', async () => {
    for (const space of ['srgb', 'rgb16']) {
      for (const profile of ['p3', 'srgb']) {
        const png = await plain([200, 100, 50]).toColourspace(space).withIccProfile(profile).png().toBuffer();
        expect((await sharp(png).metadata()).hasProfile).toBe(true);
        expectNear(await colourOf(png, 1), [200, 100, 50], 2);
      }
    }
  });

  it('brings CMYK back to the colour it came from, roughly: press inks reach fewer colours', async () => {
    const jpeg = await plain([180, 120, 100])
      .toColourspace('cmyk')
      .withIccProfile('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer();
    expect((await sharp(jpeg).metadata()).space).toBe('cmyk');
    expectNear(await colourOf(jpeg, 2), [180, 120, 100], 16);
  });

  it('flattens transparency on the background colour', async () => {
    expect(await colourOf(await plain([9, 9, 9, 0]).png().toBuffer())).toEqual([255, 128, 0]);
    expectNear(await colourOf(await plain([200, 100, 50, 128]).png().toBuffer()), HALF_OVER_BACKGROUND, 1);
    const deep = await plain([200, 100, 50, 128]).toColourspace('rgb16').png().toBuffer();
    expectNear(await colourOf(deep), HALF_OVER_BACKGROUND, 1);
    const webp = await plain([200, 100, 50, 128]).webp({ lossless: true }).toBuffer();
    expectNear(await colourOf(webp), HALF_OVER_BACKGROUND, 1);
  });

  it('flattens a grey image on a coloured background in colour', async () => {
    for (const space of ['b-w', 'grey16']) {
      const clear = await plain([100, 0]).toColourspace(space).png().toBuffer();
      expect((await sharp(clear).metadata()).channels).toBe(2);
      expect(await colourOf(clear)).toEqual([255, 128, 0]);
    }
  });

  it('takes the first frame of an animation', async () => {
    const frames = [plain([255, 0, 0]), plain([0, 0, 255])].map((frame) => frame.png().toBuffer());
    const animation = sharp(await Promise.all(frames), { join: { animated: true } });
    for (const bytes of [
      await animation.clone().gif().toBuffer(),
      await animation.webp({ lossless: true }).toBuffer(),
    ]) {
      expect((await sharp(bytes).metadata()).pages).toBe(2);
      expect(await colourOf(bytes)).toEqual([255, 0, 0]);
    }
  });
});

describe('decodeImage, geometry', () => {
  it('sets all eight EXIF orientations upright', async () => {
    const [W, H] = [6, 4];
    const colour = (x: number, y: number) => [x * 40, y * 60, 128];
    // Where the pixel shown at (x, y) is stored, by the definition of the tag (Exif 2.32, 4.6.4.A).
    const stored: ((x: number, y: number) => [number, number])[] = [
      (x, y) => [x, y],
      (x, y) => [W - 1 - x, y],
      (x, y) => [W - 1 - x, H - 1 - y],
      (x, y) => [x, H - 1 - y],
      (x, y) => [y, x],
      (x, y) => [y, H - 1 - x],
      (x, y) => [W - 1 - y, H - 1 - x],
      (x, y) => [W - 1 - y, x],
    ];
    for (const [i, storedAt] of stored.entries()) {
      const png = await painted(W, H, colour)
        .withMetadata({ orientation: i + 1 })
        .png()
        .toBuffer();
      const [width, height] = i < 4 ? [W, H] : [H, W];
      // The crop takes the middle 4×4, so it must be made after turning.
      const { pixels } = await decodeImage(png, { ...base, width: 4, height: 4 });
      for (let y = 0; y < 4; y++) {
        for (let x = 0; x < 4; x++) {
          const at = (y * 4 + x) * 3;
          const expected = colour(...storedAt(x + (width - 4) / 2, y + (height - 4) / 2));
          expect([...pixels.subarray(at, at + 3)], `orientation ${i + 1} at ${x},${y}`).toEqual(expected);
        }
      }
    }
  });

  it('pads with the background', async () => {
    const png = await plain([10, 20, 30], 16, 8).png().toBuffer();
    const { pixels, nativeScale } = await decodeImage(png, { ...base, fit: 'pad' });
    const rows = Array.from({ length: 8 }, (_, y) => [...pixels.subarray(y * 24, y * 24 + 3)]);
    expect(rows).toEqual([2, 2, 1, 1, 1, 1, 2, 2].map((kind) => (kind === 1 ? [10, 20, 30] : [255, 128, 0])));
    expect(nativeScale).toBe(2);
  });

  it('shows the same part of the image at every scale', async () => {
    // A ramp that neither divides nor centres evenly; resampling keeps a ramp, away from its ends.
    const png = await painted(100, 133, (_, y) => [y, 2 * Math.min(y, 127), 255 - y])
      .png()
      .toBuffer();
    const size = 64;
    const ramp = (pixels: Uint8Array, scale: number, y: number) => pixels[y * size * scale * 3];
    for (const scale of [1, 2, 4]) {
      const { pixels } = await decodeImage(png, { ...base, width: size, height: size, scale });
      for (let y = 4 * scale; y < 60 * scale; y++) {
        const centre = 16 + ((y + 0.5) * 100) / (size * scale) - 0.5; // rows 16…115 are used
        expect(Math.abs(ramp(pixels, scale, y) - centre), `row ${y} at ${scale}×`).toBeLessThanOrEqual(0.75);
      }
    }
  });

  it('averages fine detail away instead of aliasing it', async () => {
    const stripes = await painted(256, 256, (x) => [x % 2, x % 2, x % 2].map((v) => v * 255))
      .png()
      .toBuffer();
    const { pixels } = await decodeImage(stripes, { ...base, width: 32, height: 32 });
    for (let x = 4; x < 28; x++) expectNear([pixels[(16 * 32 + x) * 3]], [127.5], 2);
  });

  it('draws vector art at the size that is asked for', async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0H5.125V8H0z" fill="#000"/></svg>',
    );
    for (const scale of [1, 4, 8, 32]) {
      const { pixels, nativeScale } = await decodeImage(svg, { ...base, background: '#ffffff', scale });
      expect(nativeScale).toBe(Infinity);
      const row = Array.from({ length: 8 * scale }, (_, x) => pixels[x * 3]);
      // Exact coverage of the pixel that the edge crosses, and no blur beside it.
      const expected = row.map((_, x) => 255 * (1 - Math.min(1, Math.max(0, 5.125 * scale - x))));
      expectNear(row, expected, 1);
    }
  });

  it('crops and pads vector art of another shape', async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="20" height="20" fill="#00f"/><rect x="20" width="20" height="20" fill="#0f0"/></svg>',
    );
    for (const scale of [1, 3]) {
      const n = 8 * scale;
      const crop = (await decodeImage(svg, { ...base, scale })).pixels;
      const pad = (await decodeImage(svg, { ...base, scale, fit: 'pad' })).pixels;
      const stretch = (await decodeImage(svg, { ...base, scale, fit: 'stretch' })).pixels;
      for (let y = 0; y < n; y++) {
        for (let x = 0; x < n; x++) {
          const at = (y * n + x) * 3;
          const side = x < n / 2 ? [0, 0, 255] : [0, 255, 0];
          expect([...crop.subarray(at, at + 3)]).toEqual(side);
          expectNear([...stretch.subarray(at, at + 3)], side, 20); // Lanczos overshoots beside the edge
          expect([...pad.subarray(at, at + 3)]).toEqual(y < n / 4 || y >= (3 * n) / 4 ? [255, 128, 0] : side);
        }
      }
    }
  });

  it('reads images of a single pixel and of 20,000 × 2, and says how much detail they have', async () => {
    const dot = await decodeImage(await plain([1, 2, 3], 1, 1).png().toBuffer(), base);
    expect([...dot.pixels.subarray(0, 3)]).toEqual([1, 2, 3]);
    expect(dot.nativeScale).toBe(1 / 8);
    for (const [width, height] of [
      [20_000, 2],
      [2, 20_000],
    ]) {
      const png = await plain([1, 2, 3], width, height).png().toBuffer();
      for (const fit of ['crop', 'pad', 'stretch'] as const) {
        const { pixels } = await decodeImage(png, { ...base, fit });
        expect(pixels).toHaveLength(192);
        const middle = (4 * 8 + 4) * 3;
        if (fit !== 'pad') expectNear([...pixels.subarray(middle, middle + 3)], [1, 2, 3], 0);
      }
      expect((await decodeImage(png, base)).nativeScale).toBe(2 / 8);
    }
  });
});

describe('decodeImage, bad files', () => {
  const tall = { width: 48, height: 80 };

  it('refuses files that are cut short, also below the part that the crop uses', async () => {
    const image = noise(tall.width, tall.height);
    const files = {
      jpeg: await image.clone().jpeg().toBuffer(),
      progressive: await image.clone().jpeg({ progressive: true }).toBuffer(),
      png: await image.clone().png().toBuffer(),
      webp: await image.clone().webp().toBuffer(),
      avif: await image.clone().avif({ effort: 0 }).toBuffer(),
      gif: await image.clone().gif({ effort: 1 }).toBuffer(),
      tiff: await image.clone().tiff().toBuffer(),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await decodeImage(bytes, base);
      for (const part of [0.95, 0.5, 0.02]) {
        const cut = bytes.subarray(0, Math.floor(bytes.length * part));
        await expect(decodeImage(cut, base), `${name} cut to ${part}`).rejects.toThrow();
      }
    }
  });

  it('refuses damaged pixels', async () => {
    const png = await noise(64, 64).png().toBuffer();
    png[png.length >> 1] ^= 0xff;
    await expect(decodeImage(png, base)).rejects.toThrow();
    const jpeg = await noise(64, 64).jpeg().toBuffer();
    jpeg.fill(0xff, jpeg.length >> 1, (jpeg.length >> 1) + 40);
    await expect(decodeImage(jpeg, base)).rejects.toThrow();
  });

  it('refuses what is no image, nothing at all, and more pixels than sharp allows', async () => {
    await expect(decodeImage(Buffer.from('a text file named .png'), base)).rejects.toThrow('unsupported image format');
    await expect(decodeImage(new Uint8Array(0), base)).rejects.toThrow('empty file');
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9"');
    await expect(decodeImage(svg, base)).rejects.toThrow();
    const huge = await plain([1, 2, 3]).png().toBuffer();
    huge.writeUInt32BE(20_000, 16); // IHDR: width, height, …, CRC
    huge.writeUInt32BE(20_000, 20);
    huge.writeUInt32BE(crc32(huge.subarray(12, 29)), 29);
    await expect(decodeImage(huge, base)).rejects.toThrow('exceeds pixel limit');
  });
});
