/** The encodings that a config can name. A new one is a file beside this one, and a line here. */
import { Registry } from '../../registry.ts';
import { type ConfigOf, schemaOfKinds } from '../kind.ts';
import { basic } from './basic.ts';
import type { Encoding, EncodingKind } from './encoding.ts';
import { gaussian } from './gaussian.ts';
import { none } from './none.ts';
import { positional } from './positional.ts';

const BUILT_IN = { none, basic, positional, gaussian } satisfies Record<string, EncodingKind>;

export type EncodingConfig = ConfigOf<typeof BUILT_IN>;

export const ENCODINGS = new Registry<EncodingKind>('encoding', BUILT_IN);

export const encodingSchema = () => schemaOfKinds(ENCODINGS).describe('how coordinates become features');

/**
 * Makes the encoding that a config names; `seed` draws random frequencies.
 *
 * @throws Error where it breaks the contract.
 */
export function makeEncoding(config: EncodingConfig, seed: number): Encoding {
  const { kind, ...settings } = config;
  const encoding = ENCODINGS.get(kind).make(settings, seed);
  const { initial } = encoding;
  if (!initial) return encoding;
  const fixed = (['grid', 'attenuated', 'shifted'] as const).find((member) => encoding[member]);
  if (fixed) throw new Error(`encoding "${kind}" is trained, and its "${fixed}" would not know to what: leave it out`);
  const odd = Object.keys(initial).find((name) => !name.startsWith('encoding.'));
  if (odd) throw new Error(`encoding "${kind}" names a parameter "${odd}", which must begin with "encoding."`);
  return encoding;
}
