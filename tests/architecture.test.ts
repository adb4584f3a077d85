/** Keeps DESIGN's table of imports true: which folder may import which, and who may import which package. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** What each folder of src may import besides itself and the ground floor (`src/*.ts`). */
const ALLOWED: Record<string, string[]> = {
  engine: [],
  config: [],
  models: ['engine', 'config'],
  data: ['config'],
  render: ['models', 'engine', 'config'],
  eval: ['models', 'render', 'engine', 'config'],
  train: ['models', 'render', 'engine', 'config', 'data', 'eval'],
};

/** Packages that only certain places may import. */
const PACKAGES: [pattern: RegExp, allowed: RegExp][] = [
  [/^@tensorflow\/tfjs$/, /^src\/tf\.ts$/],
  [/^@tensorflow\//, /^src\/(tf\.ts|engine\/)/],
  [/^sharp$/, /^src\/(data|render)\/|^scripts\/|^tests\//],
  [/^p-limit$/, /^src\/data\//],
  [/^yargs/, /^scripts\//],
  [/^(zod|yaml)$/, /^src\/config\//],
];

interface Import {
  file: string;
  target: string;
  typeOnly: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8');
  const statement =
    /(?:import|export)\s+(type\s+)?[^;'"]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)|import\s+'([^']+)'/g;
  return [...text.matchAll(statement)].map((match) => ({
    file: relative(root, path),
    target: match[2] ?? match[3] ?? match[4],
    typeOnly: match[1] !== undefined,
  }));
}

const imports = ['src', 'scripts'].flatMap((folder) => sourceFiles(join(root, folder))).flatMap(importsOf);

/** 'models' for src/models/x.ts, '' for src/x.ts, 'scripts' for scripts/x.ts. */
function place(file: string): string {
  const [top, folder, ...rest] = file.split('/');
  return top === 'src' ? (rest.length > 0 ? folder : '') : top;
}

describe('the architecture', () => {
  it('has source files to look at', () => {
    expect(imports.length).toBeGreaterThan(50);
  });

  it('lets each folder import only what the design allows', () => {
    const wrong = imports
      .filter(({ target }) => target.startsWith('.'))
      .map(({ file, target }) => ({
        file,
        from: place(file),
        target: relative(root, resolve(root, dirname(file), target)),
      }))
      .filter(({ file, from, target }) => {
        const to = place(target);
        if (from === 'scripts' || file === 'src/index.ts' || to === '' || to === from) return false;
        return from === '' || !(ALLOWED[from] ?? []).includes(to);
      });
    expect(wrong).toEqual([]);
  });

  it('keeps TensorFlow.js, sharp, p-limit, yargs, zod and yaml where they belong', () => {
    const wrong = imports.filter(({ file, target, typeOnly }) => {
      const rule = PACKAGES.find(([pattern]) => pattern.test(target));
      return rule && !typeOnly && !rule[1].test(file);
    });
    expect(wrong).toEqual([]);
  });

  it('never calls Math.random', () => {
    const callers = [...sourceFiles(join(root, 'src')), ...sourceFiles(join(root, 'scripts'))].filter((path) =>
      readFileSync(path, 'utf8').includes('Math.random('),
    );
    expect(callers).toEqual([]);
  });

  it('has no source file past 350 lines and no utils.ts', () => {
    const files = [...sourceFiles(join(root, 'src')), ...sourceFiles(join(root, 'scripts'))];
    const long = files.filter((path) => readFileSync(path, 'utf8').split('\n').length > 350 || /utils\.ts$/.test(path));
    expect(long).toEqual([]);
  });
});
