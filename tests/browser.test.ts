import { resolve } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { generatorNumbers } from './support/generatorNumbers.ts';

const root = resolve(import.meta.dirname, '..');

/** Bundles a file for browsers: a function of it, `globalName.NAME`, is there when the text has run. */
async function bundle(entry: string, globalName: string) {
  const { outputFiles, metafile, warnings } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName,
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  return { text: outputFiles[0].text, inputs: metafile.inputs, warnings };
}

describe('the models in a browser', () => {
  it('are bundled with nothing of Node among what they import', async () => {
    const { inputs, warnings } = await bundle('src/models/generator.ts', 'models');
    const ours = Object.keys(inputs).filter((path) => path.startsWith('src/'));
    expect(ours).toContain('src/tf.ts');
    expect(ours).toContain('src/models/generator.ts');
    // What TensorFlow.js's packages declare as absent in browsers (`fs`, `util`, …) is bundled as an empty module.
    const imports = Object.values(inputs).flatMap((input) => input.imports);
    expect(imports.length).toBeGreaterThan(100);
    expect(imports.filter(({ path, external }) => external || path.startsWith('node:'))).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it("compute there what they compute in Node, in a context without Node's globals", async () => {
    const { text } = await bundle('tests/support/generatorNumbers.ts', 'program');
    // What a browser's worker has, as far as TensorFlow.js asks for it.
    const context = createContext({ performance: { now: () => performance.now() }, setTimeout, TextEncoder });
    runInContext('globalThis.self = globalThis; globalThis.WorkerGlobalScope = Object', context);
    expect(runInContext('typeof process + typeof require + typeof Buffer', context)).toBe('undefined'.repeat(3));
    const numbers = (await runInContext(`${text}; program.generatorNumbers()`, context)) as number[];
    const expected = await generatorNumbers();
    expect(expected).toHaveLength(2 * 20 * 3 + 6);
    expect(expected.every((value) => Number.isFinite(value) && value !== 0)).toBe(true);
    expect([...numbers]).toEqual(expected);
  });
});
