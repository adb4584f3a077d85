/**
 * The field's loss in mixed precision against the same in 32 bits, and against float64 that rounds where it should.
 *
 * Bounds: halves have 11 bits, so a rounded number is off by 2⁻¹² of itself at most. Gradients are compared in their norm.
 * Where the slope is at most about one, a few such errors of each product remain, 8 · 2⁻¹²; where it is about three, as in
 * these cases with a frequency, each of the two hidden layers multiplies that by three; a rectifier's slope jumps where z is
 * within rounding of zero, so that a share of about 2⁻¹¹ of the deltas may be switched, which is its root in the norm.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import type { WebgpuBackend } from '../../../src/engine/webgpu/backend.ts';
import { type AdapterDescription, describeGpu } from '../../../src/engine/webgpu/device.ts';
import { createFieldKernel } from '../../../src/engine/webgpu/field.ts';
import { mixedGradientKernel } from '../../../src/engine/webgpu/mixedGradientShader.ts';
import {
  type MatrixUnit,
  type MixedTile,
  matrixUnit,
  mixedLayout,
  mixedTile,
} from '../../../src/engine/webgpu/mixedLayout.ts';
import { mixedKernel } from '../../../src/engine/webgpu/mixedShader.ts';
import { webgpuDevice } from '../../../src/engine/webgpu/webgpu.ts';
import { type FieldKernel, type FieldSpec, type FieldWeights, fieldLoss } from '../../../src/ops/field.ts';
import { type AdamState, adamUpdate } from '../../../src/ops/optimizer.ts';
import { Random } from '../../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../../src/tf.ts';
import { availableEngines, isRequired } from '../../support/engines.ts';
import { roundedGradients } from '../../support/slowMixed.ts';

const adapter = availableEngines.includes('webgpu') ? await describeGpu() : undefined;
const unit = adapter && matrixUnit(adapter);
if (!unit) {
  const line = `mixed precision not tested: ${adapter?.name ?? 'no GPU'} has no matrices f16 × f16 → f32`;
  if (isRequired('mixed')) throw new Error(`${line}, but CHLADNI_REQUIRE_ENGINES names it`);
  console.info(line);
}

const ROUNDING = 2 ** -12;
const SMOOTH = 8 * ROUNDING;
const STEEP = 3 ** 2 * SMOOTH;
const RECTIFIED = Math.sqrt(2 * ROUNDING);

interface Case {
  name: string;
  fields: number;
  points: number;
  widths: number[];
  activation: FieldSpec['activation'];
  output: FieldSpec['output'];
  perField?: boolean;
  skipLayer?: number;
  omega?: number;
  bound: number;
}

const odd = { fields: 2, points: 33, widths: [5, 17, 33, 3], output: 'sigmoid' as const };
const cases: Case[] = [
  { name: 'relu, odd widths', ...odd, activation: 'relu', bound: RECTIFIED },
  { name: 'leaky relu, a skip', ...odd, activation: 'leakyRelu', skipLayer: 1, bound: RECTIFIED },
  { name: 'gelu, features per field', ...odd, activation: 'gelu', perField: true, bound: SMOOTH },
  {
    name: 'sine, a skip into the output of features per field',
    ...odd,
    activation: 'sine',
    perField: true,
    skipLayer: 2,
    bound: STEEP,
  },
  { name: 'finer, linear', ...odd, output: 'linear', activation: 'finer', omega: 1, bound: STEEP },
  { name: 'gaussian, linear', ...odd, output: 'linear', activation: 'gaussian', bound: STEEP },
  {
    name: 'no hidden layer',
    fields: 3,
    points: 9,
    widths: [20, 3],
    activation: 'relu',
    output: 'sigmoid',
    bound: SMOOTH,
  },
];

const asTensor = (values: Float32Array, shape: number[]) => tf.tensor(values, shape);

function setUp({
  fields,
  points,
  widths,
  activation,
  output,
  perField,
  skipLayer,
  omega = 3,
}: Omit<Case, 'bound' | 'name'>) {
  const random = new Random(11, 'parameters');
  const layers = widths.slice(1).map((outputs, i) => {
    return { inputs: widths[i] + (i === skipLayer ? widths[0] : 0), outputs };
  });
  const spec: FieldSpec = { layers, skipLayer, activation, omega, output };
  const normals = (shape: number[], deviation: number) =>
    asTensor(
      random.normals(
        shape.reduce((product, n) => product * n),
        deviation,
      ),
      shape,
    );
  const weights: FieldWeights = {
    kernels: layers.map((l) => normals([fields, l.inputs, l.outputs], 1 / Math.sqrt(l.inputs)) as Tensor3D),
    biases: layers.map((l) => normals([fields, l.outputs], 0.3) as Tensor2D),
  };
  const features = normals(perField ? [fields, points, widths[0]] : [points, widths[0]], 1);
  const targets = normals([fields, points, widths[widths.length - 1]], 0.5) as Tensor3D;
  return { spec, weights, features, targets };
}

interface Setting {
  spec: FieldSpec;
  weights: FieldWeights;
  features: Tensor;
  targets: Tensor3D;
}

/** The mean loss, then its gradients of kernels, then of biases. */
function lossAndGradients({ spec, weights, features, targets }: Setting): Tensor[] {
  const count = spec.layers.length;
  const loss = (...w: Tensor[]) =>
    fieldLoss(
      spec,
      { kernels: w.slice(0, count) as Tensor3D[], biases: w.slice(count) as Tensor2D[] },
      features,
      targets,
    );
  const { value, grads } = tf.valueAndGrads(loss)([...weights.kernels, ...weights.biases]);
  return [value, ...grads];
}

