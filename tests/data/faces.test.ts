import { createHash } from 'node:crypto';
import { createAvatar, type Style } from '@dicebear/core';
import { describe, expect, it } from 'vitest';
import { checkExperiment } from '../../src/config/load.ts';
import { decodeImage } from '../../src/data/decodeImage.ts';
import { halve } from '../../src/data/decodeSet.ts';
import type { ImageSet } from '../../src/data/imageSet.ts';
import { type LoadOptions, loadImages } from '../../src/data/loadImages.ts';
import type { DataConfig } from '../../src/data/schema.ts';
import { FACE_STYLES, type FaceStyle, type FaceStyleName, openFaceStyle } from '../../src/data/sources/faceStyle.ts';
import { faceSource, leftOutCombinations } from '../../src/data/sources/faces.ts';
import { Random } from '../../src/random.ts';
import { dataConfig, temporaryFolder } from './files.ts';

const STYLES = Object.keys(FACE_STYLES) as FaceStyleName[];

/** Names of the values of a face. */
function named({ attributes }: Pick<FaceStyle, 'attributes'>, face: readonly number[]): Record<string, string> {
  return Object.fromEntries(attributes.names.map((name, i) => [name, attributes.values[i][face[i]]]));
}

/** The values of image `i` of a set, by name. */
function attributesOf({ attributes }: ImageSet, i: number): Record<string, string> {
  const { names, ofImages } = attributes!;
  return named({ attributes: attributes! }, [...ofImages.subarray(i * names.length, (i + 1) * names.length)]);
}

/** Small faces, with a cache of their own. */
function faces(changes: Partial<DataConfig> = {}): DataConfig {
  return dataConfig({ source: 'faces', style: 'toon-head', count: 300, seed: 0, heldOut: 200, size: 8, ...changes });
}

async function countDrawn(config: DataConfig, options: LoadOptions = {}): Promise<number> {
  let drawn = 0;
  await loadImages(config, { ...options, onProgress: () => drawn++ });
  return drawn;
}

