/** Keeps the pages true: every link leads somewhere, every path that they name is there, every program compiles. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

/** A page's blocks of code, by language, and the rest of it. */
function splitCode(markdown: string): { prose: string; code: { language: string; text: string }[] } {
  const code: { language: string; text: string }[] = [];
  const prose = markdown.replace(/^```(\w*)\n([\s\S]*?)^```$/gm, (_, language: string, text: string) => {
    code.push({ language, text });
    return '';
  });
  return { prose, code };
}

/** Targets of a page's links and images, of other sites not. */
function linksOf(markdown: string): string[] {
  const prose = splitCode(markdown).prose.replace(/`[^`\n]*`/g, 'code');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors that GitHub gives a page's headings: letters, digits, - and _ of the text; of equal ones the next has -1. */
function anchorsOf(markdown: string): string[] {
  const seen = new Map<string, number>();
  return [...splitCode(markdown).prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading]) => {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'); // a link's text alone
    const slug = text
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
}

/** Links of a page that lead to no file, or to no heading of it. */
function brokenLinks(page: string, markdown: string): string[] {
  return linksOf(markdown).filter((link) => {
    const [path, fragment] = link.split('#');
    const target = path === '' ? page : relative(root, resolve(root, dirname(page), path));
    if (target !== page && !existsSync(join(root, target))) return true;
    if (fragment === undefined) return false;
    return !anchorsOf(target === page ? markdown : textOf(target)).includes(fragment);
  });
}

/** Paths of the repository that a page names, in code or not. NAME may stand for anything. */
function pathsOf(markdown: string): string[] {
  const withoutSites = markdown.replace(/https?:\S+/g, '');
  return [...withoutSites.matchAll(/(?<![\w/.-])(?:src|tests|scripts|bench|configs|native|docs)\/[\w./*-]*/g)]
    .map(([path]) => path.replace(/\.+$/, ''))
    .filter((path) => !/\bNAME\b/.test(path));
}

/** Those that are not there. */
function missingPaths(markdown: string): string[] {
  return pathsOf(markdown).filter((path) => {
    if (!path.includes('*')) return !existsSync(join(root, path));
    const [before, after] = basename(path).split('*');
    const names = readdirSync(join(root, dirname(path)));
    return !names.some((name) => name.startsWith(before) && name.endsWith(after));
  });
}

/** Blocks of TypeScript that use the library, whole programs; those of docs/extending.md have a test of their own. */
function programsOf(page: string): string[] {
  if (page === 'docs/extending.md') return [];
  return splitCode(textOf(page)).code.flatMap(({ language, text }) =>
    language === 'ts' && text.includes("from 'chladni'") ? [text] : [],
  );
}

/** What the compiler says of these programs, each a file NUMBER.ts. */
async function compile(programs: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'chladni-docs-'));
  try {
    const base = JSON.parse(textOf('tsconfig.json'));
    const files = programs.map((_, i) => `${i}.ts`);
    for (const [i, text] of programs.entries()) await writeFile(join(folder, files[i]), text);
    const compilerOptions = {
      ...base.compilerOptions,
      paths: { chladni: [join(root, 'src/index.ts')] },
      typeRoots: [join(root, 'node_modules/@types')],
    };
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    return await promisify(execFile)(process.execPath, [tsc, '--noEmit', '-p', folder]).then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('the pages', () => {
  it('are all looked at, with their links and paths', () => {
    const texts = PAGES.map(textOf);
    expect(PAGES.length).toBeGreaterThan(12);
    expect(texts.flatMap(linksOf).length).toBeGreaterThan(80);
    expect(texts.flatMap(pathsOf).length).toBeGreaterThan(100);
  });

  it.each(PAGES)('%s links to what exists and names paths that exist', (page) => {
    const text = textOf(page);
    expect({ links: brokenLinks(page, text), paths: missingPaths(text) }).toEqual({ links: [], paths: [] });
  });

  it('show programs that the compiler accepts', async () => {
    const programs = PAGES.flatMap(programsOf);
    expect(programs.length).toBeGreaterThan(3);
    expect(await compile(programs)).toBe('');
  });

  it('stand in the index, each of them', () => {
    const linked = linksOf(textOf('docs/README.md')).map((link) => join('docs', link.split('#')[0]));
    expect(PAGES.filter((page) => page !== 'docs/README.md' && !linked.includes(page))).toEqual([]);
  });
});

describe('the checks of pages', () => {
  const page = [
    '# What is `f(x)`?',
    '## Twice, or more',
    '## Twice, or more',
    '[a](nowhere.md) [b](docs/engines.md#nothing) [c](docs/engines.md#adding-an-engine) [d](#what-is-fx)',
    '[e](#twice-or-more-1) [f](#twice-or-more-2) ![g](none.png) [h](https://example.org/src/none.ts)',
    '`[i](none.md)`, `src/tf.ts`, `src/none.ts`, `src/engine/NAME/NAME.ts`, `src/*.ts`, `src/*.none`, ../src/none.',
    '```',
    '[j](none.md)',
    '```',
  ].join('\n');

  it('find links to missing files, to missing headings and to a heading that is not there so often', () => {
    expect(brokenLinks('README.md', page)).toEqual([
      'nowhere.md',
      'docs/engines.md#nothing',
      '#twice-or-more-2',
      'none.png',
    ]);
  });

  it('find paths that are missing, and no others', () => {
    expect(missingPaths(page)).toEqual(['src/none.ts', 'src/*.none']);
  });

  it('find what the library does not export, and does not take', async () => {
    const said = await compile([
      "import { none } from 'chladni';\nnone();",
      "import { psnrOfMse } from 'chladni';\npsnrOfMse('');",
    ]);
    expect(said).toMatch(/0\.ts.*no exported member 'none'/);
    expect(said).toMatch(/1\.ts.*'string' is not assignable/);
  });
});
