import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLine } from '../src/commandLine.ts';
import { formatExperiment, loadExperiment } from '../src/config/load.ts';
import { startEngine } from '../src/engine/engine.ts';
import { Interrupted } from '../src/errors.ts';
import { drawShowpieces } from '../src/eval/report/showpieces.ts';
import { writeRunReport } from '../src/eval/report/writeReport.ts';
import { evaluateRun } from '../src/eval/run/evaluateRun.ts';
import { disposeModel, openModel } from '../src/run/openModel.ts';
import { RunFolder } from '../src/run/runFolder.ts';
import { loadWithProgress, trainSession } from '../src/train/session.ts';
import { type Command, runAsProgram, withInterrupt } from './cli.ts';
import { printEvaluations } from './evaluationTables.ts';

/** The config that suits an engine. configs/ lies beside scripts/, and beside dist/ in an installed package. */
function quickstartConfig(engine: string): string {
  const name = engine === 'wasm' || engine === 'javascript' ? 'quickstart-wasm.yaml' : 'quickstart.yaml';
  const places = ['../configs/', '../../configs/'].map((place) =>
    fileURLToPath(new URL(place + name, import.meta.url)),
  );
  return places.find(existsSync) ?? places[0];
}

export const start: Command = {
  command: 'start',
  describe: 'the quickstart: train a generator of emoji, sample it, measure it, write its report',
  builder: (yargs) =>
    yargs
      .option('set', { type: 'string', array: true, default: [], describe: 'change a key: train.steps=500' })
      .option('engine', {
        type: 'string',
        default: 'auto',
        describe: 'which engine computes (see doctor)',
        requiresArg: true,
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'remove another run that the folder holds' })
      .option('run', { type: 'string', default: 'runs/quickstart', describe: 'run folder', requiresArg: true }),
  handler: async (args: { set: string[]; run: string; engine: string; overwrite: boolean }) => {
    const began = performance.now();
    const engine = await startEngine(args.engine);
    const experiment = await loadExperiment(quickstartConfig(engine.name), [`engine=${args.engine}`, ...args.set]);
    // Its own run it goes on with, or does again when finished; anything else in that folder is not its to remove.
    const stored = await readFile(join(args.run, 'config.yaml'), 'utf8').catch(() => undefined);
    const own = stored === formatExperiment(experiment);
    const resume = own && !existsSync(join(args.run, 'report.html'));
    const overwrite = own || args.overwrite;
    const summary = await withInterrupt((signal) =>
      trainSession({ experiment, runPath: args.run, resume, overwrite, signal, say: console.error }),
    );
    if (summary.interrupted) {
      throw new Interrupted(`stopped at step ${summary.step}; ${commandLine('start')} goes on from there`);
    }
    const run = await RunFolder.open(args.run);
    const model = await openModel(run);
    try {
      printEvaluations(await evaluateRun(run, model, console.error));
      const images = await loadWithProgress(experiment, () => {});
      const pictures = await drawShowpieces(model, { images, seed: model.experiment.seed, folder: run.samples });
      const report = await writeRunReport(run, model, console.error);
      const minutes = (performance.now() - began) / 60_000;
      console.log(`
Done in ${minutes.toFixed(1)} minutes (${(summary.trainingSeconds / 60).toFixed(1)} of training). Look at
  ${report}          reconstructions, samples, curves, per-frequency fidelity
  ${pictures.join('\n  ')}
and go on with
  ${commandLine('sample')} --run ${args.run} --size 4096x4096 --image ${model.imageNames[0]} --out large.png
  tensorboard --logdir runs`);
    } finally {
      disposeModel(model);
    }
  },
};

await runAsProgram(import.meta.url, 'start', start);
