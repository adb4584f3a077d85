/** Kinds of parts: what a config's `kind` names, with the keys that stand beside it there. */
import { z } from 'zod';
import type { Registry } from '../registry.ts';

/** The keys of a kind, each with its default and its description. */
export type Keys = z.ZodRawShape;
/** Their checked values. */
export type Settings<K extends Keys> = { [Key in keyof K]: z.output<K[Key]> };

/** Of a record of kinds: `{ kind: 'gaussian', sigma: 10, … }` and so on. */
export type ConfigOf<Kinds extends Record<string, { keys: Keys }>> = {
  [Name in keyof Kinds & string]: z.infer<z.ZodObject<{ kind: z.ZodLiteral<Name> } & Kinds[Name]['keys']>>;
}[keyof Kinds & string];

/** The schema of a config that names one of the registered kinds. */
export function schemaOfKinds(registry: Registry<{ keys: Keys }>): z.ZodType<{ kind: string }> {
  const options = registry.all().map(([name, { keys }]) => z.strictObject({ kind: z.literal(name), ...keys }));
  return z.discriminatedUnion('kind', options as unknown as [z.ZodObject<{ kind: z.ZodLiteral<string> }>]);
}
