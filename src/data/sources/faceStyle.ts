/**
 * Styles of faces from DiceBear's packages, read as attributes: what can be chosen, how often a part is there at all, and
 * the SVG of any choice. Choosing is ours (src/random.ts); of DiceBear's own randomness nothing is left in a drawing.
 */
import { createAvatar, type Style } from '@dicebear/core';
import type { Random } from '../../random.ts';

/** The value of a part that a face lacks, or of a colour that it doesn't show. */
const NONE = 'none';
/** DiceBear's pastel backgrounds: blue, purple, lavender, pink, peach. */
const BACKGROUNDS = ['b6e3f4', 'c0aede', 'd1d4f9', 'ffd5dc', 'ffdfbf'];

type ValueOf = (attribute: string) => string;

interface StyleFile {
  load(): Promise<unknown>;
  package: string;
  /** Attributes for hair, skin and beard. */
  combination: readonly [hair: string, skin: string, beard: string];
  /** Attributes that are there with certain values of others only. */
  present?: Readonly<Record<string, (of: ValueOf) => boolean>>;
}

/** A new style is a line here and in package.json, with its designer and licence in NOTICE and docs/data.md. */
export const FACE_STYLES = {
  'toon-head': {
    load: () => import('@dicebear/toon-head'),
    package: '@dicebear/toon-head',
    combination: ['hair', 'skinColor', 'beard'],
  },
  avataaars: {
    load: () => import('@dicebear/avataaars'),
    package: '@dicebear/avataaars',
    combination: ['top', 'skinColor', 'facialHair'],
    present: {
      clothingGraphic: (of) => of('clothing') === 'graphicShirt',
      facialHair: (of) => of('top') !== 'hijab', // as the style means to have it
    },
  },
  personas: {
    load: () => import('@dicebear/personas'),
    package: '@dicebear/personas',
    combination: ['hair', 'skinColor', 'facialHair'],
  },
  'open-peeps': {
    load: () => import('@dicebear/open-peeps'),
    package: '@dicebear/open-peeps',
    combination: ['head', 'skinColor', 'facialHair'],
    present: { facialHair: (of) => of('head') !== 'hijab' },
  },
} satisfies Record<string, StyleFile>;

export type FaceStyleName = keyof typeof FACE_STYLES;

/** An option of a style that takes one of several values. */
interface Attribute {
  name: string;
  values: string[];
  /** How often the part is there. */
  probability: number;
}

/** The style's options of more than one value, by its schema; defaults as DiceBear has them. */
function attributesOf({ schema }: Style<object>): Attribute[] {
  const properties = (schema?.properties ?? {}) as Record<string, { default?: unknown }>;
  const attributes = Object.entries(properties).flatMap(([name, { default: values }]) => {
    if (!Array.isArray(values) || values.length < 2) return [];
    const percent = properties[`${name}Probability`]?.default;
    return [{ name, values: values as string[], probability: typeof percent === 'number' ? percent / 100 : 1 }];
  });
  return [...attributes, { name: 'backgroundColor', values: BACKGROUNDS, probability: 1 }];
}

const isColour = (name: string) => name.endsWith('Color') && name !== 'backgroundColor';

/** The SVG of a face: the attributes that are named, and none of the others. */
function drawFace(style: Style<object>, attributes: readonly Attribute[], values: Readonly<Record<string, string>>) {
  const options = attributes.flatMap(({ name }): [string, unknown][] => {
    const value = values[name] ?? NONE;
    const isThere = value !== NONE;
    return [
      [name, isThere ? [value] : []],
      [`${name}Probability`, isThere ? 100 : 0],
    ];
  });
  // The picture's own edge clips as well as DiceBear's mask would, which takes time.
  return createAvatar(style, { seed: '', clip: false, ...Object.fromEntries(options) }).toString();
}

/**
 * Whether a face of certain parts shows a colour. Found by drawing each part alone, in colours that no style has; what shows
 * without any part belongs to every face.
 */
