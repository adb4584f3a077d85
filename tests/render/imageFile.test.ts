import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { RunError, UsageError } from '../../src/errors.ts';
import { checkImageFile, writeImage } from '../../src/render/imageFile.ts';

const folder = mkdtempSync(join(tmpdir(), 'chladni-image-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function gradient(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [row, column] = [Math.floor(i / (3 * width)), Math.floor(i / 3) % width];
    return [Math.floor((255 * column) / width), Math.floor((255 * row) / height), 60][i % 3];
  });
}

/** Rows of gentle waves, made as they are asked for. */
async function* waves(width: number, height: number, rowsAtOnce = 64) {
  const rows = new Uint8Array(width * rowsAtOnce * 3);
  for (let row = 0; row < height; row += rowsAtOnce) {
    for (let i = 0; i < rows.length; i++) rows[i] = ((i >> 6) + row) & 255;
    yield rows.subarray(0, Math.min(rowsAtOnce, height - row) * width * 3);
  }
}

function canMountPrivately(): boolean {
  try {
    execFileSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', folder], { stdio: 'ignore' });
    return true;
  } catch {
    console.info('a full disk is not tested: this machine lets no private file system be mounted');
    return false;
  }
}

describe('writeImage', () => {
  it.each([
    ['png', 0],
    ['PNG', 0],
    ['tif', 0],
    ['tiff', 0],
    ['jpg', 6],
    ['jpeg', 6],
    ['webp', 14],
    ['avif', 14],
  ])('writes .%s, wrong by at most %i levels', async (extension, tolerance) => {
    const [width, height] = [61, 40];
    const path = join(folder, 'made', extension, `image.${extension}`);
    const pixels = gradient(width, height);
    await writeImage(path, width, height, [pixels.subarray(0, width * 3), pixels.subarray(width * 3)]);
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([width, height, 3]);
    let worst = 0;
    data.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - pixels[i]));
    });
    expect(worst).toBeLessThanOrEqual(tolerance);
  });

  it('refuses an unknown extension, naming those it knows', async () => {
    for (const name of ['out.bmp', 'out', '.png', 'out.constructor']) {
      const writing = writeImage(join(folder, name), 1, 1, [new Uint8Array(3)]);
      await expect(writing).rejects.toThrow(UsageError);
      await expect(writing).rejects.toThrow(/use one of \.png, \.jpg/);
    }
  });

  it('refuses sizes beyond a format before anything is drawn, naming PNG', async () => {
    let asked = false;
    const rows = (function* () {
      asked = true;
      yield new Uint8Array(3);
    })();
    for (const [name, width, height] of [
      ['a.jpg', 65_501, 1],
      ['a.webp', 1, 16_384],
      ['a.avif', 16_385, 1],
      ['a.tiff', 10_001, 10_000],
      ['a.jpg', 40_000, 40_000],
    ] as const) {
      const writing = writeImage(join(folder, name), width, height, rows);
      await expect(writing).rejects.toThrow(UsageError);
      await expect(writing).rejects.toThrow(/too large for (JPEG|WebP|AVIF|TIFF) .*use \.png$/);
    }
    expect(asked).toBe(false);
    await checkImageFile(join(folder, 'a.png'), 400_000, 400_000);
  });

  it.each([
    ['jpg', 65_500],
    ['webp', 16_383],
    ['avif', 16_384],
    ['tiff', 70_000],
  ])('writes .%s as wide as it says it can', async (extension, width) => {
    const path = join(folder, `wide.${extension}`);
    await writeImage(path, width, 1, [new Uint8Array(width * 3)]);
    expect((await sharp(path).metadata()).width).toBe(width);
  });

  it('says in one line why a file cannot be there', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const under = writeImage(join(file, 'out.png'), 1, 1, [new Uint8Array(3)]);
    await expect(under).rejects.toThrow(RunError);
    await expect(under).rejects.toThrow(
      /^cannot write .*out\.png: (a part of the path is a file, not a folder|something of that name is in the way)$/,
    );
    mkdirSync(join(folder, 'folder.png'));
    await expect(writeImage(join(folder, 'folder.png'), 1, 1, [])).rejects.toThrow(/is a folder/);
  });

  it.skipIf(process.getuid?.() === 0)('says that permission is missing', async () => {
    const locked = join(folder, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o555);
    await expect(writeImage(join(locked, 'a.png'), 1, 1, [new Uint8Array(3)])).rejects.toThrow(/permission denied/);
  });

  it.each(['png', 'jpg'])('leaves the old .%s as it was when drawing fails', async (extension) => {
    const place = join(folder, `old-${extension}`);
    const path = join(place, `image.${extension}`);
    await writeImage(path, 8, 8, [gradient(8, 8)]);
    const before = readFileSync(path);
    async function* failing() {
      yield new Uint8Array(8 * 3);
      throw new Error('the field is gone');
    }
    await expect(writeImage(path, 8, 8, failing())).rejects.toThrow('the field is gone');
    await expect(writeImage(path, 8, 8, [new Uint8Array(8 * 3)])).rejects.toThrow(/of/);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(place)).toEqual([`image.${extension}`]);
  });

  it.skipIf(!canMountPrivately())('says that the disk is full and leaves nothing on it', () => {
    const script = `
      import { randomFillSync } from 'node:crypto';
      import { readdirSync } from 'node:fs';
      import { writeImage } from ${JSON.stringify(resolve(import.meta.dirname, '../../src/render/imageFile.ts'))};
      const noise = randomFillSync(new Uint8Array(512 * 512 * 3));
      for (const name of ['out.png', 'out.jpg']) {
        await writeImage(process.argv[1] + '/' + name, 512, 512, [noise]).catch((error) => {
          console.log(error.name, error.message);
        });
      }
      console.log(JSON.stringify(readdirSync(process.argv[1])));`;
    const place = join(folder, 'full');
    mkdirSync(place);
    const run = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" --import tsx --input-type=module -e "$3" "$1"';
    const output = execFileSync('unshare', ['-rm', 'sh', '-c', run, 'sh', place, process.execPath, script], {
      encoding: 'utf8',
      cwd: resolve(import.meta.dirname, '../..'),
    });
    const reason = 'the disk is full; free some space or use another folder';
    expect(output.trim().split('\n')).toEqual([
      `RunError cannot write ${place}/out.png: ${reason}`,
      `RunError cannot write ${place}/out.jpg: ${reason}`,
      '[]',
    ]);
  });

  it('streams a large PNG in little memory', async () => {
    const size = 8192; // 201 MB of pixels
    const path = join(folder, 'large.png');
    const before = process.memoryUsage().rss;
    let most = before;
    async function* watched() {
      for await (const rows of waves(size, size)) {
        most = Math.max(most, process.memoryUsage().rss);
        yield rows;
      }
    }
    await writeImage(path, size, size, watched());
    expect(most - before).toBeLessThan(100e6);
    expect(await sharp(path).metadata()).toMatchObject({ format: 'png', width: size, height: size, channels: 3 });
    expect(statSync(path).size).toBeLessThan(20e6);
  });
});
