/** Images in a zip, with labels in StyleGAN's form: `dataset.json` = {"labels": [[path, class], …] | null}. */
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { UsageError } from '../../errors.ts';
import type { SkippedFile } from '../imageSet.ts';
import { compareNames, defineSource, type ImageSource, imageKind, reasonOf, type SourceEntry } from '../source.ts';

const LABELS_FILE = 'dataset.json';

/** The entry's content, checked against its size (by yauzl) and its CRC. */
async function readEntry(zip: ZipFile, entry: Entry): Promise<Buffer> {
  const content = await buffer(await zip.openReadStreamPromise(entry));
  if (crc32(content) !== entry.crc32) throw new Error('checksum mismatch: the archive is damaged here');
  return content;
}

/** Class of each path, or undefined for a set without labels. Throws with the reason when the file is malformed. */
function parseLabels(text: string): Map<string, number> | undefined {
  const labels: unknown = JSON.parse(text)?.labels;
  if (labels === null || labels === undefined) return undefined;
  if (!Array.isArray(labels)) throw new Error('"labels" must be null or a list of [path, class]');
  return new Map(
    labels.map((pair, i) => {
      const [path, label] = Array.isArray(pair) ? pair : [];
      if (typeof path !== 'string' || !Number.isSafeInteger(label) || label < 0) {
        throw new Error(`labels[${i}] must be [path, class] with a whole number, got ${JSON.stringify(pair)}`);
      }
      return [path, label];
    }),
  );
}

/** Reads the archive's list of contents. A name that comes twice counts by its last entry, as unzip would leave it. */
async function listEntries(zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) {
    if (!entry.fileName.endsWith('/')) entries.set(entry.fileName, entry);
  }
  return entries;
}

/** @throws UsageError when the archive can't be opened, or its labels are malformed or missing for an image */
export async function zipSource(path: string): Promise<ImageSource> {
  const title = `zip "${path}"`;
  const zip = await openPromise(path, { autoClose: false }).catch((error) => {
    throw new UsageError(`can't read ${title}: ${reasonOf(error)}; check data.path and that the archive is complete`);
  });
  try {
    const all = await listEntries(zip).catch((error) => {
      throw new UsageError(`can't read ${title}: ${reasonOf(error)}; the archive is damaged, make it again`);
    });
    const labelsEntry = all.get(LABELS_FILE);
    const badLabels = (reason: string) => new UsageError(`${LABELS_FILE} in ${title}: ${reason}`);
    const labels =
      labelsEntry &&
      (await readEntry(zip, labelsEntry)
        .then((content) => parseLabels(content.toString('utf8')))
        .catch((error) => {
          throw badLabels(reasonOf(error));
        }));

    const entries: SourceEntry[] = [];
    const skipped: SkippedFile[] = [];
    for (const [name, entry] of [...all].sort(([a], [b]) => compareNames(a, b))) {
      const kind = imageKind(name);
      if (kind?.readable) entries.push({ name, label: labels?.get(name), read: () => readEntry(zip, entry) });
      else if (kind) skipped.push({ name, reason: kind.reason });
    }
    const unlabelled = labels ? entries.filter(({ label }) => label === undefined) : [];
    if (unlabelled.length > 0) {
      const count = `${unlabelled.length} of ${entries.length} images`;
      throw badLabels(`no label for "${unlabelled[0].name}" (${count}); label every image or set "labels" to null`);
    }
    const contents = [...all].map(([name, { crc32, uncompressedSize }]) => [name, uncompressedSize, crc32]);
    return { title, identity: ['zip', contents], entries, skipped, close: async () => zip.close() };
  } catch (error) {
    zip.close();
    throw error;
  }
}

export const zip = defineSource({
  about: 'a StyleGAN-style archive',
  keys: {},
  needsPath: true,
  open: ({ path = '' }) => zipSource(path),
});
