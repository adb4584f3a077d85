/**
 * The encoder of a variational auto-encoder: an image, reduced to few pixels, becomes a Gaussian over latents,
 * q(z|x) = N(μ(x), diag σ²(x)) (Kingma & Welling 2014).
 *
 * Dense layers with SiLU (x·sigmoid(x)), for aligned images: a pixel means the same in each of them.
 */
import { type Tensor, type Tensor2D, tf, tidy } from '../tf.ts';
import { type InitialParameters, normal, type Parameters, zeros } from './parameters.ts';

export interface EncoderShape {
  /** Values of an image, V. */
  inputs: number;
  /** Widths of the hidden layers. */
  widths: readonly number[];
  /** Dimensions of the latent, D. */
  latent: number;
}

/** q(z|x) of B images. */
export interface Posterior {
  mean: Tensor2D;
  /** log σ², [B,D]. */
  logVariance: Tensor2D;
}

/** What keeps e^(log σ²) a number: standard deviations from e⁻⁵ to e². */
const LOG_VARIANCE = [-10, 4] as const;

/** `encoder.N.kernel` and `encoder.N.bias`; the last layer gives means and log-variances side by side. */
export function initialEncoder({ inputs, widths, latent }: EncoderShape): InitialParameters {
  const all = [inputs, ...widths, 2 * latent];
  return Object.fromEntries(
    all.slice(1).flatMap((outputs, i) => [
      [`encoder.${i}.kernel`, { shape: [all[i], outputs], draw: normal(Math.sqrt(1 / all[i])) }],
      [`encoder.${i}.bias`, { shape: [outputs], draw: zeros }],
    ]),
  );
}

/** @param images [B,V] in [0,1]. Differentiable in everything. */
export function encode({ widths, latent }: EncoderShape, parameters: Parameters, images: Tensor2D): Posterior {
  return tidy(() => {
    const linear = (x: Tensor, i: number) =>
      tf.add(tf.matMul(x as Tensor2D, parameters[`encoder.${i}.kernel`] as Tensor2D), parameters[`encoder.${i}.bias`]);
    let hidden: Tensor = tf.sub(tf.mul(images, 2), 1); // [B,V] in [−1,1]
    for (let i = 0; i < widths.length; i++) {
      const x = linear(hidden, i);
      hidden = tf.mul(x, tf.sigmoid(x));
    }
    const [mean, logVariance] = tf.split(linear(hidden, widths.length), [latent, latent], 1); // [B,D] each
    return {
      mean: mean as Tensor2D,
      logVariance: tf.clipByValue(logVariance, ...LOG_VARIANCE) as Tensor2D,
    };
  });
}

/** KL(q ‖ N(0, I)) of each image and dimension, [B,D]: ½(σ² + μ² − 1 − log σ²) (Kingma & Welling 2014, appendix B). */
export function divergence({ mean, logVariance }: Posterior): Tensor2D {
  return tf.tidy(() => {
    const terms = tf.sub(tf.add(tf.exp(logVariance), tf.square(mean)), tf.add(logVariance, 1));
    return tf.mul(terms, 0.5);
  }) as Tensor2D;
}
