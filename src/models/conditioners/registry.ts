/** The conditioners that a config can name. A new one is a file beside this one, and a line here. */
import { Registry } from '../../registry.ts';
import { type ConfigOf, schemaOfKinds } from '../kind.ts';
import type { Conditioner, ConditionerKind } from './conditioner.ts';
import { direct } from './direct.ts';
import { hypernetwork } from './hypernetwork.ts';
import { lowRank } from './lowRank.ts';

const BUILT_IN = { direct, hypernetwork, lowRank } satisfies Record<string, ConditionerKind>;

export type ConditionerConfig = ConfigOf<typeof BUILT_IN>;

export const CONDITIONERS = new Registry<ConditionerKind>('conditioner', BUILT_IN);

export const conditionerSchema = () => schemaOfKinds(CONDITIONERS).describe("how a latent becomes the field's weights");

/** Makes the conditioner that a config names. */
export function makeConditioner(config: ConditionerConfig): Conditioner {
  const { kind, ...settings } = config;
  return CONDITIONERS.get(kind).make(settings);
}
