import { join } from 'node:path';
import { commandLine } from '../src/commandLine.ts';
import { UsageError } from '../src/errors.ts';
import { DEFAULT_PERTURBATIONS } from '../src/eval/perturb/study.ts';
import { writePerturbations } from '../src/eval/perturb/writeStudy.ts';
import { logEvaluation } from '../src/eval/run/logEvaluation.ts';
import { CHECKPOINT_OPTION, type Command, ENGINE_OF_RUN_OPTION, RUN_OPTION, requireWhole, withModel } from './cli.ts';
import { printPerturbations } from './evaluationTables.ts';

interface Arguments {
  run: string;
  checkpoint: string;
  images: number;
  repeats: number;
  sizes: string;
  jitter: string;
  frequencies: string;
  epsilon: number;
  seed: number;
  engine?: string;
}

function parseNumbers(option: string, text: string): number[] {
  const numbers = text.split(',').map(Number);
  if (
    numbers.some((value) => !(value > 0 && value < Number.POSITIVE_INFINITY)) ||
    new Set(numbers).size < numbers.length
  )
    throw new UsageError(`--${option} ${text}: expected different numbers above 0, such as 0.01,0.1`);
  return numbers.sort((a, b) => a - b);
}

export const evaluatePerturb: Command = {
  command: 'perturb',
  describe: 'how the images of a trained model change when latents, weights, coordinates or frequencies are disturbed',
  builder: (yargs) =>
    yargs
      .option('run', RUN_OPTION)
      .option('checkpoint', CHECKPOINT_OPTION)
      .option('images', { type: 'number', default: 32, describe: 'training images disturbed' })
      .option('repeats', { type: 'number', default: 2, describe: 'random disturbances of each' })
      .option('sizes', {
        type: 'string',
        default: DEFAULT_PERTURBATIONS.sizes.join(),
        describe: 'of latents and weights, relative',
        requiresArg: true,
      })
      .option('jitter', {
        type: 'string',
        default: DEFAULT_PERTURBATIONS.jitters.join(),
        describe: 'of coordinates, in pixels',
        requiresArg: true,
      })
      .option('frequencies', {
        type: 'string',
        default: DEFAULT_PERTURBATIONS.frequencyShifts.join(),
        describe: 'shifts, in cycles per image',
        requiresArg: true,
      })
      .option('epsilon', {
        type: 'number',
        default: DEFAULT_PERTURBATIONS.epsilon,
        describe: 'step of the path length',
      })
      .option('seed', { type: 'number', default: 0, describe: 'of the disturbances' })
      .option('engine', ENGINE_OF_RUN_OPTION),
  handler: async (args: Arguments) => {
    requireWhole('images', args.images, 1);
    requireWhole('repeats', args.repeats, 1);
    requireWhole('seed', args.seed, 0);
    if (!(args.epsilon > 0 && args.epsilon <= 1))
      throw new UsageError('--epsilon: expected a number above 0, at most 1');
    const [sizes, jitters, frequencyShifts] = [
      parseNumbers('sizes', args.sizes),
      parseNumbers('jitter', args.jitter),
      parseNumbers('frequencies', args.frequencies),
    ];
    const { images, repeats, epsilon, seed } = args;
    await withModel(args, async (model, run) => {
      const options = { images, repeats, sizes, jitters, frequencyShifts, epsilon, seed };
      const result = await writePerturbations(run, model, options);
      await logEvaluation(join(run.evaluation, 'perturb'), model.step, [result]);
      printPerturbations(result);
      console.log(
        `written to ${join(run.evaluation, 'perturb.json')}; ${commandLine('report')} --run ${run.path} shows it`,
      );
    });
  },
};
