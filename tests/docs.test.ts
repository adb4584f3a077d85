/** Keeps the pages true: every link leads somewhere, every path that they name is there, and so is every export. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');
const EXPORTS = exportedNames(textOf('src/index.ts'));

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

/** Paths of the repository that a page names, in code or not. NAME, in capitals, may be anything. */
function pathsOf(markdown: string): string[] {
  const withoutSites = markdown.replace(/https?:\S+/g, '');
  return [...withoutSites.matchAll(/(?<![\w/.-])(?:src|tests|scripts|bench|configs|native|docs)\/[\w./*-]*/g)]
    .map(([path]) => path.replace(/\.+$/, ''))
    .filter((path) => !/\b[A-Z]{4,}\b/.test(path));
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

function exportedNames(source: string): string[] {
  return [...source.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, names]) => namesIn(names));
}

/** `a, type B` → a, B */
function namesIn(list: string): string[] {
  return list
    .split(',')
    .map((name) => name.trim().replace(/^type /, ''))
    .filter((name) => name !== '');
}

/** What a page's code imports from the library, and the library does not export. */
function missingExports(markdown: string): string[] {
  const code = splitCode(markdown).code.map(({ text }) => text);
  return code
    .flatMap((text) => [...text.matchAll(/import (?:type )?\{([^}]*)\} from 'chladni'/g)])
    .flatMap(([, names]) => namesIn(names))
    .filter((name) => !EXPORTS.includes(name));
}

describe('the pages', () => {
  it('are all looked at, with their links, paths and imports', () => {
    const texts = PAGES.map(textOf);
    expect(PAGES.length).toBeGreaterThan(12);
    expect(texts.flatMap(linksOf).length).toBeGreaterThan(80);
    expect(texts.flatMap(pathsOf).length).toBeGreaterThan(100);
    expect(EXPORTS).toEqual(expect.arrayContaining(['openModel', 'generate', 'Plugin']));
  });

  it.each(PAGES)('%s links to what exists, names paths that exist and imports what the library exports', (page) => {
    const text = textOf(page);
    const wrong = { links: brokenLinks(page, text), paths: missingPaths(text), imports: missingExports(text) };
    expect(wrong).toEqual({ links: [], paths: [], imports: [] });
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
    '```ts',
    "import { openModel, type Experiment, none } from 'chladni'; // [j](none.md)",
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

  it('find paths and imports that are missing, and no others', () => {
    expect(missingPaths(page)).toEqual(['src/none.ts', 'src/*.none']);
    expect(missingExports(page)).toEqual(['none']);
  });
});
