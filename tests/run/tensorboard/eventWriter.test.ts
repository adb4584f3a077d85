import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { EventWriter } from '../../../src/run/tensorboard/eventWriter.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';
import { at, decodeFields, readRecords, textAt } from './eventFile.ts';

// One grey pixel.
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==',
  'base64',
);

const HERE = dirname(fileURLToPath(import.meta.url));

function protocMissing(): boolean {
  try {
    execFileSync('protoc', ['--version']);
    return false;
  } catch {
    console.warn('protoc is not installed: skipped decoding event files with it');
    return true;
  }
}

function protoc(message: Uint8Array, type: string): string {
  const options = [`--decode=tensorboard.${type}`, `--proto_path=${HERE}`, join(HERE, 'event.proto')];
  const text = execFileSync('protoc', options, { input: message, encoding: 'utf8' });
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** Opens a writer in a new folder, lets `use` write, and gives the records after the two that open a file. */
async function written(use: (writer: EventWriter) => void): Promise<Uint8Array[]> {
  const writer = await EventWriter.open(await temporaryFolder());
  use(writer);
  writer.close();
  return readRecords(writer.path).slice(2);
}

test('a file is named as TensorBoard expects and starts with its version and a session', async () => {
  const before = Date.now() / 1000;
  const writer = await EventWriter.open(join(await temporaryFolder(), 'not/there/yet'));
  writer.close();
  expect(basename(writer.path)).toMatch(/^events\.out\.tfevents\.\d{10}\.[\w-]+\.\d+\.\d+$/);
  const [version, session] = readRecords(writer.path);
  expect(textAt(version, 3)).toBe('brain.Event:2');
  expect(at(version, 1)).toBeGreaterThanOrEqual(before);
  expect(at(version, 1)).toBeLessThanOrEqual(Date.now() / 1000);
  expect(at(session, 7, 1)).toBe(1);
  expect(at(session, 2)).toBe(0);
});

test('a resumed run writes a file of a later name, whose session starts after the step it resumes from', async () => {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, 'events.out.tfevents.4000000000.elsewhere.1.0'), '');
  const writer = await EventWriter.open(folder, { startStep: 250 });
  writer.close();
  expect(readdirSync(folder).sort()[1]).toBe(basename(writer.path));
  const [version, session] = readRecords(writer.path);
  expect(textAt(version, 3)).toBe('brain.Event:2');
  expect(at(session, 7, 1)).toBe(1);
  expect(at(session, 2)).toBe(251);
});

test('scalars are float tensors of rank 0 under the scalars plugin, large steps and NaN included', async () => {
  const [one, two] = await written((writer) => {
    writer.scalar('loss/total', 0.1, 2 ** 40 + 3);
    writer.scalars({ a: Number.NaN, 'b/ü': -Infinity }, 7);
  });
  expect(at(one, 2)).toBe(2 ** 40 + 3);
  expect(textAt(one, 5, 1, 1)).toBe('loss/total');
  expect(textAt(one, 5, 1, 9, 1, 1)).toBe('scalars');
  expect(at(one, 5, 1, 8, 1)).toBe(1);
  expect(at(one, 5, 1, 8, 2)).toHaveLength(0);
  const float = (tensorContent: unknown) => Buffer.from(tensorContent as Uint8Array).readFloatLE();
  expect(float(at(one, 5, 1, 8, 4))).toBe(Math.fround(0.1));
  const values = decodeFields(at(two, 5) as Uint8Array)[1] as Uint8Array[];
  expect(values.map((value) => textAt(value, 1))).toEqual(['a', 'b/ü']);
  expect(values.map((value) => float(at(value, 8, 4)))).toEqual([Number.NaN, -Infinity]);
});

test('an image keeps its PNG and says its size and channels', async () => {
  const [event] = await written((writer) => writer.image('samples', PNG, 1, 2, 3));
  const image = decodeFields(at(event, 5, 1, 4) as Uint8Array);
  expect([image[1], image[2], image[3]]).toEqual([[2], [1], [1]]);
  expect(Buffer.compare(image[4][0] as Uint8Array, PNG)).toBe(0);
  await expect(written((writer) => writer.image('samples', PNG.subarray(1), 1, 1, 0))).rejects.toThrow('not a PNG');
});

test('a histogram is a [k,3] tensor of doubles', async () => {
  const [event] = await written((writer) => writer.histogram('weights', [1, 2, 3, 5], 9, { buckets: 2 }));
  expect(textAt(event, 5, 1, 9, 1, 1)).toBe('histograms');
  const tensor = decodeFields(at(event, 5, 1, 8) as Uint8Array);
  expect(tensor[1]).toEqual([2]);
  const sizes = decodeFields(tensor[2][0] as Uint8Array)[2].map((dim) => at(dim as Uint8Array, 1));
  expect(sizes).toEqual([2, 3]);
  const content = Buffer.from(tensor[4][0] as Uint8Array);
  expect(Array.from({ length: 6 }, (_, i) => content.readDoubleLE(8 * i))).toEqual([1, 3, 2, 3, 5, 2]);
});

