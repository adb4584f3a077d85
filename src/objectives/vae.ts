import { z } from 'zod';
import { areaReduce } from '../data/areaReduce.ts';
import type { ImageSet } from '../data/imageSet.ts';
import { divergence, type EncoderShape, encode, initialEncoder } from '../models/encoder.ts';
import { GENERATOR_STREAM, initialGenerator } from '../models/generator.ts';
import { Random } from '../random.ts';
import { type Scalar, type Tensor, type Tensor2D, tf, tidy } from '../tf.ts';
import { defineObjective } from './objective.ts';
import { imageColours, PixelBatches, pixelError, psnrOfReport, trainedSpec } from './pixelBatches.ts';

/** A dimension carries something of an image where its divergence is above this many nats on average over a batch. */
const ACTIVE_NATS = 0.01;
/** Images encoded at once when all are. */
const CHUNK = 256;

/**
 * A variational auto-encoder (Kingma & Welling 2014): an encoder makes each image's latent, so that what is learned of one
 * image serves all, and images that were never trained on have latents too.
 *
 * The weight of the divergence is tied to the error, so that there is none to tune: with a Gaussian likelihood of
 * variance σ², the best σ² is the mean squared error itself (Rybkin et al. 2021, σ-VAE, eq. 5 and 6). Per image of V
 * values the bound is then V/2·log MSE + KL, whose gradient is that of MSE + (2·MSE/V)·KL, scaled; the factor before KL is
 * held constant. `kl` scales it (β-VAE), and it grows from 0 in the first `klWarmup` of training.
 */
export const vae = defineObjective({
  about: 'an encoder gives each image its latent, near a Gaussian',
  conditioning: 'latents',
  keys: {
    kl: z.number().nonnegative().default(1).describe("scales the divergence's weight, which follows the error (β)"),
    klWarmup: z.number().min(0).max(1).default(0.25).describe('part of training in which that weight grows from 0'),
    encoderWidths: z.array(z.int().positive()).default([512, 512]).describe("widths of the encoder's hidden layers"),
    encoderSize: z
      .int()
      .positive()
      .default(32)
      .describe('pixels a side of the reduced image that the encoder sees, at most'),
  },
  make({ generator, settings, seed, images, imageNoise }) {
    const latent = generator.conditioner.latentSize as number;
    const spec = trainedSpec(generator, settings.precision);
    const side = {
      width: Math.min(settings.encoderSize, images.width),
      height: Math.min(settings.encoderSize, images.height),
    };
    const shape: EncoderShape = { inputs: 3 * side.width * side.height, widths: settings.encoderWidths, latent };
    const values = images.width * images.height * 3;
    return {
      groups: {
        generator: {
          initial: initialGenerator(generator),
          stream: GENERATOR_STREAM,
          learningRate: settings.learningRate,
          averaged: true,
        },
        encoder: {
          initial: initialEncoder(shape),
          stream: 'encoder',
          learningRate: settings.learningRate,
          averaged: true,
        },
      },
      phases: [
        {
          name: 'bound',
          trains: ['generator', 'encoder'],
          loss(parameters, batch) {
            const posterior = encode(shape, parameters, batch.reduced as Tensor2D);
            const deviation = tf.exp(tf.mul(posterior.logVariance, 0.5));
            const latents = tf.add(posterior.mean, tf.mul(deviation, batch.noise)) as Tensor2D; // [B,D]
            const error = pixelError(generator, spec, parameters, latents, batch);
            const divergences = tf.mean(divergence(posterior), 0); // [D]
            const kl = tf.sum(divergences) as Scalar;
            const weight = tf.mul(tf.mul(batch.klWeight, 2 / values), asConstant(error));
            return {
              minimise: tf.add(error, tf.mul(weight, kl)) as Scalar,
              report: {
                meanSquaredError: error,
                kl,
                activeDimensions: tf.sum(tf.cast(tf.greater(divergences, ACTIVE_NATS), 'float32')) as Scalar,
                latentNorm: tf.sqrt(tf.mean(tf.sum(tf.square(posterior.mean), 1))) as Scalar,
                posteriorDeviation: tf.mean(deviation) as Scalar,
              },
            };
          },
          logged: ({ meanSquaredError, kl, activeDimensions, latentNorm, posteriorDeviation }) => ({
            ...psnrOfReport({ meanSquaredError }),
            kl_nats: kl,
            active_dimensions: activeDimensions,
            latent_norm: latentNorm,
            posterior_deviation: posteriorDeviation,
          }),
        },
      ],
      batches: (set) => {
        const batch = Math.min(settings.batch, set.count);
        const warmupSteps = settings.klWarmup * settings.steps;
        return new PixelBatches({
          source: imageColours(set, seed, imageNoise),
          encoding: generator.encoding,
          seed,
          points: settings.points,
          batch,
          more: (step, chosen) => ({
            reduced: { values: areaReduce(set, chosen, side), shape: [batch, shape.inputs] },
            noise: { values: new Random(seed, 'posterior', step).normals(batch * latent), shape: [batch, latent] },
            klWeight: {
              values: Float32Array.of(settings.kl * Math.min(1, (step + 1) / Math.max(1, warmupSteps))),
              shape: [],
            },
          }),
        });
      },
      encode: (parameters, set) => encodeAll(set, (reduced) => encode(shape, parameters, reduced), side),
      latents: (parameters, rows) => tf.gather(parameters.latents as Tensor2D, rows),
    };
  },
});

/** The same value, which no gradient flows through. */
function asConstant(value: Tensor): Tensor {
  return tf.customGrad((x) => ({ value: tf.clone(x as Tensor), gradFunc: (dy: Tensor) => tf.zerosLike(dy) }))(value);
}

/** Means and standard deviations of q(z|x) of all images of a set, [N,D]. */
function encodeAll(
  set: ImageSet,
  posteriorOf: (reduced: Tensor2D) => ReturnType<typeof encode>,
  side: { width: number; height: number },
) {
  return tidy(() => {
    const parts: { means: Tensor2D; deviations: Tensor2D }[] = [];
    for (let first = 0; first < set.count; first += CHUNK) {
      const count = Math.min(CHUNK, set.count - first);
      parts.push(
        tidy(() => {
          const chosen = Array.from({ length: count }, (_, i) => first + i);
          const reduced = tf.tensor2d(areaReduce(set, chosen, side), [count, 3 * side.width * side.height]);
          const { mean, logVariance } = posteriorOf(reduced);
          return { means: mean, deviations: tf.exp(tf.mul(logVariance, 0.5)) as Tensor2D };
        }),
      );
    }
    return {
      means: tf.concat(parts.map(({ means }) => means)), // [N,D]
      deviations: tf.concat(parts.map(({ deviations }) => deviations)), // [N,D]
    };
  });
}
