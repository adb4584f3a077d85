/** The experiment's JSON Schema: completes and checks configs in editors, and knows the keys for "did you mean". */
import { z } from 'zod';
import { experimentSchema } from './schema.ts';

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  const?: unknown;
  [key: string]: unknown;
}

/** The schema of a config file, including `extends`. Written to `configs/schema.json`. */
export function experimentJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(experimentSchema(), { io: 'input' }) as JsonSchema;
  const extendsKey = { type: 'string', description: 'another config, relative to this one, that this one changes' };
  return { ...schema, title: 'Chladni experiment', properties: { extends: extendsKey, ...schema.properties } };
}

/** The keys that may stand at a path; among the alternatives of a union, those of the given `kind`. */
export function keysAt(path: readonly string[], kind: unknown): string[] {
  const node = path.reduce<JsonSchema | undefined>((schema, key) => schema?.properties?.[key], experimentJsonSchema());
  const alternatives = node?.anyOf ?? node?.oneOf;
  if (!alternatives) return Object.keys(node?.properties ?? {});
  const matching = alternatives.filter((option) => option.properties?.kind?.const === kind);
  return [...new Set((matching.length > 0 ? matching : alternatives).flatMap((o) => Object.keys(o.properties ?? {})))];
}

/** Whether the key at a path takes text and nothing else. */
export function isTextKey(path: readonly string[]): boolean {
  const node = path.reduce<JsonSchema | undefined>((schema, key) => schema?.properties?.[key], experimentJsonSchema());
  return node?.type === 'string';
}
