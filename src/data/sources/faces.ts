/**
 * Cartoon faces from DiceBear's style packages: aligned, as many as wanted, with known attributes and, as vector art, a true
 * image at every size. The designers and their licences are in NOTICE.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { Random } from '../../random.ts';
import { defineSource, type ImageSource, type SourceEntry } from '../source.ts';
import { FACE_STYLES, type FaceStyle, type FaceStyleName, openFaceStyle } from './faceStyle.ts';

/** Each part draws from numbers of its own, so that none depends on how many faces another has. */
const PARTS = { training: 0, heldOut: 1, combinations: 2 } as const;
const STEPS_OF_A_PART = 2 ** 32;
/** The draw that says which combinations are left out. */
const LEFT_OUT_STEP = 3 * STEPS_OF_A_PART;
/** Of the combinations of hair, skin and beard, how many are never trained on. */
const LEFT_OUT_FRACTION = 0.1;

/** Which combination of hair, skin and beard a face has. */
function combinationOf({ combination, attributes }: FaceStyle, face: readonly number[]): number {
  return combination.reduce((index, place) => index * attributes.values[place].length + face[place], 0);
}

/** The combinations of hair, skin and beard that are never trained on: a choice of the set's seed. */
export function leftOutCombinations(style: FaceStyle, seed: number): Set<number> {
  const total = style.combination.reduce((product, place) => product * style.attributes.values[place].length, 1);
  return new Set(new Random(seed, 'faces', LEFT_OUT_STEP).sample(total, Math.round(LEFT_OUT_FRACTION * total)));
}

/** Chooses face `index` of a part: the first of its own draws whose combination belongs there. */
function chooseFace(style: FaceStyle, seed: number, part: keyof typeof PARTS, index: number, leftOut: Set<number>) {
  const random = new Random(seed, 'faces', PARTS[part] * STEPS_OF_A_PART + index);
  for (;;) {
    const face = style.choose(random);
    if (leftOut.has(combinationOf(style, face)) === (part === 'combinations')) return face;
  }
}

async function versionOf(name: string): Promise<string> {
  // The packages don't export their package.json.
  const main = createRequire(import.meta.url).resolve(name);
  return JSON.parse(await readFile(join(dirname(main), '..', 'package.json'), 'utf8')).version;
}

interface FaceSettings {
  style: FaceStyleName;
  count: number;
  seed: number;
}

/** The faces to train on, with those that never are as parts. */
export async function faceSource({ style: name, count, seed }: FaceSettings): Promise<ImageSource> {
  const style = await openFaceStyle(name);
  const packages = ['@dicebear/core', FACE_STYLES[name].package];
  const versions = await Promise.all(packages.map(versionOf));
  const leftOut = leftOutCombinations(style, seed);

  function part(kind: keyof typeof PARTS, word: string, size: number): ImageSource {
    const chosen = Array.from({ length: size }, (_, index) => chooseFace(style, seed, kind, index, leftOut));
    const entries = chosen.map((face, index): SourceEntry => {
      const entry = `${name}-${word}${String(index).padStart(7, '0')}`;
      return { name: entry, attributes: face, read: async () => Buffer.from(style.draw(face)) };
    });
    const digest = createHash('sha256').update(Uint8Array.from(chosen.flat())).digest('hex');
    return {
      title: `${name} faces`,
      credit: style.credit,
      identity: { packages, versions, kind, attributes: style.attributes, chosen: digest },
      entries,
      skipped: [],
      attributes: style.attributes,
      // rsvg blends every shape's edge by itself, so that what lies behind shines through where two meet: drawn at 128 px,
      // toon-head faces are 1.7 grey levels (rms) from their exact area means; drawn at 256 and area-reduced, 0.9.
      artSide: style.side,
      close: async () => {},
    };
  }
  return {
    ...part('training', '', count),
    parts: {
      heldOut: (size) => part('heldOut', 'fresh-', size),
      combinations: (size) => part('combinations', 'combination-', size),
    },
  };
}

export const faces = defineSource({
  about: 'cartoon faces drawn by DiceBear, as many as wanted',
  keys: {
    style: z
      .enum(Object.keys(FACE_STYLES) as [FaceStyleName])
      .default('toon-head')
      .describe('of faces: which design; designers and licences are in NOTICE'),
    count: z.int().positive().max(1_000_000).default(12_000).describe('of faces: how many to train on'),
    seed: z
      .int()
      .nonnegative()
      .default(0)
      .describe('of faces: which faces, and which combinations of hair, skin and beard are never trained on'),
  },
  heldOut: 1000,
  hasCombinations: true,
  open: faceSource,
});
