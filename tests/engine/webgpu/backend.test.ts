import { describe, expect, it } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import { type FieldSpec, fieldLoss } from '../../../src/ops/field.ts';
import { Random } from '../../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../../src/tf.ts';
import { availableEngines } from '../../support/engines.ts';

describe.skipIf(!availableEngines.includes('webgpu'))('the webgpu backend', () => {
  it('gives each kernel its own uniforms, however many kernels wait for the device', async () => {
    await startEngine('webgpu');
    const random = new Random(3, 'parameters');
    const layers = [{ inputs: 5, outputs: 3 }];
    const spec: FieldSpec = { layers, activation: 'relu', omega: 1, output: 'sigmoid' };
    const normals = (shape: number[]) => tf.tensor(random.normals(tf.util.sizeFromShape(shape)), shape);
    const weights = [normals([2, 5, 3]), normals([2, 3])];
    // Settings of three sizes in turn: were uniforms written too early, a kernel would see another's.
    const settings = [33, 8, 20].map((points) => ({
      features: normals([points, 5]),
      targets: normals([2, points, 3]),
    }));
    const results = Array.from({ length: 60 }, (_, i) => {
      const { features, targets } = settings[i % settings.length];
      const loss = (...w: Tensor[]) => {
        const asWeights = { kernels: [w[0] as Tensor3D], biases: [w[1] as Tensor2D] };
        return fieldLoss(spec, asWeights, features, targets as Tensor3D);
      };
      const { value, grads } = tf.valueAndGrads(loss)(weights);
      return [value, ...grads];
    });
    const values = await Promise.all(results.map((tensors) => Promise.all(tensors.map((tensor) => tensor.data()))));
    values.forEach((value, i) => {
      expect(value).toEqual(values[i % settings.length]);
    });
  });
});
