/**
 * The hparams dashboard: everything it knows travels in plugin metadata, as `HParamsPluginData`
 * (tensorboard/plugins/hparams/{plugin_data,api}.proto, tags in its metadata.py).
 */
import { createHash } from 'node:crypto';
import { concatenate, doubleField, integerField, messageField, stringField } from './protobuf.ts';
import { DATA_CLASS, numberTensor, pluginValue } from './summaries.ts';

export type Hyperparameters = Readonly<Record<string, string | number | boolean>>;

/** How a session ended (`Status` in api.proto). */
export const SESSION_STATUS = { success: 1, failure: 2 } as const;

const DATA_TYPES = { string: 1, boolean: 2, number: 3 } as const;

function hparamsValue(kind: string, pluginData: Uint8Array): Uint8Array {
  const plugin = { name: 'hparams', dataClass: DATA_CLASS.tensor, content: pluginData };
  return pluginValue(`_hparams_/${kind}`, plugin, numberTensor(new Float32Array(0), [0]));
}

function sortByName(hparams: Hyperparameters): [string, string | number | boolean][] {
  return Object.entries(hparams).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A value as google.protobuf.Value. */
function valueFields(value: string | number | boolean): Uint8Array {
  if (typeof value === 'number') return doubleField(2, value);
  return typeof value === 'string' ? stringField(3, value) : integerField(4, value);
}

/** `Experiment`: which hyperparameters there are, and which scalar tags are the metrics. */
export function experimentValue(hparams: Hyperparameters, metrics: readonly string[], seconds: number): Uint8Array {
  const infos = sortByName(hparams).map(([name, value]) =>
    messageField(4, stringField(1, name), integerField(4, DATA_TYPES[typeof value as keyof typeof DATA_TYPES])),
  );
  const metricInfos = metrics.map((tag) => messageField(5, messageField(1, stringField(2, tag))));
  return hparamsValue('experiment', messageField(2, doubleField(3, seconds), ...infos, ...metricInfos));
}

/**
 * `SessionStartInfo`: the values of this run. Runs of equal values form one group, as with TensorBoard's own writer.
 */
export function sessionStartValue(hparams: Hyperparameters, seconds: number): Uint8Array {
  const entries = sortByName(hparams);
  const group = createHash('sha256').update(JSON.stringify(entries)).digest('hex');
  const map = entries.map(([name, value]) =>
    messageField(1, stringField(1, name), messageField(2, valueFields(value))),
  );
  return hparamsValue('session_start_info', messageField(3, ...map, stringField(4, group), doubleField(5, seconds)));
}

/** `SessionEndInfo`. */
export function sessionEndValue(status: keyof typeof SESSION_STATUS, seconds: number): Uint8Array {
  const info = concatenate(integerField(1, SESSION_STATUS[status]), doubleField(2, seconds));
  return hparamsValue('session_end_info', messageField(4, info));
}
