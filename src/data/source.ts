/** What every source of images looks like to the loader: a list of encoded files and a name for the whole. */
import { messageOf } from '../errors.ts';
import type { Keys, Settings } from '../models/kind.ts';
import type { SkippedFile } from './imageSet.ts';

export interface SourceEntry {
  /** Unique within the source. */
  name: string;
  /** Class index, where the source has classes. */
  label?: number;
  /** One value's index for each of the source's attributes. */
  attributes?: readonly number[];
  /** The encoded file. Rejects when it can't be read; what is wrong inside it shows only when it is decoded. */
  read(): Promise<Uint8Array>;
}

export interface ImageSource {
  /** What messages call the source: `folder "photos"`. */
  title: string;
  /** Whom the images are by, and their licence, where that is known. */
  credit?: string;
  /** Anything JSON that differs when the images could differ; part of the cache key. */
  identity: unknown;
  /** Sorted by name. */
  entries: SourceEntry[];
  /** What could already be seen not to be usable. */
  skipped: SkippedFile[];
  classes?: string[];
  /** What is known of every image, and which values there are. */
  attributes?: { names: string[]; values: string[][] };
  /**
   * Of SVGs that are all square and opaque: their side in user units. They are drawn at twice the wanted size and area-reduced,
   * which takes no more time than drawing art that nothing is known of.
   */
  artSide?: number;
  /**
   * Sets beside the one to train on, of sources that can make any number of images. Others hold out a part of their list.
   */
  parts?: {
    /** Images of the same distribution as those to train on. */
    heldOut(count: number): ImageSource;
    /** Images of combinations of attributes that none of the others has. */
    combinations(count: number): ImageSource;
  };
  close(): Promise<void>;
}

/** A source that a config names: `data.source`. */
export interface SourceKind<K extends Keys = Keys> {
  /** What it is, in a few words. */
  about: string;
  /** Its own keys of the `data` section, each with its default and its description. */
  keys: K;
  /** Whether `data.path` has to be given. */
  needsPath?: boolean;
  /** What `data.heldOut` is where nobody says otherwise; 0 where this is absent. */
  heldOut?: number;
  /** Whether whole combinations of attributes are left out of training, which can be loaded by themselves. */
  hasCombinations?: boolean;
  /** @throws UsageError when it can't be read. */
  open(settings: Settings<K> & { path?: string }): Promise<ImageSource>;
}

/** A kind whose settings are typed by its keys. */
export function defineSource<K extends Keys>(kind: SourceKind<K>): SourceKind<K> {
  return kind;
}

const READABLE = new Set(['jpg', 'jpeg', 'jpe', 'png', 'webp', 'avif', 'gif', 'tif', 'tiff', 'svg']);
const UNSUPPORTED = new Set(['heic', 'heif', 'bmp', 'jxl', 'jp2', 'psd', 'dng', 'cr2', 'nef', 'arw']);
export const READABLE_FORMATS = 'JPEG, PNG, WebP, AVIF, GIF, TIFF, SVG';

/**
 * What a file's extension says: an image that can be read, an image of a kind that can't (and why), or no image.
 * Hidden files and the folder that macOS adds to its zips are no images.
 */
export function imageKind(path: string): { readable: boolean; reason: string } | undefined {
  if (path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX')) return undefined;
  const extension = /\.([^./]+)$/.exec(path)?.[1].toLowerCase() ?? '';
  if (READABLE.has(extension)) return { readable: true, reason: '' };
  if (!UNSUPPORTED.has(extension)) return undefined;
  return { readable: false, reason: `${extension.toUpperCase()} is not supported; convert it to JPEG, PNG or AVIF` };
}

/** Order by code units: the same in every locale. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const FILE_REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'not a folder',
  ELOOP: 'the link leads to itself',
  ENOSPC: 'the disk is full',
  EROFS: 'read-only file system',
};

/** Why something failed, in one line: sharp reports everything that libvips met, a line each, in its own terms. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== undefined && code in FILE_REASONS) return FILE_REASONS[code];
  const lines = messageOf(error)
    .split('\n')
    .map((line) => line.trim().replace(/^Input [Bb]uffer (contains )?/, ''))
    .map((line) => (line.startsWith('Warning treated as error') ? 'damaged or cut short' : line))
    .filter((line) => line !== '' && !line.startsWith('source: bad seek'));
  return [...new Set(lines)].join('; ').slice(0, 200);
}
