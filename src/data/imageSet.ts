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
  /** Files that could not be read, and why. */
  skipped: { name: string; reason: string }[];
  /**
   * The largest multiple of this size at which the source still has detail of its own for every image: Infinity for
   * vector art. Ground truth exists up to there.
   */
  nativeScale: number;
  /** SHA-256 of what the pixels were made from: source, transform and versions. */
  digest: string;
}
