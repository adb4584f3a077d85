/** What a small generator computes: run by Node and, bundled, in a context that has nothing of Node's. */
import { gridEncoder } from '../../src/models/encodings/encoding.ts';
import { fieldWeights, initGenerator, makeGenerator } from '../../src/models/generator.ts';
import { fieldForward, fieldLoss } from '../../src/ops/field.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../src/tf.ts';

/** Colours of two latents on a 5×4 grid, then the gradient of their mean squared error to grey with respect to both. */
export async function generatorNumbers(): Promise<number[]> {
  await tf.setBackend('cpu');
  const generator = makeGenerator(
    {
      encoding: { kind: 'gaussian', frequencies: 6, sigma: 2 },
      field: { width: 8, depth: 2, activation: 'sine', omega: 3, output: 'sigmoid' },
      conditioner: { kind: 'hypernetwork', latent: 3, mapping: [5] },
    },
    7,
  );
  const parameters = initGenerator(generator, 8);
  const latents = tf.tensor2d([0.5, -1, 0.25, 1, 2, -0.75], [2, 3]);
  const features = gridEncoder(generator.encoding, { window: [0, 0, 1, 1], width: 5, height: 4 }).tensor({
    firstRow: 0,
    rowCount: 4,
  });
  const colours = fieldForward(generator.spec, fieldWeights(generator, parameters, latents), features); // [2,20,3]
  const grey = tf.fill(colours.shape, 0.5) as Tensor3D;
  const gradient = tf.grad((z: Tensor) =>
    fieldLoss(generator.spec, fieldWeights(generator, parameters, z as Tensor2D), features, grey),
  )(latents);
  return [...(await colours.data()), ...(await gradient.data())];
}
