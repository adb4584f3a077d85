/**
 * `node --import tsx bench/results.ts --run RUN [--precision tf32] [--allow-cpu]`: what PyTorch makes of the same time.
 *
 * Takes a run that was trained before, trains its model in PyTorch (bench/peers/pytorch_train.py; on a GPU, unless told
 * otherwise) from the same start, on the same images, for as long as the run took by its own log, and leaves the result as a run
 * of ours beside it, `RUN-pytorch`, for `npm run evaluate` and `npm run report` like any other.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { formatExperiment } from '../src/config/load.ts';
import { loadImages } from '../src/data/loadImages.ts';
import { startEngine } from '../src/engine/engine.ts';
import { messageOf } from '../src/errors.ts';
import { fullView } from '../src/grid.ts';
import { gridEncoder } from '../src/models/encodings/encoding.ts';
import { makeGenerator } from '../src/models/generator.ts';
import { makeObjective } from '../src/objectives/registry.ts';
import { CheckpointStore } from '../src/run/checkpoints.ts';
import { readMetrics } from '../src/run/metricsLog.ts';
import { checkpointMetadata } from '../src/run/resume.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { readSafetensors, writeSafetensors } from '../src/run/safetensors.ts';
import { initialState, stateTensors } from '../src/train/state.ts';

const { values: options } = parseArgs({
  options: {
    run: { type: 'string' },
    precision: { type: 'string', default: 'tf32' },
    'allow-cpu': { type: 'boolean', default: false },
  },
});

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}

async function main(): Promise<void> {
  if (!options.run) throw new Error('--run RUN names the run whose time and model PyTorch is given');
  const run = await RunFolder.open(options.run);
  const experiment = await run.readExperiment();
  if (experiment.model.conditioner.kind !== 'hypernetwork') throw new Error('the peer has the hypernetwork alone');
  const seconds = (await readMetrics(run.metrics)).at(-1)?.wallSeconds;
  if (seconds === undefined) throw new Error(`${run.metrics} has no entry yet: the run's time is not known`);
  await startEngine('auto');
  const images = await loadImages(experiment.data);
  const generator = makeGenerator(experiment.model, experiment.seed);
  const objective = makeObjective(experiment, generator, images);
  const start = await stateTensors(initialState(objective, experiment.seed, experiment.train.emaDecay > 0));
  const encoder = gridEncoder(generator.encoding, fullView(images.width, images.height));
  const features = encoder.values?.({ firstRow: 0, rowCount: images.height });
  if (!features)
    throw new Error(`the peer is given features, and the encoding "${experiment.model.encoding.kind}" has none`);

  const folder = await mkdtemp(join(tmpdir(), 'chladni-results-'));
  try {
    const [from, pixels, out] = ['start.safetensors', 'images', 'trained.safetensors'].map((name) =>
      join(folder, name),
    );
    const parameters = Object.fromEntries(Object.entries(start).filter(([name]) => name.startsWith('parameter/')));
    const shape = [images.width * images.height, features.length / (images.width * images.height)];
    const settings = JSON.stringify({ ...experiment.train, seed: experiment.seed });
    await writeSafetensors(from, { ...parameters, features: { dtype: 'F32', shape, data: features } }, { settings });
    await writeFile(pixels, images.pixels);
    console.log(`training in PyTorch for ${seconds.toFixed(0)} s`);
    const script = fileURLToPath(new URL('peers/pytorch_train.py', import.meta.url));
    const python = process.env.CHLADNI_BENCH_PYTHON ?? 'python3';
    const args = [script, '--start', from, '--images', pixels, '--seconds', String(seconds), '--out', out];
    if (options['allow-cpu']) args.push('--allow-cpu');
    const { stdout } = await promisify(execFile)(python, [...args, '--precision', options.precision]);
    const { steps, loss, version, device } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    const trained = (await readSafetensors(out)).tensors;
    const missing = Object.keys(parameters).filter((name) => !(name in trained));
    if (missing.length > 0) throw new Error(`PyTorch gave back no ${missing[0]}`);

    const peer = await RunFolder.create(`${resolve(options.run)}-pytorch`, { resume: false, overwrite: true });
    try {
      await peer.writeConfig(formatExperiment(experiment));
      await peer.writeEnvironment(`PyTorch ${version} on ${device}, ${options.precision}`);
      const checkpoint = { ...start, ...trained };
      await new CheckpointStore(peer.checkpoints).save(steps, checkpoint, await checkpointMetadata(experiment, images));
    } finally {
      await peer.close();
    }
    console.log(`PyTorch ${version} (${device}, ${options.precision}): ${steps} steps, loss ${loss.toPrecision(4)}`);
    console.log(`next: npm run evaluate -- --run ${options.run}; npm run evaluate -- --run ${options.run}-pytorch`);
  } finally {
    await rm(folder, { recursive: true });
  }
}