describe.each(STYLES)('faces of style %s', (name) => {
  it('are what DiceBear itself draws with the attributes that it says', async () => {
    const ours = await openFaceStyle(name);
    const style = (await FACE_STYLES[name].load()) as unknown as Style<object>;
    const { names, values } = ours.attributes;
    for (let seed = 0; seed < 60; seed++) {
      const backgroundColor = [values[names.indexOf('backgroundColor')][seed % 5]];
      const theirs = createAvatar(style, { seed: `${seed}`, backgroundColor, clip: false }).toJson();
      const extra: Record<string, unknown> = { ...theirs.extra, backgroundColor: backgroundColor[0] };
      const face = names.map((attribute, i) => {
        const value = extra[attribute] === undefined ? 'none' : String(extra[attribute]).replace('#', '');
        expect(values[i]).toContain(value);
        return values[i].indexOf(value);
      });
      expect(ours.draw(face)).toBe(theirs.svg);
    }
  });

  it('are the same pixels whether or not their size is known beforehand', async () => {
    const style = await openFaceStyle(name);
    for (const [i, size] of [3, 9, 16, 17, 31, 64, 100].entries()) {
      const svg = Buffer.from(style.draw(style.choose(new Random(1, 'faces', i))));
      const transform = { width: size, height: size, fit: 'crop', background: '#00ff00', scale: 2 } as const;
      const expected = await decodeImage(svg, transform);
      expect(expected.pixels).toHaveLength(12 * size ** 2);
      expect(Buffer.compare((await decodeImage(svg, transform, style.side)).pixels, expected.pixels)).toBe(0);
    }
  });

  it('differ exactly when their attributes differ, and show every one of them', async () => {
    const style = await openFaceStyle(name);
    const { names, values } = style.attributes;
    const drawings = new Map<string, string>();
    for (let i = 0; i < 600; i++) {
      const face = style.choose(new Random(3, 'faces', i));
      const svg = style.draw(face);
      expect(drawings.get(svg) ?? face.join()).toBe(face.join());
      drawings.set(svg, face.join());
      if (i >= 60) continue;
      for (const [a, attribute] of names.entries()) {
        const value = values[a][face[a]];
        expect(value).toBeDefined();
        if (value === 'none') {
          // A colour is said to be absent where, whichever it were, it would not be seen.
          if (attribute.endsWith('Color')) expect(style.draw(face.with(a, 1))).toBe(svg);
          continue;
        }
        if (attribute.endsWith('Color')) expect(svg.toLowerCase()).toContain(`#${value}`);
        const others = values[a].flatMap((other, index) => (index === face[a] || other === 'none' ? [] : [index]));
        const changed = face.with(a, others[i % others.length]);
        expect({ attribute, same: style.draw(changed) === svg }).toEqual({ attribute, same: false });
      }
    }
    expect(new Set(drawings.values()).size).toBe(drawings.size);
  });

  it('have parts and values as often as the style says', async () => {
    const style = await openFaceStyle(name);
    const { schema } = (await FACE_STYLES[name].load()) as unknown as Style<object>;
    const properties = schema!.properties as Record<string, { default: unknown }>;
    const drawn = 20_000;
    const all = Array.from({ length: drawn }, (_, i) => named(style, style.choose(new Random(9, 'faces', i))));
    const within = (count: number, expected: number) =>
      expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(expected) + 1);
    for (const [a, attribute] of style.attributes.names.entries()) {
      const values = style.attributes.values[a].filter((value) => value !== 'none');
      const there = all.filter((face) => face[attribute] !== 'none');
      for (const value of values) {
        within(there.filter((face) => face[attribute] === value).length, there.length / values.length);
      }
      const percent = properties[`${attribute}Probability`]?.default as number | undefined;
      const able = all.filter((face) => attribute !== 'facialHair' || ![face.top, face.head].includes('hijab'));
      if (percent !== undefined) within(there.length, (able.length * percent) / 100);
    }
  });

  it('leaves whole combinations of hair, skin and beard out of training, and draws faces of these alone', async () => {
    const [hair, skin, beard] = FACE_STYLES[name].combination;
    const source = await faceSource({ style: name, count: 3000, seed: 5 });
    const combinations = ({ attributes, entries }: typeof source) =>
      entries.map((entry) => {
        const face = named({ attributes: attributes! }, entry.attributes!);
        return `${face[hair]}/${face[skin]}/${face[beard]}`;
      });
    const trained = new Set(combinations(source));
    const fresh = new Set(combinations(source.parts!.heldOut(1000)));
    const left = new Set(combinations(source.parts!.combinations(1000)));
    const style = await openFaceStyle(name);
    const total = style.combination.reduce((product, a) => product * style.attributes.values[a].length, 1);
    expect(left.size).toBeLessThanOrEqual(Math.round(total / 10));
    expect(left.size).toBeGreaterThan(Math.min(total / 20, 40));
    expect([...left].filter((one) => trained.has(one) || fresh.has(one))).toEqual([]);
    // Nothing is new in them but the combination.
    for (const [i, a] of style.combination.entries()) {
      const seen = new Set([...trained].map((one) => one.split('/')[i]));
      expect([...seen].sort()).toEqual([...style.attributes.values[a]].sort());
    }
    expect(leftOutCombinations(style, 6)).not.toEqual(leftOutCombinations(style, 5));
  });
});

