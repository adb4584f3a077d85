/** The bench's command line. */
import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../src/errors.ts';

const ENGINES = ['native', 'webgpu'] as const;

export interface BenchOptions {
  engine: (typeof ENGINES)[number];
  /** webgpu: PyTorch on the same GPU beside it. The native engine's peers run unless `quick`. */
  peers: boolean;
  /** Fewer and smaller measurements, and nothing saved. */
  quick: boolean;
  /** webgpu: save the figures of a software adapter too. */
  force: boolean;
  /** webgpu: the folder that is saved into. */
  out?: string;
}

/** @throws UsageError for what it doesn't know. */
export function parseBenchOptions(args: string[]): BenchOptions {
  try {
    const { values } = parseArgs({
      args,
      options: {
        engine: { type: 'string', default: 'native' },
        peers: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        force: { type: 'boolean', default: false },
        out: { type: 'string' },
      },
    });
    const engine = ENGINES.find((name) => name === values.engine);
    if (!engine) throw new UsageError(`--engine ${values.engine}: the bench measures ${ENGINES.join(' and ')}`);
    return { ...values, engine };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${messageOf(error).split('. ')[0]}; known: --engine, --peers, --quick, --force, --out`);
  }
}
