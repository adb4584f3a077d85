/** Slow references in float64 that the measured kernels are checked against. */

/**
 * A ReLU field with a sigmoid at its end: the sum of squared errors and its gradient with respect to every kernel. Point p
 * counts `counts[p]` times, so that many points that repeat a few cost no more than the few.
 *
 * @param kernels of each layer, [inputs, outputs]; biases [outputs]; features [P, widths[0]]; targets [P, last width].
 */
export function fieldFloat64(
  widths: readonly number[],
  weights: { kernels: readonly Float32Array[]; biases: readonly Float32Array[] },
  features: Float32Array,
  targets: Float32Array,
  counts: (point: number) => number = () => 1,
): { squaredError: number; kernels: Float64Array[] } {
  const layers = widths.slice(1).map((outputs, l) => ({ inputs: widths[l], outputs }));
  const gradients = layers.map(({ inputs, outputs }) => new Float64Array(inputs * outputs));
  const channels = widths[widths.length - 1];
  let squaredError = 0;
  for (let p = 0; p < features.length / widths[0]; p++) {
    const count = counts(p);
    const activations: Float64Array[] = [Float64Array.from(features.subarray(p * widths[0], (p + 1) * widths[0]))];
    layers.forEach(({ inputs, outputs }, l) => {
      const kernel = weights.kernels[l];
      const y = Float64Array.from(weights.biases[l]);
      for (let i = 0; i < inputs; i++) {
        const x = activations[l][i];
        for (let o = 0; o < outputs; o++) y[o] += x * kernel[i * outputs + o];
      }
      activations.push(y.map((z) => (l === layers.length - 1 ? 1 / (1 + Math.exp(-z)) : Math.max(0, z))));
    });
    let delta = activations[layers.length].map((y, c) => {
      const difference = y - targets[p * channels + c];
      squaredError += count * difference ** 2;
      return 2 * count * difference * y * (1 - y);
    });
    for (let l = layers.length - 1; l >= 0; l--) {
      const { inputs, outputs } = layers[l];
      const kernel = weights.kernels[l];
      const x = activations[l];
      const below = new Float64Array(inputs);
      for (let i = 0; i < inputs; i++) {
        if (l > 0 && x[i] === 0) continue; // a closed rectifier passes nothing either way
        for (let o = 0; o < outputs; o++) {
          gradients[l][i * outputs + o] += x[i] * delta[o];
          below[i] += kernel[i * outputs + o] * delta[o];
        }
      }
      delta = below;
    }
  }
  return { squaredError, kernels: gradients };
}

export interface ConvolutionValues {
  /** Images, their side, and the channels of input and output alike. */
  images: number;
  size: number;
  channels: number;
  x: Float32Array;
  dy: Float32Array;
  /** [3,3,C,C] */
  filter: Float32Array;
}

/**
 * A 3×3 convolution with zeros around: at some places the output and the gradient of the input, each [places, C], and the
 * gradient of the filter for input channel 3, [9, C].
 */
export function convolutionFloat64({ images, size, channels, x, dy, filter }: ConvolutionValues) {
  const at = (image: number, row: number, column: number) => {
    const inside = row >= 0 && row < size && column >= 0 && column < size;
    return inside ? ((image * size + row) * size + column) * channels : -1;
  };
  const places = [at(0, 0, 0), at(images - 1, size >> 1, size - 1), at(images >> 1, size - 1, size >> 2)];
  const [outputs, inputs] = [new Float64Array(places.length * channels), new Float64Array(places.length * channels)];
  const filters = new Float64Array(9 * channels);
  for (let pixel = 0; pixel < images * size * size; pixel++) {
    const [image, row, column] = [Math.floor(pixel / size ** 2), Math.floor(pixel / size) % size, pixel % size];
    const output = places.indexOf(pixel * channels);
    for (let tap = 0; tap < 9; tap++) {
      const from = at(image, row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1);
      if (from < 0) continue;
      for (let o = 0; o < channels; o++) filters[tap * channels + o] += x[from + 3] * dy[pixel * channels + o];
      const input = places.indexOf(from);
      if (output < 0 && input < 0) continue;
      for (let i = 0; i < channels; i++) {
        const w = (tap * channels + i) * channels;
        for (let o = 0; o < channels; o++) {
          if (output >= 0) outputs[output * channels + o] += x[from + i] * filter[w + o];
          if (input >= 0) inputs[input * channels + i] += dy[pixel * channels + o] * filter[w + o];
        }
      }
    }
  }
  /** The same entries of an output or of a gradient of the input, and of a gradient of the filter. */
  const pick = (values: ArrayLike<number>) =>
    Float64Array.from(
      { length: places.length * channels },
      (_, i) => values[places[Math.floor(i / channels)] + (i % channels)],
    );
  const pickFilter = (values: ArrayLike<number>) =>
    Float64Array.from({ length: 9 * channels }, (_, i) => {
      return values[(Math.floor(i / channels) * channels + 3) * channels + (i % channels)];
    });
  return { outputs, inputs, filters, pick, pickFilter };
}