const read = (tensors: Tensor[]) => Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));

async function gradientsOf(setting: Setting) {
  const [[loss], ...gradients] = await read(lossAndGradients(setting));
  return { loss, gradients };
}

const mixed = (setting: Setting): Setting => ({ ...setting, spec: { ...setting.spec, precision: 'mixed' } });

const norm = (values: Float32Array) => Math.hypot(...values);
/** The norm of the difference over the norm, for every tensor. */
const differences = (a: Float32Array[], b: Float32Array[]) =>
  a.map((values, i) => norm(values.map((value, k) => value - b[i][k])) / norm(values));

describe('the matrices of an adapter', () => {
  const described = (subgroupMatrices: { M: number; N: number; K: number }[]): AdapterDescription => ({
    name: 'a GPU',
    software: false,
    halfPrecision: true,
    subgroupSize: 32,
    subgroupMatrices: subgroupMatrices.map((m) => ({ componentType: 'f16', resultComponentType: 'f32', ...m })),
  });

  it('are the largest that divide the padded widths, and none without 16-bit floats or a fixed subgroup', () => {
    const shapes = [
      { M: 16, N: 8, K: 8 },
      { M: 16, N: 16, K: 16 },
      { M: 32, N: 32, K: 16 },
    ];
    expect(matrixUnit(described(shapes))).toMatchObject({ M: 16, N: 16, K: 16, subgroupSize: 32 });
    expect(matrixUnit(described([]))).toBeUndefined();
    expect(matrixUnit({ ...described(shapes), halfPrecision: false })).toBeUndefined();
    expect(matrixUnit({ ...described(shapes), subgroupSize: undefined })).toBeUndefined();
  });

  it.each([16, 64, 100, 128, 256])('have room in 48 KiB of workgroup memory for layers of %i', (width) => {
    const layers = [
      { inputs: 128, outputs: width },
      { inputs: width, outputs: width },
      { inputs: width, outputs: 3 },
    ];
    const layout = mixedLayout({ layers, activation: 'relu', omega: 1, output: 'sigmoid' });
    for (const N of [8, 16]) {
      const nvidia = matrixUnit(described([{ M: 16, N, K: 16 }])) as MatrixUnit;
      const tile = mixedTile(layout, nvidia, 48 * 1024, 1024);
      expect(tile?.points).toBeGreaterThanOrEqual(4 * N);
      expect((tile?.strips ?? 0) * 32).toBeGreaterThanOrEqual(width);
    }
    expect(
      mixedTile(layout, matrixUnit(described([{ M: 16, N: 16, K: 16 }])) as MatrixUnit, 1024, 1024),
    ).toBeUndefined();
  });
});

describe.skipIf(!adapter || unit)('mixed precision without matrices', () => {
  it('means 32 bits', async () => {
    await startEngine('webgpu');
    const setting = setUp(cases[0]);
    expect(await gradientsOf(mixed(setting))).toEqual(await gradientsOf(setting));
  });
});

