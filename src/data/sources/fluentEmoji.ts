/**
 * The embedded default: Microsoft's Fluent Emoji, flat style (MIT), as packed by Iconify. Vector art, so there is ground
 * truth at every resolution.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { compareNames, defineSource, type ImageSource } from '../source.ts';

const PACKAGE = '@iconify-json/fluent-emoji-flat';
const TONES = ['light', 'medium-light', 'medium', 'medium-dark', 'dark'];
const TONED_NAME = new RegExp(`^(.+?)-(${TONES.join('|')})$`);

/** IconifyJSON, as far as it is read here. */
interface IconSet {
  width: number;
  height: number;
  icons: Record<string, { body: string; width?: number; height?: number; hidden?: boolean }>;
}

/**
 * The icons that differ by more than skin tone, sorted. The set does not mark variants: they are the names that come
 * with all five tones ("police-car-light" has one only, and is a light). Aliases are mirrored or renamed icons, and hidden
 * icons are ones that Unicode does not list; neither adds an emoji.
 */
export function distinctIcons(icons: IconSet['icons']): string[] {
  const isVariant = (name: string) => {
    const base = TONED_NAME.exec(name)?.[1];
    return base !== undefined && TONES.every((tone) => `${base}-${tone}` in icons);
  };
  return Object.keys(icons)
    .filter((name) => !icons[name].hidden && !isVariant(name))
    .sort(compareNames);
}

/** The distinct emoji of the embedded set, as SVG files. */
export async function fluentEmojiSource(): Promise<ImageSource> {
  const require = createRequire(import.meta.url);
  const readJson = async (file: string) => JSON.parse(await readFile(require.resolve(`${PACKAGE}/${file}`), 'utf8'));
  const set: IconSet = await readJson('icons.json');
  const { version } = await readJson('package.json');
  const entries = distinctIcons(set.icons).map((name) => {
    const { body, width = set.width, height = set.height } = set.icons[name];
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${body}</svg>`;
    return { name, read: async () => Buffer.from(svg) };
  });
  return {
    title: PACKAGE,
    credit: 'emoji: Fluent Emoji by Microsoft, MIT License, as packed by Iconify',
    identity: [PACKAGE, version],
    entries,
    skipped: [],
    close: async () => {},
  };
}

export const fluentEmoji = defineSource({ about: '1,594 vector emoji from npm', keys: {}, open: fluentEmojiSource });
