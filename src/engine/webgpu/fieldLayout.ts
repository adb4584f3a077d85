/**
 * How the field kernels lay out memory: every width padded, so that inner loops have no edges.
 *
 * Packed weights of one field, layer after layer: kernel [hidden + features, outputs], bias [outputs] and, after the
 * first layer, the hidden part's transpose [outputs, hidden], of 16 rows at least, which the backward pass reads as the
 * forward pass reads the kernel. Padding is zero. Packed gradients are the same without the transposes.
 */
import { type FieldSpec, fieldDimensions } from '../../ops/fieldSpec.ts';

/** Widths of hidden layers and of features are padded to this: the edge of every matrix unit, and two vectors of four. */
export const WIDTH_UNIT = 16;
/** The output layer's to one vector. */
const OUTPUT_UNIT = 4;

export interface LayerLayout {
  /** True and padded number of inputs from the layer before, and from the features. */
  hidden: number;
  hiddenPadded: number;
  features: number;
  featuresPadded: number;
  outputs: number;
  outputsPadded: number;
  /** Where its parts begin in a field's packed weights. */
  kernel: number;
  bias: number;
  transpose: number;
  transposeRows: number;
  /** Where its parts begin in a field's packed gradients. */
  kernelGradient: number;
  biasGradient: number;
}

export interface FieldLayout {
  layers: readonly LayerLayout[];
  features: number;
  channels: number;
  /** Values of one field's packed weights, and of its packed gradients. */
  weightStride: number;
  gradientStride: number;
  widestHidden: number;
}

const pad = (width: number, unit: number) => Math.ceil(width / unit) * unit;

/** @param outputUnit what the output layer's width is padded to. */
export function fieldLayout(spec: FieldSpec, outputUnit = OUTPUT_UNIT): FieldLayout {
  const { features, channels } = fieldDimensions(spec);
  const last = spec.layers.length - 1;
  let [weightStride, gradientStride, before] = [0, 0, 0];
  const layers = spec.layers.map(({ outputs }, l) => {
    const hidden = before;
    const hiddenPadded = pad(hidden, WIDTH_UNIT);
    const ownFeatures = l === 0 || l === spec.skipLayer ? features : 0;
    const featuresPadded = pad(ownFeatures, WIDTH_UNIT);
    const outputsPadded = pad(outputs, l === last ? outputUnit : WIDTH_UNIT);
    const kernelSize = (hiddenPadded + featuresPadded) * outputsPadded;
    const layout: LayerLayout = {
      hidden,
      hiddenPadded,
      features: ownFeatures,
      featuresPadded,
      outputs,
      outputsPadded,
      kernel: weightStride,
      bias: weightStride + kernelSize,
      transpose: weightStride + kernelSize + outputsPadded,
      transposeRows: pad(outputs, WIDTH_UNIT),
      kernelGradient: gradientStride,
      biasGradient: gradientStride + kernelSize,
    };
    weightStride += kernelSize + outputsPadded + hiddenPadded * layout.transposeRows;
    gradientStride += kernelSize + outputsPadded;
    before = outputs;
    return layout;
  });
  const widestHidden = Math.max(0, ...layers.slice(0, -1).map(({ outputsPadded }) => outputsPadded));
  return { layers, features, channels, weightStride, gradientStride, widestHidden };
}

/**
 * Values that a training pass keeps for each point, in regions of [fields, points, width]: per hidden layer its
 * activations and, in place of their derivatives, its deltas; then the deltas of the output.
 */
export interface Workspace {
  /** Where each region begins, in values per point. */
  activations: readonly number[];
  deltas: readonly number[];
  outputDelta: number;
  valuesPerPoint: number;
}

export function workspaceOf({ layers }: FieldLayout): Workspace {
  let at = 0;
  const region = (width: number) => {
    at += width;
    return at - width;
  };
  const hidden = layers.slice(0, -1);
  const activations = hidden.map(({ outputsPadded }) => region(outputsPadded));
  const deltas = hidden.map(({ outputsPadded }) => region(outputsPadded));
  const outputDelta = region(layers[layers.length - 1].outputsPadded);
  return { activations, deltas, outputDelta, valuesPerPoint: at };
}

/** Everything that the code of a field's kernels depends on; and what that of its gradients, which know no activation. */
export function specKey(spec: FieldSpec): string {
  return `${shapeKey(spec)} ${spec.activation} ${spec.omega} ${spec.output}`;
}
export function shapeKey({ layers, skipLayer }: FieldSpec): string {
  return `${[layers[0].inputs, ...layers.map(({ outputs }) => outputs)].join('-')} ${skipLayer ?? ''}`;
}
