/** The ways to disturb a trained generator, each by name and size. */
import { pixelCentres } from '../../grid.ts';
import { type FieldWeights, fieldForward } from '../../ops/field.ts';
import type { Random } from '../../random.ts';
import { type DrawableField, withFields } from '../../render/drawableField.ts';
import { imageLatents, latentFields, latentSpaceOf, type Model } from '../../render/model.ts';
import { renderImagesFloat } from '../../render/render.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf, tidy } from '../../tf.ts';

/** How far each kind of perturbation goes. */
export interface PerturbationSizes {
  /** Sizes of latent and weight perturbations, relative. */
  sizes: readonly number[];
  /** Standard deviations of coordinate jitter, in pixels. */
  jitters: readonly number[];
  /** Standard deviations of the shifts of Fourier frequencies, in cycles per image. */
  frequencyShifts: readonly number[];
}

/** One way to disturb a generator, at one size. */
export interface PerturbationKind {
  kind: string;
  size: number;
  /** The image [H,W,3] of one field, drawn anew. */
  perturb(field: DrawableField, image: number, random: Random): Promise<Float32Array>;
}

/** Every perturbation that the model allows: of latents where it has any, of frequencies where its encoding has any. */
export async function perturbationKinds(
  model: Model,
  { sizes, jitters, frequencyShifts }: PerturbationSizes,
): Promise<PerturbationKind[]> {
  const { training, generator } = model;
  const draw = (fields: DrawableField) =>
    withFields(fields, async (field) => (await renderImagesFloat(field, training))[0]);
  const weights =
    (kind: 'isotropic' | 'layer', size: number, layer?: number): PerturbationKind['perturb'] =>
    (field, _, random) =>
      draw({ ...field, weights: perturbWeights(field.weights, kind, size, random, layer) });
  const largest = Math.max(...sizes);
  const latents = model.latents ? await latentPerturbation(model) : undefined;
  return [
    ...(latents
      ? sizes.map(
          (size): PerturbationKind => ({
            kind: 'latent',
            size,
            perturb: (_, image, random) => draw(latentFields(model, latents(image, size, random))),
          }),
        )
      : []),
    ...sizes.map((size): PerturbationKind => ({ kind: 'weights', size, perturb: weights('isotropic', size) })),
    ...sizes.map((size): PerturbationKind => ({ kind: 'weights-layer', size, perturb: weights('layer', size) })),
    ...generator.spec.layers.map(
      (_, l): PerturbationKind => ({
        kind: `weights-layer-${l}`,
        size: largest,
        perturb: weights('layer', largest, l),
      }),
    ),
    ...jitters.map(
      (size): PerturbationKind => ({
        kind: 'jitter',
        size,
        perturb: (field, _, random) => drawJittered(field, size, random),
      }),
    ),
    ...(generator.encoding.shifted
      ? frequencyShifts.map(
          (size): PerturbationKind => ({
            kind: 'frequencies',
            size,
            perturb: async (field, _, random) => {
              const encoding = field.encoding.shifted?.(size, random) ?? field.encoding;
              return (await renderImagesFloat({ ...field, encoding }, training))[0];
            },
          }),
        )
      : []),
  ];
}

/** Makes the function that gives an image's latent plus a random step of `size` times the latents' own spread, [D]. */
async function latentPerturbation(model: Model) {
  const { size: latentSize } = latentSpaceOf(model);
  const table = await imageLatents(model);
  const deviation = deviationsOf(table, latentSize);
  return (image: number, size: number, random: Random) =>
    Float32Array.from(
      { length: latentSize },
      (_, d) => table[image * latentSize + d] + size * deviation[d] * random.normal(),
    );
}

/** Standard deviation of each dimension over the training latents [N,D], [D]. */
function deviationsOf(table: Float32Array, dimensions: number): Float64Array {
  const count = table.length / dimensions;
  const [mean, square] = [new Float64Array(dimensions), new Float64Array(dimensions)];
  for (let i = 0; i < table.length; i++) {
    mean[i % dimensions] += table[i] / count;
    square[i % dimensions] += table[i] ** 2 / count;
  }
  return square.map((value, d) => Math.sqrt(Math.max(0, value - mean[d] ** 2)));
}

/** The image of one field with every pixel drawn at its centre plus N(0, τ²I), τ in pixels, [H,W,3]. */
export async function drawJittered(field: DrawableField, deviation: number, random: Random): Promise<Float32Array> {
  const { width, height } = field.training;
  const [xs, ys] = [pixelCentres(0, 1, width), pixelCentres(0, 1, height)];
  const points = new Float32Array(width * height * 2);
  for (let p = 0; p < width * height; p++) {
    points[2 * p] = xs[p % width] + (deviation * random.normal()) / width;
    points[2 * p + 1] = ys[Math.floor(p / width)] + (deviation * random.normal()) / height;
  }
  const output = tf.tidy(() => {
    const features = field.encoding.points(tf.tensor2d(points, [width * height, 2]), field.encodingParameters ?? {});
    return fieldForward(field.spec, field.weights, features);
  }); // [1,P,3]
  try {
    return (await output.data()) as Float32Array;
  } finally {
    output.dispose();
  }
}

/**
 * Weights plus noise. `isotropic`: one direction on the unit sphere of all weights of a field, scaled to `size` times
 * their norm (Rahaman et al. 2019, §4.2, whose δ is absolute). `layer`: independent in every layer, `size` relative to
 * the norm of its kernel and bias, so that small layers are perturbed as much as large ones.
 */
export function perturbWeights(
  weights: FieldWeights,
  kind: 'isotropic' | 'layer',
  size: number,
  random: Random,
  only?: number,
): FieldWeights {
  return tidy(() => {
    const layers = weights.kernels.map((kernel, l) => ({
      kernel,
      bias: weights.biases[l],
      chosen: only === undefined || l === only,
    }));
    const noise = layers.map(({ kernel, bias }) => ({
      kernel: normalLike(kernel, random),
      bias: normalLike(bias, random),
    }));
    const squares = (part: { kernel: Tensor; bias: Tensor }) =>
      tf.add(tf.sum(tf.square(part.kernel), [1, 2]), tf.sum(tf.square(part.bias), 1)); // [B]
    const scaleOf = (of: readonly number[]) => {
      const total = (parts: readonly { kernel: Tensor; bias: Tensor }[]) => tf.addN(of.map((l) => squares(parts[l])));
      return tf.mul(tf.sqrt(tf.div(total(layers), total(noise))), size); // [B]
    };
    const all = layers.flatMap(({ chosen }, l) => (chosen ? [l] : []));
    const common = kind === 'isotropic' ? scaleOf(all) : undefined;
    const perturbed = layers.map(({ kernel, bias, chosen }, l) => {
      if (!chosen) return { kernel: tf.clone(kernel), bias: tf.clone(bias) };
      const scale = common ?? scaleOf([l]);
      return {
        kernel: tf.add(kernel, tf.mul(noise[l].kernel, tf.reshape(scale, [-1, 1, 1]))) as Tensor3D,
        bias: tf.add(bias, tf.mul(noise[l].bias, tf.reshape(scale, [-1, 1]))) as Tensor2D,
      };
    });
    return { kernels: perturbed.map(({ kernel }) => kernel), biases: perturbed.map(({ bias }) => bias) };
  });
}

function normalLike(tensor: Tensor, random: Random): Tensor {
  return tf.tensor(random.normals(tensor.size), tensor.shape);
}
