/** The priors that new latents can be drawn from. A new one is a file beside this one, and a line here. */
import { Registry } from '../../registry.ts';
import { flow } from './flow.ts';
import { gaussian } from './gaussian.ts';
import { mixture } from './mixture.ts';
import { neighbours } from './neighbours.ts';
import type { Prior } from './prior.ts';

const BUILT_IN = { neighbours, gaussian, mixture, flow } satisfies Record<string, Prior>;

/** Where nobody says otherwise. */
export const DEFAULT_PRIOR = 'neighbours' satisfies keyof typeof BUILT_IN;

export const PRIORS = new Registry<Prior>('prior', BUILT_IN);
