/**
 * Tries the tensorflow engine for real, on the CPU, in a scratch folder: a copy of this checkout, the package
 * @tensorflow/tfjs-node as npm has it, its addon built by build.mjs; then the suites that run over every engine, the
 * quickstart's training for some steps, and the bench's training step, beside `native`.
 *
 *   node scripts/dev/tensorflow/verify.mjs /tmp/tensorflow [--wheel tensorflow-cpu==2.13.1] [--package tfjs-node-gpu]
 *
 * Needs npm, pip and a C++ compiler, 3 GB and some minutes. Exits 1 where anything fails.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildAddon } from './build.mjs';
import { run } from './run.mjs';

const STEPS = 60;
const checkout = fileURLToPath(new URL('../../..', import.meta.url));
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { wheel: { type: 'string' }, package: { type: 'string', default: 'tfjs-node' } },
});
if (positionals.length !== 1) throw new Error('name one scratch folder');
const project = resolve(positionals[0], 'project');
const here = { cwd: project };

/** The checkout as it is, committed or not, without what git ignores. */
function copyCheckout() {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: checkout,
    encoding: 'utf8',
  });
  for (const folder of ['src', 'tests', 'scripts', 'bench']) {
    rmSync(join(project, folder), { recursive: true, force: true });
  }
  for (const file of new Set(listed.split('\0'))) {
    if (file === '' || !existsSync(join(checkout, file))) continue;
    mkdirSync(dirname(join(project, file)), { recursive: true });
    copyFileSync(join(checkout, file), join(project, file));
  }
}

/** The last step's loss and steps per second, of the quickstart's model trained from the start. */
function trainQuickstart(engine) {
  const folder = join(project, 'runs', engine);
  const settings = { steps: STEPS, logEverySteps: STEPS / 2, sampleEverySteps: STEPS, checkpointEverySteps: STEPS };
  const overrides = Object.entries(settings).flatMap(([key, value]) => ['--set', `train.${key}=${value}`]);
  const config = ['--config', 'configs/quickstart.yaml', '--engine', engine, '--run', folder, '--overwrite'];
  run('npx', ['tsx', 'scripts/train.ts', ...config, ...overrides], here);
  const entries = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);
  const logged = entries.filter((entry) => 'train/loss' in entry);
  const [first, last] = logged.slice(-2);
  return {
    loss: last['train/loss'],
    stepsPerSecond: (last.step - first.step) / (last.wallSeconds - first.wallSeconds),
  };
}

copyCheckout();
run('npm', ['ci', '--no-audit', '--no-fund'], here);
const version = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')).dependencies['@tensorflow/tfjs'];
const name = `@tensorflow/${values.package}`;
// Without --save-dev npm sees an optional peer, and leaves it out.
run(
  'npm',
  ['install', '--no-save', '--save-dev', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`],
  here,
);
buildAddon(join(project, 'node_modules', name), values.wheel);
run('npx', ['tsx', 'scripts/doctor.ts'], here);

const suites = ['tests/engine', 'tests/models', 'tests/render', 'tests/train'];
run('npx', ['vitest', 'run', ...suites, '-t', 'tensorflow'], here);

const trained = Object.fromEntries(['tensorflow', 'native'].map((engine) => [engine, trainQuickstart(engine)]));
console.log(`\nThe quickstart's model after ${STEPS} steps from the same start:`);
console.table(trained);
run('npx', ['tsx', 'bench/tensorflow.ts'], here);
const difference = Math.abs(trained.tensorflow.loss / trained.native.loss - 1);
if (!(difference < 1e-3)) throw new Error(`the losses differ by ${difference}`);
