/** What a config's `data` section may say. */
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import type { Keys, Settings } from '../models/kind.ts';
import type { faces } from './sources/faces.ts';
import { DEFAULT_SOURCE, SOURCES } from './sources/registry.ts';

const positiveInteger = z.int().positive();

const sizeSchema = z
  .union([positiveInteger, z.string().regex(/^[1-9]\d*x[1-9]\d*$/, 'must be a whole number or WIDTHxHEIGHT')])
  .describe('training size in pixels: one number for a square, or "WIDTHxHEIGHT"');

/** The keys of every source. */
const commonKeys = {
  path: z.string().optional().describe('folder or zip file (relative to where the command runs)'),
  size: sizeSchema.default(64),
  fit: z
    .enum(['crop', 'pad', 'stretch'])
    .default('crop')
    .describe('how an image of another shape is made to fit: centre crop, pad with the background, or stretch'),
  background: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/, 'must be a colour such as "#ffffff"')
    .default('#ffffff')
    .describe('colour under transparent pixels and padding'),
  limit: positiveInteger.optional().describe('use only this many images, spread evenly over the sorted list'),
  heldOut: z
    .int()
    .nonnegative()
    .max(1_000_000)
    .optional()
    .describe(
      'images that are never trained on (default: 1,000 faces, 0 of other sources). Of a list they are spread evenly over it; faces are made for it, and as many again of combinations of hair, skin and beard that are never trained on',
    ),
  noise: z
    .number()
    .nonnegative()
    .default(0)
    .describe(
      'standard deviation of white Gaussian noise added to what is trained on (colours are in [0,1]), the same for an image in every step; measurements stay against the clean images',
    ),
  cache: z.string().default('.cache/chladni').describe('folder of the packed caches'),
};

export type DataConfig = z.output<z.ZodObject<typeof commonKeys>> & { source: string } & Partial<
    Settings<(typeof faces)['keys']>
  >;

/**
 * What the sources add to the `data` section.
 *
 * @throws UsageError where two of them claim one key.
 */
function sourceKeys(): Record<string, Keys[string]> {
  const keys: Record<string, Keys[string]> = {};
  for (const [name, kind] of SOURCES.all()) {
    for (const [key, schema] of Object.entries(kind.keys)) {
      if (key === 'source' || key in commonKeys || key in keys) {
        throw new UsageError(`source "${name}" brings data.${key}, which is another's; rename it`);
      }
      keys[key] = schema;
    }
  }
  return keys;
}

/** The schema of the `data` section, with the sources that are registered by now. */
export function dataSchema(): z.ZodType<DataConfig, Partial<DataConfig> | undefined> {
  const about = SOURCES.all().map(([name, kind]) => `${name}: ${kind.about}`);
  const ofSources = sourceKeys();
  const schema = z
    .strictObject({
      source: z.enum(SOURCES.names()).default(DEFAULT_SOURCE).describe(about.join('; ')),
      ...commonKeys,
      ...ofSources,
    })
    .transform(({ heldOut, ...data }) => {
      // Only what the source knows of, so that configs of other sources stay what they were.
      const { keys, heldOut: usual = 0 } = SOURCES.get(data.source);
      const own = Object.entries(data).filter(([key]) => key in keys || !(key in ofSources));
      const held = heldOut ?? usual;
      return { ...Object.fromEntries(own), ...((held > 0 || usual > 0) && { heldOut: held }) };
    });
  return schema as unknown as z.ZodType<DataConfig, Partial<DataConfig> | undefined>;
}

/** Width and height that `data.size` stands for. */
export function trainingSize(data: Pick<DataConfig, 'size'>): { width: number; height: number } {
  if (typeof data.size === 'number') return { width: data.size, height: data.size };
  const [width, height] = data.size.split('x').map(Number);
  return { width, height };
}
