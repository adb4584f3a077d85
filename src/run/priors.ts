/** The priors that were fitted to a run, `priors/NAME.safetensors`, each with what it was fitted to. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, RunError } from '../errors.ts';
import { fileError, hasCode } from '../files/fileErrors.ts';
import { makeFolder } from '../files/makeFolder.ts';
import type { FittedPrior, LatentSet, StoredPrior } from '../models/priors/prior.ts';
import { imageLatents, latentSpaceOf, type Model } from '../render/model.ts';
import { readSafetensors, type SafeTensors, writeSafetensors } from './safetensors.ts';

const SUFFIX = '.safetensors';

/** Latents of a model's training images, with the deviations that an encoder gives them; the model has latents. */
export async function latentSetOf(model: Model): Promise<LatentSet> {
  const { 'latents.deviations': deviations } = model.parameters;
  return {
    means: await imageLatents(model),
    deviations: deviations && ((await deviations.data()) as Float32Array),
    dimensions: latentSpaceOf(model).size,
  };
}

/** SHA-256 of latents and deviations: what a prior was fitted to. */
export function latentsDigest({ means, deviations }: LatentSet): string {
  const hash = createHash('sha256');
  for (const values of [means, deviations]) {
    if (values) hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex');
}

/** Keeps a prior with the run; an earlier one of its name is replaced. @returns the file's path. */
export async function storePrior(
  folder: string,
  { name, fitted, step, about }: Omit<StoredPrior, 'isCurrent'>,
  latents: LatentSet,
): Promise<string> {
  const tensors: SafeTensors = Object.fromEntries(
    Object.entries(fitted).map(([key, data]) => [
      key,
      { dtype: data instanceof Float64Array ? 'F64' : 'F32', shape: [data.length], data },
    ]),
  );
  await makeFolder(folder);
  const path = join(folder, name + SUFFIX);
  const metadata = { step: String(step), latents: latentsDigest(latents), fittedAt: new Date().toISOString(), about };
  await writeSafetensors(path, tensors, metadata);
  return path;
}

/** The priors stored with a run for such a model, the newest first. Those that can't be read are left out, with a line each. */
export async function storedPriors(
  folder: string,
  model: Model,
): Promise<{ priors: StoredPrior[]; warnings: string[] }> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw fileError('read', folder, error);
  });
  const files = names.filter((name) => name.endsWith(SUFFIX));
  if (files.length === 0 || !model.latents) return { priors: [], warnings: [] };
  const digest = latentsDigest(await latentSetOf(model));
  const found: { prior: StoredPrior; fittedAt: string }[] = [];
  const warnings: string[] = [];
  for (const file of files) {
    const path = join(folder, file);
    try {
      const { tensors, metadata, verified } = await readSafetensors(path);
      if (!verified || !metadata.fittedAt) throw new RunError(`${path}: no prior of this program`);
      const fitted = Object.fromEntries(Object.entries(tensors).map(([key, { data }]) => [key, data as Float32Array]));
      found.push({
        prior: {
          name: file.slice(0, -SUFFIX.length),
          fitted: fitted as FittedPrior,
          isCurrent: metadata.latents === digest,
          step: Number(metadata.step),
          about: metadata.about,
        },
        fittedAt: metadata.fittedAt,
      });
    } catch (error) {
      warnings.push(`${messageOf(error)}; this prior is left out`);
    }
  }
  found.sort((a, b) => (a.fittedAt < b.fittedAt ? 1 : -1));
  return { priors: found.map(({ prior }) => prior), warnings };
}