function coloursShown(style: Style<object>, attributes: readonly Attribute[]) {
  const colours = attributes.map(({ name }) => name).filter(isColour);
  const marks = Object.fromEntries(colours.map((name, i) => [name, `fe0${(0xa10 + i).toString(16)}`]));
  const shownWith = (parts: Record<string, string>) => {
    const svg = drawFace(style, attributes, { ...marks, ...parts });
    return new Set(colours.filter((name) => svg.includes(marks[name])));
  };
  const always = shownWith({});
  const byPart = new Map<string, Set<string>>();
  for (const { name, values } of attributes.filter((attribute) => !isColour(attribute.name))) {
    for (const value of values) byPart.set(`${name}=${value}`, shownWith({ [name]: value }));
  }
  return (colour: string, parts: Readonly<Record<string, string>>) =>
    always.has(colour) || Object.entries(parts).some(([name, value]) => byPart.get(`${name}=${value}`)?.has(colour));
}

/** A style, ready to choose and to draw. A face is a value's index for each of its attributes. */
export interface FaceStyle {
  /** Names and values of the attributes; NONE is the first value where a face can do without. */
  attributes: { names: string[]; values: string[][] };
  /** Designer and licence. */
  credit: string;
  /** Width and height of the SVGs, in user units. */
  side: number;
  /** Places of the attributes for hair, skin and beard. */
  combination: number[];
  choose(random: Random): number[];
  draw(face: readonly number[]): string;
}

/** Loads a style's package. */
export async function openFaceStyle(name: FaceStyleName): Promise<FaceStyle> {
  const file: StyleFile = FACE_STYLES[name];
  const style = (await file.load()) as Style<object>;
  const attributes = attributesOf(style);
  const names = attributes.map((attribute) => attribute.name);
  const isShown = coloursShown(style, attributes);
  const { present = {} } = file;
  const isAlwaysThere = ({ name: part, probability }: Attribute) => probability === 1 && !(part in present);
  const isAlwaysShown = (colour: string) => {
    const isShownBy = (part: Attribute) => part.values.every((value) => isShown(colour, { [part.name]: value }));
    return isShown(colour, {}) || attributes.some((part) => isAlwaysThere(part) && isShownBy(part));
  };
  const values = attributes.map((attribute) => {
    const isCertain = isAlwaysThere(attribute) && (!isColour(attribute.name) || isAlwaysShown(attribute.name));
    return isCertain ? attribute.values : [NONE, ...attribute.values];
  });

  /** A face by names, colours that it doesn't show left out. */
  function chooseParts(random: Random): Record<string, string> {
    const parts: Record<string, string> = {};
    for (const attribute of attributes) {
      const isThere = random.uniform() < attribute.probability;
      const value = attribute.values[random.integer(attribute.values.length)];
      parts[attribute.name] = isThere ? value : NONE;
    }
    for (const [part, isPresent] of Object.entries(present)) {
      if (!isPresent((other) => parts[other])) parts[part] = NONE;
    }
    for (const colour of names.filter(isColour)) {
      if (!isShown(colour, parts)) parts[colour] = NONE;
    }
    return parts;
  }

  const { title, creator, source, license } = style.meta ?? {};
  const blank = drawFace(style, attributes, {});
  return {
    attributes: { names, values },
    credit: `faces: "${title}" by ${creator} (${source}), ${license?.name} (${license?.url}), drawn with DiceBear`,
    side: Number(/viewBox="0 0 (\d+) \1"/.exec(blank)![1]),
    combination: file.combination.map((attribute) => names.indexOf(attribute)),
    choose(random) {
      const parts = chooseParts(random);
      return names.map((attribute, i) => values[i].indexOf(parts[attribute]));
    },
    draw: (face) =>
      drawFace(style, attributes, Object.fromEntries(names.map((attribute, i) => [attribute, values[i][face[i]]]))),
  };
}
