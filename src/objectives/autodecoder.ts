import { z } from 'zod';
import { GENERATOR_STREAM, initialGenerator } from '../models/generator.ts';
import { normal } from '../models/parameters.ts';
import { Random } from '../random.ts';
import { type Scalar, type Tensor2D, tf } from '../tf.ts';
import { defineObjective, type InputArray } from './objective.ts';
import { imageColours, PixelBatches, pixelError, psnrOfReport, trainedSpec } from './pixelBatches.ts';

/**
 * One latent z per image, trained with the model: the mean squared error plus `latentPenalty` times the latents' mean
 * squared norm (Bojanowski et al. 2018, GLO; Park et al. 2019, DeepSDF, eq. 9). With `latentNoise`, z + ε, ε ~ N(0, σ²I),
 * is what is drawn (Zadeh et al. 2019, variational auto-decoder).
 */
export const autodecoder = defineObjective({
  about: 'one latent per image, trained with the model',
  conditioning: 'latents',
  keys: {
    latentLearningRate: z.number().positive().default(1e-2),
    latentStandardDeviation: z.number().positive().default(0.1).describe('of the initial latents, per dimension'),
    latentPenalty: z
      .number()
      .nonnegative()
      .default(1e-4)
      .describe('weight of the mean squared norm of the latents in the loss'),
    latentNoise: z
      .number()
      .nonnegative()
      .default(0)
      .describe('standard deviation of the noise added to latents during training: smooths the latent space'),
  },
  make({ generator, settings, seed, images: { count }, imageNoise }) {
    const size = generator.conditioner.latentSize as number;
    const spec = trainedSpec(generator, settings.precision);
    const { latentNoise, latentPenalty } = settings;
    return {
      groups: {
        generator: {
          initial: initialGenerator(generator),
          stream: GENERATOR_STREAM,
          learningRate: settings.learningRate,
          averaged: true,
        },
        latents: {
          initial: { latents: { shape: [count, size], draw: normal(settings.latentStandardDeviation) } },
          stream: 'latents',
          learningRate: settings.latentLearningRate,
          rows: 'images',
          averaged: true,
        },
      },
      phases: [
        {
          name: 'reconstruction',
          trains: ['generator', 'latents'],
          loss(parameters, batch) {
            const latents = parameters.latents as Tensor2D; // [B,D]
            const drawn = batch.latentNoise ? (tf.add(latents, batch.latentNoise) as Tensor2D) : latents;
            const error = pixelError(generator, spec, parameters, drawn, batch);
            const squaredNorm = tf.mean(tf.sum(tf.square(latents), 1)) as Scalar;
            return {
              minimise: tf.add(error, tf.mul(squaredNorm, latentPenalty)),
              report: { meanSquaredError: error },
            };
          },
          logged: psnrOfReport,
        },
      ],
      batches: (images) => {
        const batch = Math.min(settings.batch, images.count);
        return new PixelBatches({
          source: imageColours(images, seed, imageNoise),
          encoding: generator.encoding,
          seed,
          points: settings.points,
          batch,
          more(step): Record<string, InputArray> {
            if (latentNoise === 0) return {};
            const values = new Random(seed, 'latentNoise', step).normals(batch * size, latentNoise);
            return { latentNoise: { values, shape: [batch, size] } };
          },
        });
      },
      latents: (parameters, images) => tf.gather(parameters.latents as Tensor2D, images),
    };
  },
});
