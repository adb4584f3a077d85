/** Images in a folder and everything below it. */
import type { BigIntStats, Dirent } from 'node:fs';
import { open, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { UsageError } from '../../errors.ts';
import type { SkippedFile } from '../imageSet.ts';
import { compareNames, defineSource, type ImageSource, imageKind, reasonOf } from '../source.ts';

interface FoundFile {
  /** Relative to the root, with "/" on every platform. */
  name: string;
  path: string;
  size: number;
  modified: string;
}

interface Folder {
  /** '' for the root, else ends in "/". */
  name: string;
  real: string;
}

/** Why a file can't be opened, or ''. Opening is the only test that holds on every file system. */
async function whyUnreadable(path: string): Promise<string> {
  try {
    await (await open(path)).close();
    return '';
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Lists images below a folder. Links are followed, each real folder is entered once (by its own path rather than through a
 * link, where both lead there), and a link to a folder that contains it or the root is not entered.
 */
async function walk(root: string): Promise<{ files: FoundFile[]; skipped: SkippedFile[] }> {
  const files: FoundFile[] = [];
  const skipped: SkippedFile[] = [];
  const visited = new Set<string>();
  const linked: Folder[] = [];

  async function visitFile(name: string, path: string, stats: BigIntStats): Promise<void> {
    const kind = imageKind(name);
    if (kind === undefined) return;
    const reason = kind.readable ? await whyUnreadable(path) : kind.reason;
    if (reason !== '') skipped.push({ name, reason });
    else files.push({ name, path, size: Number(stats.size), modified: String(stats.mtimeNs) });
  }

  async function visitLink(name: string, path: string, folder: Folder): Promise<void> {
    try {
      const stats = await stat(path, { bigint: true });
      if (!stats.isDirectory()) return await (stats.isFile() ? visitFile(name, path, stats) : undefined);
      const real = await realpath(path);
      const contains = (inner: string) => `${inner}${sep}`.startsWith(real.endsWith(sep) ? real : `${real}${sep}`);
      if (!contains(root) && !contains(folder.real)) linked.push({ name: `${name}/`, real });
    } catch (error) {
      skipped.push({ name, reason: `link: ${reasonOf(error)}` });
    }
  }

  async function visitFolder(folder: Folder): Promise<void> {
    if (visited.has(folder.real)) return;
    visited.add(folder.real);
    let children: Dirent[];
    try {
      children = await readdir(folder.real, { withFileTypes: true });
    } catch (error) {
      skipped.push({ name: folder.name, reason: reasonOf(error) });
      return;
    }
    const shown = children.filter((child) => !child.name.startsWith('.'));
    const others = shown.filter((child) => !child.isDirectory());
    await Promise.all(
      others.map(async (child) => {
        const name = folder.name + child.name;
        const path = join(folder.real, child.name);
        if (child.isSymbolicLink()) return visitLink(name, path, folder);
        if (!child.isFile() || imageKind(name) === undefined) return;
        await stat(path, { bigint: true }).then(
          (stats) => visitFile(name, path, stats),
          (error) => skipped.push({ name, reason: reasonOf(error) }),
        );
      }),
    );
    for (const child of shown.filter((child) => child.isDirectory())) {
      await visitFolder({ name: `${folder.name}${child.name}/`, real: join(folder.real, child.name) });
    }
  }

  await visitFolder({ name: '', real: root });
  for (let links = linked.splice(0); links.length > 0; links = linked.splice(0)) {
    for (const link of links.sort((a, b) => compareNames(a.name, b.name))) await visitFolder(link);
  }
  const byName = (a: { name: string }, b: { name: string }) => compareNames(a.name, b.name);
  return { files: files.sort(byName), skipped: skipped.sort(byName) };
}

/**
 * Every image below `path`, sorted. First-level folders are the classes when every image lies in one.
 * @throws UsageError when the folder can't be read
 */
export async function folderSource(path: string): Promise<ImageSource> {
  const title = `folder "${path}"`;
  const root = await realpath(path)
    .then(async (real) => {
      await readdir(real);
      return real;
    })
    .catch((error) => {
      const hint = error.code === 'ENOTDIR' ? ' (for an archive, set data.source to zip)' : '';
      throw new UsageError(`can't read ${title}: ${reasonOf(error)}${hint}; check data.path`, { cause: error });
    });
  const { files, skipped } = await walk(root);
  const inFolders = files.length > 0 && files.every(({ name }) => name.includes('/'));
  const folderOf = (name: string) => name.slice(0, name.indexOf('/'));
  const classes = inFolders ? [...new Set(files.map(({ name }) => folderOf(name)))].sort(compareNames) : undefined;
  const labelOf = new Map(classes?.map((name, index) => [name, index]));
  return {
    title,
    identity: ['folder', root, files.map(({ name, size, modified }) => [name, size, modified]), skipped],
    entries: files.map(({ name, path }) => ({ name, label: labelOf.get(folderOf(name)), read: () => readFile(path) })),
    skipped,
    classes,
    close: async () => {},
  };
}

export const folder = defineSource({
  about: 'your images',
  keys: {},
  needsPath: true,
  open: ({ path = '' }) => folderSource(path),
});