test.skipIf(protocMissing())('protoc finds what was written in every kind of record', async () => {
  const events = await written((writer) => {
    writer.scalar('loss', 0.5, 3);
    writer.image('samples', PNG, 1, 1, 3);
    writer.histogram('weights', [1], 3, { buckets: 1 });
    writer.text('config', '# Grüße', 0);
    writer.hparams({ 'train.steps': 500, 'a.flag': false, zero: 0, name: 'x', empty: '' }, ['loss']);
    writer.sessionEnd('success');
    writer.customScalars({ Training: { Losses: ['loss', 'penalty/.*'] } });
  });
  const shown = events.map((event) => protoc(event, 'Event'));
  expect(shown[0]).toContain(
    'step: 3 summary { value { tag: "loss" tensor { dtype: DT_FLOAT tensor_shape { } tensor_content: "\\000\\000\\000?" } ' +
      'metadata { plugin_data { plugin_name: "scalars" } data_class: DATA_CLASS_SCALAR } } }',
  );
  expect(shown[1]).toContain('tag: "samples" image { height: 1 width: 1 colorspace: 1 encoded_image_string: "\\211PNG');
  expect(shown[2]).toContain(
    'tensor { dtype: DT_DOUBLE tensor_shape { dim { size: 1 } dim { size: 3 } } tensor_content:',
  );
  expect(shown[3]).toContain(
    'tag: "config/text_summary" tensor { dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: "# Gr\\303\\274\\303\\237e" }',
  );
  for (const [i, kind] of [4, 5, 6].map(
    (i, j) => [i, ['experiment', 'session_start_info', 'session_end_info'][j]] as const,
  )) {
    expect(shown[i]).toContain(`tag: "_hparams_/${kind}" tensor { dtype: DT_FLOAT tensor_shape { dim { } }`);
    expect(shown[i]).toContain('plugin_name: "hparams"');
  }
  const pluginData = (i: number) => protoc(at(events[i], 5, 1, 9, 1, 2) as Uint8Array, 'HParamsPluginData');
  expect(pluginData(4)).toMatch(
    /^experiment \{ time_created_secs: [\d.]+ hparam_infos \{ name: "a.flag" type: DATA_TYPE_BOOL \} hparam_infos \{ name: "empty" type: DATA_TYPE_STRING \} .*hparam_infos \{ name: "train.steps" type: DATA_TYPE_FLOAT64 \} .*metric_infos \{ name \{ tag: "loss" \} \} \}$/,
  );
  for (const [name, value] of [
    ['a.flag', 'bool_value: false'],
    ['empty', 'string_value: ""'],
    ['name', 'string_value: "x"'],
    ['train.steps', 'number_value: 500'],
    ['zero', 'number_value: 0'],
  ]) {
    expect(pluginData(5)).toContain(`hparams { key: "${name}" value { ${value} } }`);
  }
  expect(pluginData(6)).toMatch(/^session_end_info \{ status: STATUS_SUCCESS end_time_secs: [\d.]+ \}$/);
  expect(shown[7]).toContain('plugin_name: "custom_scalars"');
  expect(protoc(at(events[7], 5, 1, 8, 8) as Uint8Array, 'Layout')).toBe(
    'category { title: "Training" chart { title: "Losses" multiline { tag: "loss" tag: "penalty/.*" } } }',
  );
  // No field that the schema doesn't know: those would be shown by number.
  for (const text of shown) expect(text).not.toMatch(/(^|[ {])\d+(:| \{)/);
});

test('without metrics no experiment is declared, so that TensorBoard collects it from all runs', async () => {
  const events = await written((writer) => writer.hparams({ a: 1 }, []));
  expect(events.map((event) => textAt(event, 5, 1, 1))).toEqual(['_hparams_/session_start_info']);
});

test('runs of equal hyperparameters are of one group, in whatever order they are given', async () => {
  const events = await written((writer) => {
    writer.hparams({ a: 1, b: true }, []);
    writer.hparams({ b: true, a: 1 }, []);
    writer.hparams({ b: 'true', a: 1 }, []);
  });
  const groups = events.map((event) => textAt(at(event, 5, 1, 9, 1, 2) as Uint8Array, 3, 4));
  expect(groups[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(groups[1]).toBe(groups[0]);
  expect(groups[2]).not.toBe(groups[0]);
});

test('records wait in the buffer until flushed, or until there are many', async () => {
  const writer = await EventWriter.open(await temporaryFolder());
  const opened = statSync(writer.path).size;
  writer.scalar('loss', 1, 1);
  expect(statSync(writer.path).size).toBe(opened);
  writer.flush();
  expect(readRecords(writer.path)).toHaveLength(3);
  writer.text('long', 'x'.repeat(300_000), 1);
  expect(readRecords(writer.path)).toHaveLength(4);
  writer.close();
  writer.close();
});

test('cut off anywhere, a file gives the records before the cut', async () => {
  const writer = await EventWriter.open(await temporaryFolder());
  const ends = [2, 3, 4].map((count) => {
    if (count > 2) writer.scalar('loss', count, count);
    writer.flush();
    return statSync(writer.path).size;
  });
  writer.close();
  for (let size = ends[2]; size >= ends[0]; size--) {
    truncateSync(writer.path, size);
    expect(readRecords(writer.path)).toHaveLength(2 + ends.slice(1).filter((end) => end <= size).length);
  }
});

test('a damaged byte is noticed by the checksums', async () => {
  const writer = await EventWriter.open(await temporaryFolder());
  writer.close();
  const bytes = readFileSync(writer.path);
  bytes[20] ^= 1;
  writeFileSync(writer.path, bytes);
  expect(() => readRecords(writer.path)).toThrow('damaged');
});

test('a folder that cannot be made is said in one line', async () => {
  const file = join(await temporaryFolder(), 'file');
  writeFileSync(file, '');
  await expect(EventWriter.open(join(file, 'logs'))).rejects.toThrow(
    /^cannot write event files in .*: a part of the path/,
  );
});
