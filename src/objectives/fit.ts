import { GENERATOR_STREAM, initialGenerator } from '../models/generator.ts';
import { defineObjective } from './objective.ts';
import { imageColours, PixelBatches, pixelError, psnrOfReport, trainedSpec } from './pixelBatches.ts';

/** One field per image, no latent: the mean squared error, of all images in every step. */
export const fit = defineObjective({
  about: 'one field per image, no latent',
  conditioning: 'none',
  keys: {},
  make({ generator, settings, seed, images: { count }, imageNoise }) {
    const spec = trainedSpec(generator, settings.precision);
    return {
      groups: {
        generator: {
          initial: initialGenerator(generator, count),
          stream: GENERATOR_STREAM,
          learningRate: settings.learningRate,
          averaged: true,
        },
      },
      phases: [
        {
          name: 'reconstruction',
          trains: ['generator'],
          loss(parameters, batch) {
            const error = pixelError(generator, spec, parameters, undefined, batch);
            return { minimise: error, report: { meanSquaredError: error } };
          },
          logged: psnrOfReport,
        },
      ],
      batches: (images) =>
        new PixelBatches({
          source: imageColours(images, seed, imageNoise),
          encoding: generator.encoding,
          seed,
          points: settings.points,
          batch: 'all',
        }),
    };
  },
});
