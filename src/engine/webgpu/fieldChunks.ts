/** How a training pass over many points is cut, so that its workspace stays small and a large GPU stays busy. */

/** The workspace of a chunk has at most this many bytes, where nothing else is wanted. */
export const WORKSPACE_BYTES = 2 ** 28;
/** Workgroups that keep a large GPU busy: the sums over points are cut into slices until there are so many. */
const BUSY_WORKGROUPS = 2048;

export interface Cut {
  fields: number;
  points: number;
  tilePoints: number;
  /** Fields and points of a chunk, whole tiles; points of a slice of the gradients' sums; slices of a chunk. */
  chunkFields: number;
  chunk: number;
  slice: number;
  slices: number;
}

/**
 * @param bytesPerPoint what the workspace takes, and @param mostBytes what it may have in all.
 * @param weights values of a field's gradients.
 */
export function cutPass(
  { fields, points, tilePoints }: Pick<Cut, 'fields' | 'points' | 'tilePoints'>,
  { bytesPerPoint, mostBytes, weights }: { bytesPerPoint: number; mostBytes: number; weights: number },
): Cut {
  const tileBytes = tilePoints * bytesPerPoint;
  const tiles = Math.max(1, weights / 64 ** 2);
  // No more fields at a time than keep the GPU busy: every chunk of points reads and writes the sums of all its fields.
  const busy = Math.ceil(BUSY_WORKGROUPS / tiles);
  const chunkFields = Math.max(1, Math.min(fields, busy, Math.floor(mostBytes / tileBytes)));
  const allTiles = Math.ceil(points / tilePoints);
  const tilesAtOnce = Math.max(1, Math.min(allTiles, Math.floor(mostBytes / (tileBytes * chunkFields))));
  // Equal chunks, so that the last one is no stub.
  const chunk = Math.ceil(allTiles / Math.ceil(allTiles / tilesAtOnce)) * tilePoints;
  const wanted = Math.ceil(BUSY_WORKGROUPS / (chunkFields * tiles));
  const slice = Math.ceil(chunk / tilePoints / Math.min(wanted, chunk / tilePoints)) * tilePoints;
  return { fields, points, tilePoints, chunkFields, chunk, slice, slices: Math.ceil(chunk / slice) };
}

/** Whole numbers that change from call to call, and what they are. */
const SIZE_FIELDS = {
  points: 'of each field',
  firstPoint: 'of this chunk',
  chunk: 'points of the chunk, whole tiles',
  fields: 'of this chunk',
  firstField: 'of this chunk',
  lossParts: 'of each field',
  firstPart: 'of this chunk',
  slice: "points of a slice of the gradients' sums",
  accumulate: "whether the gradients' sums go on from an earlier chunk",
  slices: 'of a chunk',
  allFields: 'of all chunks',
};
const SIZE_NAMES = Object.keys(SIZE_FIELDS) as (keyof typeof SIZE_FIELDS)[];

type Sizes = Partial<Record<keyof typeof SIZE_FIELDS | 'scale', number>>;

/** The uniforms of a field's kernels in WGSL. */
export const SIZES = `
struct Sizes {
${SIZE_NAMES.map((name) => `  ${name}: u32, // ${SIZE_FIELDS[name]}`).join('\n')}
  scale: f32, // of the deltas: d(mean loss) / d(sum of squares / 2); at the end, of the gradients' sums
}`;

/** Values of `SIZES`. */
export function sizesOf(values: Sizes): ArrayBuffer {
  const buffer = new ArrayBuffer(4 * (SIZE_NAMES.length + 1));
  new Uint32Array(buffer).set(SIZE_NAMES.map((name) => values[name] ?? 0));
  new Float32Array(buffer)[SIZE_NAMES.length] = values.scale ?? 0;
  return buffer;
}

/** Sizes that all chunks share. @param scale of the deltas, or of the gradients' sums. */
export function passSizes({ fields, points, tilePoints, slice, slices }: Cut, scale: number): Sizes {
  return { points, lossParts: Math.ceil(points / tilePoints), slice, slices, allFields: fields, scale };
}

/** Every chunk in turn: its sizes, and how many tiles and fields it has. */
export function* chunksOf(cut: Cut, scale: number): Generator<{ sizes: ArrayBuffer; tiles: number; fields: number }> {
  const { points, tilePoints, chunk } = cut;
  for (let firstField = 0; firstField < cut.fields; firstField += cut.chunkFields) {
    const fields = Math.min(cut.chunkFields, cut.fields - firstField);
    for (let firstPoint = 0; firstPoint < points; firstPoint += chunk) {
      const tiles = Math.ceil(Math.min(chunk, points - firstPoint) / tilePoints);
      const sizes = sizesOf({
        ...passSizes(cut, scale),
        firstPoint,
        chunk: tiles * tilePoints,
        fields,
        firstField,
        firstPart: firstPoint / tilePoints,
        accumulate: firstPoint > 0 ? 1 : 0,
      });
      yield { sizes, tiles, fields };
    }
  }
}
