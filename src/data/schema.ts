/** What a config's `data` section may say. */
import { z } from 'zod';

const positiveInteger = z.int().positive();

const sizeSchema = z
  .union([positiveInteger, z.string().regex(/^[1-9]\d*x[1-9]\d*$/, 'must be a whole number or WIDTHxHEIGHT')])
  .describe('training size in pixels: one number for a square, or "WIDTHxHEIGHT"');

export const dataSchema = z.strictObject({
  source: z
    .enum(['fluent-emoji', 'photo', 'folder', 'zip'])
    .default('fluent-emoji')
    .describe(
      'fluent-emoji: 1,594 vector emoji from npm; photo: a CC0 photograph from npm; folder: your images; zip: a StyleGAN-style archive',
    ),
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
  noise: z
    .number()
    .nonnegative()
    .default(0)
    .describe(
      'standard deviation of white Gaussian noise added to what is trained on (colours are in [0,1]), the same for an image in every step; measurements stay against the clean images',
    ),
  cache: z.string().default('.cache/chladni').describe('folder of the packed caches'),
});

export type DataConfig = z.infer<typeof dataSchema>;

/** Width and height that `data.size` stands for. */
export function trainingSize(data: Pick<DataConfig, 'size'>): { width: number; height: number } {
  if (typeof data.size === 'number') return { width: data.size, height: data.size };
  const [width, height] = data.size.split('x').map(Number);
  return { width, height };
}
