/** Keeps CONTRIBUTING's table of floors true: who may import what, and that nothing goes in circles. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Places by floor, top first, as the table names them: `src/eval/`, `src/index.ts`, `src/*.ts`. */
const FLOORS = tableRows(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')).map(([places]) =>
  [...places.matchAll(/`([^`]+)`/g)].map(([, place]) => place),
);

/** Cells of the rows of the first table whose head begins with "floor". */
function tableRows(markdown: string): string[][] {
  const lines = markdown.split('\n');
  const head = lines.findIndex((line) => line.startsWith('| floor'));
  const rows = lines.slice(head + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((row) => row.split('|').slice(1, -1));
}

/** Packages that only certain places may import. */
const PACKAGES: [pattern: RegExp, allowed: RegExp][] = [
  [/^@tensorflow\/tfjs$/, /^src\/tf\.ts$/],
  [/^@tensorflow\//, /^src\/(tf\.ts|engine\/)/],
  [/^sharp$/, /^src\/(data|render)\//],
  [/^p-limit$/, /^src\/data\//],
  [/^yargs/, /^scripts\//],
  [/^yaml$/, /^src\/config\//],
  [/^zod$/, /^src\/(config|objectives|data|models)\//],
  [/^d3-/, /^src\/figures\//],
];

interface Import {
  file: string;
  /** A package, or a file of ours relative to the root. */
  target: string;
  typeOnly: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

/** Every import and re-export of a file, of types too, `import()` included. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const statement =
    /(?:import|export)\s+(type\s+)?[^;'"]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)|import\s+'([^']+)'/g;
  return [...text.matchAll(statement)].map((match) => {
    const target = match[2] ?? match[3] ?? match[4];
    return {
      file,
      target: target.startsWith('.') ? relative(root, resolve(root, dirname(file), target)) : target,
      typeOnly: match[1] !== undefined,
    };
  });
}

const files = ['src', 'scripts', 'bench'].flatMap(sourceFiles);
const imports = files.flatMap(importsOf);
const own = imports.filter(({ target }) => files.includes(target));

/** Number of the floor that a file stands on, 0 at the top; -1 where the table knows no place for it. */
function floorOf(file: string): number {
  const stands = (place: string) => {
    if (place.endsWith('/')) return file.startsWith(place);
    return place.includes('*') ? dirname(file) === dirname(place) : file === place;
  };
  return FLOORS.findIndex((places) => places.some(stands));
}

/** Groups of files that import each other, directly or by way of others (Tarjan 1972). */
function circles(): string[][] {
  const targets = new Map(files.map((file) => [file, own.filter((one) => one.file === file).map((one) => one.target)]));
  const [index, low] = [new Map<string, number>(), new Map<string, number>()];
  const open: string[] = [];
  const found: string[][] = [];
  const visit = (file: string) => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    open.push(file);
    for (const target of targets.get(file)!) {
      if (!index.has(target)) visit(target);
      if (open.includes(target)) low.set(file, Math.min(low.get(file)!, low.get(target)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = open.splice(open.indexOf(file));
    if (group.length > 1 || targets.get(file)!.includes(file)) found.push(group);
  };
  for (const file of files) if (!index.has(file)) visit(file);
  return found;
}

describe('the architecture', () => {
  it('has a table of floors, a place in it for every file, and imports to look at', () => {
    expect(FLOORS.length).toBeGreaterThan(12);
    expect(files.filter((file) => floorOf(file) < 0)).toEqual([]);
    expect(own.length).toBeGreaterThan(500);
    expect(imports.filter(({ target }) => target.startsWith('src/') && !files.includes(target))).toEqual([]);
  });

  it('lets no file import from a floor above its own, types included', () => {
    expect(own.filter(({ file, target }) => floorOf(target) < floorOf(file))).toEqual([]);
  });

  it('has no circle of imports, types included', () => {
    expect(circles()).toEqual([]);
  });

  it('keeps TensorFlow.js, sharp, p-limit, yargs, zod, yaml and d3 where they belong', () => {
    const wrong = imports.filter(({ file, target, typeOnly }) => {
      const rule = PACKAGES.find(([pattern]) => pattern.test(target));
      return rule && !typeOnly && !file.startsWith('bench/') && !rule[1].test(file);
    });
    expect(wrong).toEqual([]);
  });

  it('never calls Math.random', () => {
    const callers = files.filter((file) => readFileSync(join(root, file), 'utf8').includes('Math.random('));
    expect(callers).toEqual([]);
  });

  it('has no source file past 350 lines and no utils.ts', () => {
    const long = files.filter(
      (file) => readFileSync(join(root, file), 'utf8').split('\n').length > 350 || /utils\.ts$/.test(file),
    );
    expect(long).toEqual([]);
  });
});