describe.skipIf(!unit)('the loss in mixed precision', () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  it.each(cases)('has the gradients of 32 bits within its rounding ($name)', async ({ bound, ...testCase }) => {
    const setting = setUp(testCase);
    const exact = await gradientsOf(setting);
    const rounded = await gradientsOf(mixed(setting));
    expect(Math.abs(rounded.loss - exact.loss) / exact.loss).toBeLessThan(SMOOTH);
    const off = differences(exact.gradients, rounded.gradients);
    expect(Math.max(...off)).toBeLessThan(bound);
    // Were it the 32-bit kernel in disguise, all of this would hold, too.
    expect(off[0]).toBeGreaterThan(ROUNDING / 100);
  });

  it.each(cases)('rounds what it should, and nothing else ($name)', async ({ bound: _, name: __, ...testCase }) => {
    const setting = setUp(testCase);
    const { loss, gradients } = await gradientsOf(mixed(setting));
    const slow = await roundedGradients(setting);
    expect(Math.abs(loss - slow.loss) / slow.loss).toBeLessThan(1e-5);
    // Sums of 32 bits fall on the other side of a half's edge now and then.
    expect(Math.max(...differences(slow.gradients, gradients))).toBeLessThan(ROUNDING);
  });

  it.each([8, 16])('has shaders for matrices of 16 × %i × 16, too', async (N) => {
    const { spec } = setUp(cases[1]);
    const nvidia: MatrixUnit = { M: 16, N, K: 16, subgroupSize: 32, rows: 2, columns: 4 };
    const tile = mixedTile(mixedLayout(spec), nvidia, 48 * 1024, 1024) as MixedTile;
    const kernels = [mixedKernel(spec, tile, true), mixedGradientKernel(spec, tile, true).kernel];
    for (const { code } of kernels) {
      const { messages } = await webgpuDevice().createShaderModule({ code }).getCompilationInfo();
      expect(messages.map(({ message }) => message)).toEqual([]);
    }
  });

  it('gives the same bits every time, and keeps nothing else', async () => {
    const setting = mixed(setUp(cases[0]));
    const first = await gradientsOf(setting);
    const buffers = tf.backend().numDataIds();
    const again = tf.tidy(() => lossAndGradients(setting).map((tensor) => tf.keep(tensor)));
    expect(tf.backend().numDataIds()).toBe(buffers + again.length);
    expect(await read(again)).toEqual([Float32Array.of(first.loss), ...first.gradients]);
  });

  it('keeps errors whose share of the mean is below the smallest half', async () => {
    const { spec, fields, points, widths } = { spec: setUp(cases[0]).spec, ...cases[0], points: 1500 };
    const random = new Random(5, 'evaluation');
    // Small multiples of a half: every product and sum is exact in 16 bits, so both see the same outputs.
    const halves = (shape: number[], most: number) => {
      const count = shape.reduce((product, n) => product * n);
      return asTensor(
        random.uniforms(count, -1, 1).map((u) => Math.round(u * 2 * most) / 2),
        shape,
      );
    };
    const weights: FieldWeights = {
      kernels: spec.layers.map((l) => halves([fields, l.inputs, l.outputs], 0.5) as Tensor3D),
      biases: spec.layers.map((l) => halves([fields, l.outputs], 1) as Tensor2D),
    };
    const features = halves([points, widths[0]], 2);
    const linear: FieldSpec = { ...spec, output: 'linear' };
    const ofOutputs = { spec: linear, weights, features };
    const outputs = (createFieldKernel(tf.backend() as unknown as WebgpuBackend) as FieldKernel).forward(
      linear,
      weights,
      features,
    );
    const errors = asTensor(random.normals(outputs.size, 1e-4), outputs.shape);
    const setting = { ...ofOutputs, targets: tf.sub(outputs, errors) as Tensor3D };
    const exact = await gradientsOf(setting);
    expect((2 * 1e-4) / outputs.size).toBeLessThan(2 ** -25); // rounds to zero
    const rounded = await gradientsOf(mixed(setting));
    expect(Math.max(...differences(exact.gradients, rounded.gradients))).toBeLessThan(SMOOTH);
    expect(Math.abs(rounded.loss - exact.loss) / exact.loss).toBeLessThan(1e-5);
  });

  it('stays finite where activations are beyond the largest half', async () => {
    const setting = setUp(cases[0]);
    const large = {
      ...setting,
      weights: { ...setting.weights, kernels: setting.weights.kernels.map((k) => tf.mul(k, 3e3)) },
    };
    const { loss, gradients } = await gradientsOf(mixed(large as Setting));
    expect(loss).toBeGreaterThan(0);
    expect(Number.isFinite(loss)).toBe(true);
    expect(gradients.every((values) => values.every(Number.isFinite))).toBe(true);
  });

  it.each(['kernel', 'bias', 'features'])('shows what is no number in a %s', async (where) => {
    const setting = setUp(cases[0]);
    const poisoned = (tensor: Tensor) =>
      tf.where(tf.equal(tf.range(0, tensor.size).reshape(tensor.shape), 3), NaN, tensor);
    const { kernels, biases } = setting.weights;
    const weights = {
      kernels: where === 'kernel' ? [poisoned(kernels[0]) as Tensor3D, ...kernels.slice(1)] : kernels,
      biases: where === 'bias' ? [poisoned(biases[0]) as Tensor2D, ...biases.slice(1)] : biases,
    };
    const features = where === 'features' ? poisoned(setting.features) : setting.features;
    expect((await gradientsOf(mixed({ ...setting, weights, features } as Setting))).loss).toBeNaN();
  });

  const onKernel = async (kernel: FieldKernel, { spec, weights, features, targets }: Setting) => {
    const { losses, kernels, biases } = kernel.lossAndGradients(spec, weights, features, targets);
    const gradients = await Promise.all([...kernels, ...biases].map((g) => g.data<'float32'>()));
    return { losses: await losses.data<'float32'>(), gradients };
  };
  const kernelWith = (settings: Parameters<typeof createFieldKernel>[1]) =>
    createFieldKernel(tf.backend() as unknown as WebgpuBackend, settings);

  it.each([cases[0], cases[3]])('adds up over chunks of points ($name)', async (testCase) => {
    for (const setting of [setUp(testCase), mixed(setUp(testCase))]) {
      const whole = await onKernel(kernelWith({}), setting);
      const cut = await onKernel(kernelWith({ workspaceBytes: 2 ** 13 }), setting);
      expect(Math.max(...differences(whole.gradients, cut.gradients))).toBeLessThan(1e-6);
      expect(Math.max(...differences([whole.losses], [cut.losses]))).toBeLessThan(1e-6);
    }
  });

  it('is the same with the larger blocks of a GPU', async () => {
    const setting = mixed(setUp(cases[3]));
    const small = await onKernel(kernelWith({}), setting);
    const large = await onKernel(kernelWith({ unit: { ...(unit as MatrixUnit), rows: 2, columns: 4 } }), setting);
    expect(Math.max(...differences(small.gradients, large.gradients))).toBeLessThan(1e-6);
  });

  it('trains as 32 bits do', async () => {
    const { targets: normals, ...rest } = setUp({ ...cases[0], points: 200 });
    const setting = { ...rest, targets: tf.sigmoid(normals) as Tensor3D };
    const steps = 200;
    const curve = async ({ spec, weights, features, targets }: Setting) => {
      let states: AdamState[] = [...weights.kernels, ...weights.biases].map((parameter) => ({
        parameter: tf.clone(parameter),
        firstMoment: tf.zerosLike(parameter),
        secondMoment: tf.zerosLike(parameter),
      }));
      const count = spec.layers.length;
      const losses: Tensor[] = [];
      for (let step = 1; step <= steps; step++) {
        const loss = (...w: Tensor[]) =>
          fieldLoss(
            spec,
            { kernels: w.slice(0, count) as Tensor3D[], biases: w.slice(count) as Tensor2D[] },
            features,
            targets,
          );
        const { value, grads } = tf.valueAndGrads(loss)(states.map(({ parameter }) => parameter));
        losses.push(value);
        const hyperparameters = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step };
        states = states.map((state, i) => adamUpdate(state, grads[i], hyperparameters));
      }
      return Promise.all(losses.map(async (loss) => (await loss.data())[0]));
    };
    const exact = await curve(setting);
    const rounded = await curve(mixed(setting));
    expect(exact[steps - 1]).toBeLessThan(exact[0] / 2);
    const off = exact.map((loss, step) => Math.abs(rounded[step] - loss) / loss);
    expect(Math.max(...off)).toBeLessThan(0.05);
  });
});
