import { afterEach, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import { gridFeatureKernel } from '../../src/ops/gridFeatures.ts';
import { type GridFeatureKernel, kernelsInUse, useKernels } from '../../src/ops/kernels.ts';
import { type AdamState, adamUpdate } from '../../src/ops/optimizer.ts';
import { quantiserInUse } from '../../src/ops/quantise.ts';
import { type Tensor2D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';

const HYPERPARAMETERS = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 1 };

describe('the kernels of an engine', () => {
  afterEach(() => startEngine('javascript'));

  it('serve while their backend is in use, and no longer than others take their place', async () => {
    await startEngine('javascript');
    const mine: GridFeatureKernel = { encode: () => tf.zeros([1, 1]) as Tensor2D };
    useKernels('cpu', { gridFeatures: mine });
    expect(gridFeatureKernel()).toBe(mine);
    await startEngine('wasm');
    expect(gridFeatureKernel()).toBeUndefined();
    tf.setBackend('cpu');
    expect(gridFeatureKernel()).toBe(mine);
    useKernels('cpu', { quantise: async () => undefined });
    expect(gridFeatureKernel()).toBeUndefined();
    expect(quantiserInUse()).toBeDefined();
  });

  it('stand in for the composed operation', async () => {
    await startEngine('javascript');
    const marked = (state: AdamState): AdamState => ({ ...state, parameter: tf.scalar(42) });
    useKernels('cpu', { optimizer: { adam: marked, ema: (average) => average } });
    const state = { parameter: tf.scalar(1), firstMoment: tf.scalar(0), secondMoment: tf.scalar(0) };
    expect((await adamUpdate(state, tf.scalar(1), HYPERPARAMETERS).parameter.data())[0]).toBe(42);
  });

  it.each(availableEngines)('are put to use by the start of %s, the same ones each time', async (name) => {
    await startEngine(name);
    const kernels = kernelsInUse();
    expect(kernels.field !== undefined).toBe(name === 'native' || name === 'webgpu');
    await startEngine('javascript');
    expect(kernelsInUse()).toEqual({});
    await startEngine(name);
    expect(Object.values(kernelsInUse())).toEqual(Object.values(kernels));
  });
});