describe('the source of faces', () => {
  it('draws the same faces in every process, whatever their number', async () => {
    const digestOf = async (style: FaceStyleName, count: number, seed: number) => {
      const source = await faceSource({ style, count, seed });
      const hash = createHash('sha256');
      for (const entry of [...source.entries.slice(0, 20), ...source.parts!.combinations(3).entries]) {
        hash.update(entry.name).update(await entry.read());
      }
      return hash.digest('hex').slice(0, 16);
    };
    const digests = await Promise.all(STYLES.map((style) => digestOf(style, 20, 7)));
    expect(digests).toEqual(DIGESTS);
    expect(await digestOf('toon-head', 33, 7)).toBe(digests[0]);
    expect(await digestOf('toon-head', 20, 8)).not.toBe(digests[0]);
  });

  it('holds out fresh faces of the same distribution, none of which is drawn for training', async () => {
    const source = await faceSource({ style: 'toon-head', count: 4000, seed: 0 });
    const fresh = source.parts!.heldOut(4000);
    const names = [source, fresh, source.parts!.combinations(50)].flatMap(({ entries }) => entries.map((e) => e.name));
    expect(new Set(names).size).toBe(8050);
    const of = ({ entries }: typeof source) => entries.map(({ attributes }) => attributes!.join());
    expect(of(fresh)).not.toEqual(of(source));
    for (const [a, values] of source.attributes!.values.entries()) {
      const counts = (which: typeof source) => {
        const found = values.map(() => 0);
        for (const { attributes } of which.entries) found[attributes![a]]++;
        return found;
      };
      const [mine, theirs] = [counts(source), counts(fresh)];
      const chiSquare = mine.reduce((sum, count, v) => sum + (count - theirs[v]) ** 2 / (count + theirs[v] || 1), 0);
      expect(chiSquare).toBeLessThan(values.length - 1 + 5 * Math.sqrt(2 * values.length));
    }
  });

  it('keeps attributes beside the pixels, in the cache too, and draws nothing twice', async () => {
    const config = faces();
    expect(await countDrawn(config)).toBe(300);
    expect(await countDrawn(config)).toBe(0);
    const set = await loadImages(config);
    const source = await faceSource({ style: 'toon-head', count: 300, seed: 0 });
    expect(set.attributes!.names).toEqual(source.attributes!.names);
    expect([...set.attributes!.ofImages]).toEqual(source.entries.flatMap((entry) => entry.attributes!));
    expect(set.names).toEqual(source.entries.map((entry) => entry.name));
    const limited = await loadImages({ ...config, limit: 3 });
    expect([0, 1, 2].map((i) => attributesOf(limited, i))).toEqual([0, 100, 200].map((i) => attributesOf(set, i)));

    // What is held out has nothing to do with the faces to train on.
    expect(await countDrawn({ ...config, heldOut: 20 })).toBe(0);
    expect(await countDrawn(config, { part: 'heldOut' })).toBe(200);
    expect(await countDrawn(config, { part: 'heldOut' })).toBe(0);
    expect(await countDrawn(config, { part: 'combinations' })).toBe(200);
  });

  it('agrees with itself across scales, up to any', async () => {
    const config = faces({ count: 6, size: 32, heldOut: 4 });
    for (const part of ['training', 'heldOut', 'combinations'] as const) {
      const [base, fine] = [await loadImages(config, { part }), await loadImages(config, { part, scale: 4 })];
      expect(fine.names).toEqual(base.names);
      expect(fine.attributes).toEqual(base.attributes);
      expect([base.nativeScale, fine.nativeScale]).toEqual([Infinity, Infinity]);
      const half = halve(fine.pixels, 64, base.count * 64);
      const quarter = halve(half, 32, base.count * 32);
      const squares = base.pixels.reduce((sum, value, i) => sum + (value - quarter[i]) ** 2, 0);
      expect(Math.sqrt(squares / base.pixels.length)).toBeLessThan(2);
    }
  });

  it('credits the designer, from the cache too', async () => {
    const credits: Partial<Record<FaceStyleName, string>> = {
      'toon-head': '"ToonHead" by Johan Melin (https://www.figma.com/community/file/1589627891082866389), CC BY 4.0 (',
      'open-peeps': '"Open Peeps" by Pablo Stanley (https://www.openpeeps.com/), CC0 1.0 (',
    };
    for (const [style, credit] of Object.entries(credits)) {
      const config = faces({ style: style as FaceStyleName, count: 1 });
      const sets = [await loadImages(config), await loadImages(config), await loadImages(config, { scale: 2 })];
      for (const set of sets) expect(set.credit).toContain(`faces: ${credit}`);
    }
  });

  it('fits faces to other shapes', async () => {
    const set = await loadImages(faces({ count: 4, size: '24x12', fit: 'pad', background: '#010203' }));
    expect([set.width, set.height]).toEqual([24, 12]);
    expect([...set.pixels.subarray(0, 3)]).toEqual([1, 2, 3]);
    const square = await loadImages(faces({ count: 4, size: 12 }));
    const row = (pixels: Uint8Array, y: number, width: number) => [
      ...pixels.subarray(y * width * 3).subarray(0, width * 3),
    ];
    for (let y = 0; y < 12; y++) expect(row(set.pixels, y, 24).slice(18, 54)).toEqual(row(square.pixels, y, 12));
  });

  it('halves pictures by means of four pixels, rounded', () => {
    const random = new Random(0, 'synthetic');
    const pixels = Uint8Array.from({ length: 6 * 4 * 3 }, () => random.integer(256)); // [4,6,3]
    const halved = halve(pixels, 3, 2);
    expect(halved).toHaveLength(18);
    for (const [i, value] of halved.entries()) {
      const [y, x, c] = [Math.floor(i / 9), Math.floor(i / 3) % 3, i % 3];
      const four = [0, 1].flatMap((dy) => [0, 1].map((dx) => pixels[((2 * y + dy) * 6 + 2 * x + dx) * 3 + c]));
      expect(value).toBe(Math.round(four.reduce((sum, one) => sum + one, 0) / 4));
    }
  });

  it('shows the background that the attributes say', async () => {
    const set = await loadImages(faces({ count: 40, size: 16 }));
    for (let i = 0; i < set.count; i++) {
      const corner = Buffer.from(set.pixels.subarray(i * 768, i * 768 + 3)).toString('hex');
      expect(corner).toBe(attributesOf(set, i).backgroundColor);
    }
  });

  it('says in one line what can not be drawn', async () => {
    const problem = (data: object) => {
      try {
        checkExperiment({ data: { source: 'faces', ...data } }, 'mine.yaml');
      } catch (error) {
        return (error as Error).message;
      }
      throw new Error('no problem');
    };
    expect(problem({ style: 'toonhead' })).toMatch(
      /^mine.yaml: data.style: .*"toon-head".*"open-peeps".*got "toonhead"$/,
    );
    for (const data of [{ count: 0 }, { count: 1.5 }, { count: 1e8 }, { seed: -1 }, { heldOut: -1 }]) {
      expect(problem(data)).toMatch(
        new RegExp(`^mine.yaml: data.${Object.keys(data)[0]}: [^\n]+got ${Object.values(data)[0]}$`),
      );
    }
    expect(problem({ styel: 'toon-head' })).toBe('mine.yaml: unknown key "data.styel"; did you mean "style"?');
    await expect(loadImages(faces({ heldOut: 0 }), { part: 'heldOut' })).rejects.toThrow(
      'nothing of toon-head faces is held out of training; set data.heldOut to a number of images',
    );
    const most = 2 ** 31 - 1;
    await expect(loadImages(faces({ count: 12_000, size: 256 }), { mostBytes: most })).rejects.toThrow(
      '12000 images of 256×256 take 2.20 GiB, and a set can have 2.00; set data.limit to at most 10922, or a smaller data.size',
    );
    await expect(
      loadImages(faces({ heldOut: 11_000, size: 256 }), { part: 'heldOut', mostBytes: most }),
    ).rejects.toThrow('set data.heldOut to at most 10922, or');
  });

  it('has keys of its own in configs that name it, and no others', () => {
    const dataOf = (data: object) => checkExperiment({ data }, 'mine.yaml').data;
    expect(dataOf({ source: 'faces' })).toMatchObject({ style: 'toon-head', count: 12_000, seed: 0, heldOut: 1000 });
    expect(dataOf({ source: 'faces', heldOut: 5, cache: temporaryFolder() }).heldOut).toBe(5);
    // Configs of before stay what they were, to the key.
    const before = ['source', 'size', 'fit', 'background', 'noise', 'cache'];
    expect(Object.keys(dataOf({}))).toEqual(before);
    expect(Object.keys(dataOf({ source: 'photo', style: 'personas', count: 4, seed: 2 }))).toEqual(before);
    expect(Object.keys(dataOf({ heldOut: 0 }))).toEqual(before);
    expect(dataOf({ heldOut: 3 }).heldOut).toBe(3);
    expect(dataOf({ source: 'faces', heldOut: 0 }).heldOut).toBe(0);
  });
});

/** SHA-256 of names and SVGs of 20 faces and 3 of left-out combinations of seed 7, by style (DiceBear 9.4.3). */
const DIGESTS = ['fa3d585dc6e11ad8', 'f1c99405555aa5b5', '27a89385446590e1', '327d44081273583c'];
