/** A file that could not be used, and why, in one line. Names of folders end in "/". */
export interface SkippedFile {
  name: string;
  reason: string;
}

/** What is known of every image of a set, besides its class. */
export interface ImageAttributes {
  /** Attributes by number: `hair`, `skinColor`, … */
  names: string[];
  /** Values by attribute and number. */
  values: string[][];
  /** Number of the value, [count, attributes]. */
  ofImages: Uint8Array;
}

/** Images of one size, decoded: what sources produce, what training and evaluation read. */
export interface ImageSet {
  count: number;
  width: number;
  height: number;
  /** RGB, sRGB-encoded, [count, height, width, 3]. */
  pixels: Uint8Array;
  /** One name per image, unique: a path within the source, or an icon's name. */
  names: string[];
  /** One class index per image, where the source has classes. */
  labels?: number[];
  /** Class names by index, where the source names them. */
  classes?: string[];
  /** What is known of every image, where the source says. */
  attributes?: ImageAttributes;
  /** Whom the images are by, and their licence, where that is known; for whatever shows them. */
  credit?: string;
  /** Files that could not be read, and why. */
  skipped: SkippedFile[];
  /**
   * The largest multiple of this size at which the source still has detail of its own for every image: Infinity for
   * vector art. Ground truth exists up to there. Below 1 where an original was smaller than this size and was enlarged.
   */
  nativeScale: number;
  /**
   * SHA-256 of what the pixels were made from: source, transform and versions. A folder counts by its files' paths,
   * sizes and times, a zip by its entries' checksums, a package by its version.
   */
  digest: string;
}

/**
 * What was left out, as lines for the terminal: a count, then one line a file, at most `most` of them. Empty when
 * nothing was skipped. The total counts the files that were tried: with `data.limit`, that is not the whole source.
 */
export function skippedReport(set: Pick<ImageSet, 'count' | 'skipped'>, most = 20): string[] {
  const { count, skipped } = set;
  if (skipped.length === 0) return [];
  const lines = skipped.slice(0, most).map(({ name, reason }) => `  ${name}: ${reason}`);
  if (skipped.length > most) lines.push(`  … and ${skipped.length - most} more`);
  return [`skipped ${skipped.length} of ${count + skipped.length} files:`, ...lines];
}
