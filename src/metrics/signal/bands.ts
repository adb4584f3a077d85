/**
 * How the modes of a 2-D DFT are grouped by radial frequency ρ = |(k_x/W, k_y/H)|, signed k, in cycles per pixel
 * (Nyquist along an axis: ½). DC is a band of its own, and so is the corner ρ > ½, which has modes along diagonals only.
 * Membership is decided in integers, so no mode changes its band by rounding.
 */

export interface Band {
  /** `dc`, `corner`, or the edges in cycles per image: `16-32`. */
  name: string;
  kind: 'dc' | 'ring' | 'octave' | 'corner';
  /** ρ of the lower edge, inclusive (exclusive for the corner). */
  fromCyclesPerPixel: number;
  /** ρ of the upper edge, exclusive (inclusive at ½; for the corner, the highest ρ there is). */
  toCyclesPerPixel: number;
  /** The edges times min(W, H): cycles per image along the shorter side. */
  fromCyclesPerImage: number;
  toCyclesPerImage: number;
  /** How many of the W·H modes lie in it; never 0. */
  modes: number;
}

/** A partition of the modes of a W×H image: every mode lies in exactly one band. */
export interface BandPartition {
  width: number;
  height: number;
  /** Ascending in frequency; those that hold a mode. */
  bands: Band[];
  /** [H,W]: index into `bands` of each mode, laid out like `fft2`. */
  membership: Int32Array;
}

/** Rings of width 1/min(W,H): ring i holds i ≤ ρ·min(W,H) < i+1, the last closed at ρ = ½. */
export function ringPartition(width: number, height: number): BandPartition {
  const shorter = Math.min(width, height);
  const lastRing = Math.ceil(shorter / 2) - 1;
  return partition(width, height, ({ scaledSquare, unit }) => {
    // ρ·min(W,H) = √scaledSquare / unit; the root may round over a whole number, so its floor is checked.
    let ring = Math.floor(Math.sqrt(scaledSquare) / unit);
    while ((ring * unit) ** 2 > scaledSquare) ring--;
    while (((ring + 1) * unit) ** 2 <= scaledSquare) ring++;
    ring = Math.min(ring, lastRing);
    return { kind: 'ring', order: ring, from: ring, to: Math.min(ring + 1, shorter / 2) };
  });
}

/**
 * Octaves down from Nyquist: [¼, ½], [⅛, ¼), … cycles per pixel. Drawn at 2 or 4 times the size, an image keeps all of
 * its octave edges (in cycles per image) and gains octaves above them.
 */
export function octavePartition(width: number, height: number): BandPartition {
  const shorter = Math.min(width, height);
  return partition(width, height, ({ scaledSquare, nyquistSquare }) => {
    let octave = 0;
    while (4 * 4 ** (octave + 1) * scaledSquare < nyquistSquare) octave++;
    return { kind: 'octave', order: -octave, from: shorter * 2 ** -(octave + 2), to: shorter * 2 ** -(octave + 1) };
  });
}

/** Sums of one value per mode, [H,W], over the modes of each band. */
export function sumByBand(values: ArrayLike<number>, { bands, membership }: BandPartition): Float64Array {
  const sums = new Float64Array(bands.length);
  for (let k = 0; k < membership.length; k++) sums[membership[k]] += values[k];
  return sums;
}

/** A mode's frequency as integers: ρ·min(W,H) = √scaledSquare / unit, and 4·scaledSquare = nyquistSquare where ρ = ½. */
interface ExactFrequency {
  scaledSquare: number;
  unit: number;
  nyquistSquare: number;
}

interface Membership {
  kind: 'ring' | 'octave';
  /** Ascends with frequency; names the band. */
  order: number;
  /** Edges in cycles per image. */
  from: number;
  to: number;
}

function partition(width: number, height: number, classify: (frequency: ExactFrequency) => Membership): BandPartition {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new RangeError(`no modes in an image of ${width}x${height}`);
  }
  const divisor = greatestCommonDivisor(width, height);
  const [reducedWidth, reducedHeight] = [width / divisor, height / divisor];
  const shorter = Math.min(width, height);
  // (ρ·min(W,H))² = (k_x² h² + k_y² w²) / max(w,h)² with w = W/gcd, h = H/gcd.
  const unit = Math.max(reducedWidth, reducedHeight);
  const nyquistSquare = (shorter * unit) ** 2;
  if (!Number.isSafeInteger(2 * nyquistSquare)) {
    throw new RangeError(`frequencies of ${width}x${height} are too many to be told apart exactly`);
  }
  const highest = Math.hypot(Math.floor(width / 2) / width, Math.floor(height / 2) / height);
  const found = new Map<number, Band & { index: number }>();
  const membership = new Int32Array(width * height);
  // ρ is the same for (±k_x, ±k_y): one quadrant decides.
  for (let ky = 0; 2 * ky <= height; ky++) {
    const rows = ky === 0 || 2 * ky === height ? [ky] : [ky, height - ky];
    for (let kx = 0; 2 * kx <= width; kx++) {
      const columns = kx === 0 || 2 * kx === width ? [kx] : [kx, width - kx];
      const scaledSquare = (kx * reducedHeight) ** 2 + (ky * reducedWidth) ** 2;
      const { kind, order, from, to } =
        scaledSquare === 0
          ? { kind: 'dc' as const, order: Number.NEGATIVE_INFINITY, from: 0, to: 0 }
          : 4 * scaledSquare > nyquistSquare
            ? { kind: 'corner' as const, order: Number.POSITIVE_INFINITY, from: shorter / 2, to: shorter * highest }
            : classify({ scaledSquare, unit, nyquistSquare });
      const band = found.get(order) ?? { ...describe(kind, from, to, shorter), modes: 0, index: found.size };
      found.set(order, band);
      band.modes += rows.length * columns.length;
      for (const row of rows) {
        for (const column of columns) membership[row * width + column] = band.index;
      }
    }
  }
  // Bands were numbered as they were met; number them by frequency.
  const ascending = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, band]) => band);
  const rank = new Int32Array(ascending.length);
  ascending.forEach((band, position) => {
    rank[band.index] = position;
  });
  for (let k = 0; k < membership.length; k++) membership[k] = rank[membership[k]];
  return { width, height, bands: ascending.map(({ index, ...band }) => band), membership };
}

/** Edges are given in cycles per image, where those of rings and octaves are exact. */
function describe(kind: Band['kind'], from: number, to: number, shorter: number): Omit<Band, 'modes'> {
  return {
    name: kind === 'dc' || kind === 'corner' ? kind : `${from}-${to}`,
    kind,
    fromCyclesPerPixel: from / shorter,
    toCyclesPerPixel: to / shorter,
    fromCyclesPerImage: from,
    toCyclesPerImage: to,
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
