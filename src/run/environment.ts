import { execFile } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, hostname, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What a result may depend on besides the config: `env.json` of a run. */
export interface Environment {
  startedAt: string;
  engine: string;
  command: string[];
  node: string;
  platform: string;
  hostname: string;
  cpu: { model: string; count: number };
  memoryBytes: number;
  /** Installed versions; null where a package is missing. */
  packages: Record<string, string | null>;
  /** State of Chladni's own checkout; null where it is an installed package. */
  git: { commit: string; modified: boolean } | null;
}

const PACKAGES = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm', 'sharp'];

/** Describes this process, its machine and its code. `engine` is what computes, in words. */
export async function describeEnvironment(engine: string): Promise<Environment> {
  const root = packageRoot();
  const processors = cpus();
  return {
    startedAt: new Date().toISOString(),
    engine,
    command: process.argv.slice(1),
    node: process.versions.node,
    platform: `${platform()} ${arch()} ${release()}`,
    hostname: hostname(),
    cpu: { model: processors[0]?.model.trim() || 'unknown', count: processors.length },
    memoryBytes: totalmem(),
    packages: { chladni: versionIn(join(root, 'package.json')), ...Object.fromEntries(PACKAGES.map(installedVersion)) },
    git: await gitState(root),
  };
}

/** The folder of Chladni's package.json: above src/ as well as above dist/src/. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

function versionIn(packageJson: string): string | null {
  try {
    return (JSON.parse(readFileSync(packageJson, 'utf8')) as { version?: string }).version ?? null;
  } catch {
    return null;
  }
}

/** Looks where Node would: packages need not export their package.json. */
function installedVersion(name: string): [string, string | null] {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const found = folders.map((folder) => join(folder, name, 'package.json')).find((path) => existsSync(path));
  return [name, found ? versionIn(found) : null];
}

async function gitState(root: string): Promise<Environment['git']> {
  const git = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)('git', ['-C', root, ...args], { timeout: 5000 });
    return stdout.trim();
  };
  try {
    // Installed inside somebody's repository, it is their commit that git would name.
    if (realpathSync(await git('rev-parse', '--show-toplevel')) !== realpathSync(root)) return null;
    const commit = await git('rev-parse', 'HEAD');
    return { commit, modified: (await git('status', '--porcelain')) !== '' };
  } catch {
    return null;
  }
}
