/** What is to be drawn: training images, new samples, or frames of a path through either. */
import { UsageError } from '../errors.ts';
import type { DrawableField } from './drawableField.ts';
import { interpolateLatents } from './interpolation.ts';
import { imageFields, imageLatents, latentFields, type Model, type SampleOptions, sampleLatents } from './model.ts';

/** Makes a single field, when its turn comes: hundreds at once would fill the memory. */
export type Subject = () => DrawableField;

/** What to draw, as the options of `sample` say it. */
export interface SubjectOptions extends SampleOptions {
  /** Training images, by name or number, instead of samples. */
  image?: readonly string[];
  /** So many frames on the path through the images or samples, which returns to its start where `closed`. */
  interpolate?: number;
  closed?: boolean;
}

/** @throws UsageError for what the model can't draw. */
export async function subjectsOf(model: Model, options: SubjectOptions): Promise<Subject[]> {
  const { count, image, interpolate, closed = false } = options;
  const named = image?.map((name) => imageIndex(model, name));
  if (!model.latents) {
    if (interpolate !== undefined) throw new UsageError('--interpolate: a fit has no latents to go between');
    if (!named && count > model.imageNames.length) {
      throw new UsageError(`--count ${count}: a fit has only its ${model.imageNames.length} images`);
    }
    const indices = named ?? model.imageNames.slice(0, count).map((_, i) => i);
    return indices.map((index) => () => imageFields(model, [index]));
  }
  const { size } = model.latents;
  const row = (table: Float32Array, index: number) => table.slice(index * size, (index + 1) * size);
  const rows = (table: Float32Array, number: number) => Array.from({ length: number }, (_, i) => row(table, i));
  let latents: Float32Array[];
  if (named) {
    const table = await imageLatents(model);
    latents = named.map((index) => row(table, index));
  } else latents = rows(await sampleLatents(model, options), count);
  if (interpolate !== undefined) {
    if (latents.length < 2)
      throw new UsageError('--interpolate: needs two or more ends: --count 2, or --image A --image B');
    latents = rows(interpolateLatents(latents, { frames: interpolate, closed }), interpolate);
  }
  return latents.map((latent) => () => latentFields(model, latent));
}

/** Index of a training image given by name or number. */
function imageIndex(model: Model, name: string): number {
  const index = model.imageNames.indexOf(name);
  if (index >= 0) return index;
  const number = Number(name);
  if (/^\d+$/.test(name) && number < model.imageNames.length) return number;
  const near = model.imageNames.filter((candidate) => candidate.includes(name)).slice(0, 5);
  const hint = near.length > 0 ? `; there are ${near.join(', ')}` : '';
  throw new UsageError(`--image ${name}: not among the ${model.imageNames.length} training images${hint}`);
}
