/**
 * Where pixels lie. The image is the square [0,1]², x to the right, y down, pixel centres at ((i+½)/W, (j+½)/H).
 * This is the only place that says so; data, training and rendering all ask here.
 */

/** A part of the plane and the pixels that cover it. Coordinates outside [0,1] are legal (off-canvas). */
export interface View {
  /** Left, top, right and bottom edge, in image units. */
  window: readonly [x0: number, y0: number, x1: number, y1: number];
  width: number;
  height: number;
}

export function fullView(width: number, height: number): View {
  return { window: [0, 0, 1, 1], width, height };
}

/** Centres of the `count` pixels that divide [start, end], in float64. */
export function pixelCentres(start: number, end: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => start + ((i + 0.5) / count) * (end - start));
}

/** Size of one pixel of the view, in image units. */
export function pixelFootprint(view: View): [width: number, height: number] {
  const [x0, y0, x1, y1] = view.window;
  return [(x1 - x0) / view.width, (y1 - y0) / view.height];
}
