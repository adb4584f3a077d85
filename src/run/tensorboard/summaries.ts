/**
 * The values of TensorBoard's dashboards, as encoded `Summary.Value` messages. Field numbers are those of
 * tensorflow/core/framework/{summary,tensor,tensor_shape,types}.proto.
 */
import { histogramRows } from './histogram.ts';
import { bytesField, concatenate, integerField, messageField, stringField } from './protobuf.ts';

const DT_FLOAT = 1;
const DT_DOUBLE = 2;
const DT_STRING = 7;

/** How dashboards and data servers treat a series (`DataClass` in summary.proto). */
export const DATA_CLASS = { scalar: 1, tensor: 2 } as const;

/** `Summary.Value` with a tensor and the plugin that shows it. */
export function pluginValue(
  tag: string,
  plugin: { name: string; dataClass: number; content?: Uint8Array },
  tensor: Uint8Array,
): Uint8Array {
  const pluginData = [stringField(1, plugin.name), ...(plugin.content ? [bytesField(2, plugin.content)] : [])];
  const metadata = [messageField(1, ...pluginData), integerField(4, plugin.dataClass)];
  return concatenate(stringField(1, tag), messageField(9, ...metadata), bytesField(8, tensor));
}

function tensorShape(shape: readonly number[]): Uint8Array {
  return messageField(2, ...shape.map((size) => messageField(2, integerField(1, size))));
}

/** `TensorProto` of floats or doubles. */
export function numberTensor(data: Float32Array | Float64Array, shape: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(data.byteLength);
  const view = new DataView(bytes.buffer);
  const float = data instanceof Float32Array;
  data.forEach((value, i) => {
    if (float) view.setFloat32(4 * i, value, true);
    else view.setFloat64(8 * i, value, true);
  });
  return concatenate(integerField(1, float ? DT_FLOAT : DT_DOUBLE), tensorShape(shape), bytesField(4, bytes));
}

/** `TensorProto` of one byte string, of shape [] or [1]. */
export function stringTensor(value: Uint8Array, shape: readonly number[]): Uint8Array {
  return concatenate(integerField(1, DT_STRING), tensorShape(shape), bytesField(8, value));
}

/** A scalar in the new form, a float32 tensor of rank 0. NaN and infinities are kept. */
export function scalarValue(tag: string, value: number): Uint8Array {
  const plugin = { name: 'scalars', dataClass: DATA_CLASS.scalar };
  return pluginValue(tag, plugin, numberTensor(Float32Array.of(value), []));
}

/** A histogram in the new form, a float64 tensor [buckets, 3] of left edge, right edge and count. */
export function histogramValue(tag: string, values: ArrayLike<number>, buckets?: number): Uint8Array {
  const rows = histogramRows(values, buckets);
  const plugin = { name: 'histograms', dataClass: DATA_CLASS.tensor };
  return pluginValue(tag, plugin, numberTensor(rows, [rows.length / 3, 3]));
}

/** Markdown, a string tensor [1] under the tag that the text dashboard and PyTorch's writer use. */
export function textValue(tag: string, markdown: string): Uint8Array {
  const plugin = { name: 'text', dataClass: DATA_CLASS.tensor };
  return pluginValue(`${tag}/text_summary`, plugin, stringTensor(new TextEncoder().encode(markdown), [1]));
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Channels of each PNG colour type (PNG specification, §11.2.2); a palette expands to RGB. */
const PNG_CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };

/** `Summary.Image`: the form that both TensorBoard and the readers of older logs understand. */
export function imageValue(tag: string, png: Uint8Array, width: number, height: number): Uint8Array {
  if (png.length < 26 || PNG_SIGNATURE.some((byte, i) => png[i] !== byte)) throw new TypeError(`${tag}: not a PNG`);
  const image = [
    integerField(1, height),
    integerField(2, width),
    integerField(3, PNG_CHANNELS[png[25]] ?? 3),
    bytesField(4, png),
  ];
  return concatenate(stringField(1, tag), messageField(4, ...image));
}

/** Categories of charts of tags; see `EventWriter.customScalars`. */
export type ScalarLayout = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** `Layout` of the custom-scalars dashboard (tensorboard/plugins/custom_scalar/layout.proto). */
export function layoutValue(layout: ScalarLayout): Uint8Array {
  const categories = Object.entries(layout).map(([category, charts]) =>
    messageField(
      2,
      stringField(1, category),
      ...Object.entries(charts).map(([title, tags]) =>
        messageField(2, stringField(1, title), messageField(2, ...tags.map((tag) => stringField(1, tag)))),
      ),
    ),
  );
  const plugin = { name: 'custom_scalars', dataClass: DATA_CLASS.tensor };
  return pluginValue('custom_scalars__config__', plugin, stringTensor(concatenate(...categories), []));
}
