/** What the suite over all engines leaves out of the field's kernels: wide, deep and uneven fields, cut in every way. */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine } from '../../../src/engine/engine.ts';
import { activationFunctions } from '../../../src/engine/webgpu/activationShader.ts';
import type { GpuKernel, WebgpuBackend } from '../../../src/engine/webgpu/backend.ts';
import { createFieldKernel, type FieldKernelSettings } from '../../../src/engine/webgpu/field.ts';
import { chunksOf, cutPass } from '../../../src/engine/webgpu/fieldChunks.ts';
import { ACTIVATIONS, type FieldSpec, type FieldWeights } from '../../../src/ops/field.ts';
import { referenceForward, referenceLoss } from '../../../src/ops/fieldReference.ts';
import { Random } from '../../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../../src/tf.ts';
import { availableEngines } from '../../support/engines.ts';
import { slowActivation, slowField } from '../../support/slowModel.ts';

interface Case {
  name: string;
  fields: number;
  points: number;
  widths: number[];
  activation: FieldSpec['activation'];
  omega?: number;
  perField?: boolean;
  skipLayer?: number;
}

const cases: Case[] = [
  { name: 'gelu, more features than are wide', fields: 3, points: 300, widths: [70, 20, 33, 5], activation: 'gelu' },
  {
    name: 'sine of ω = 30, five layers of all widths, a skip, features per field',
    fields: 2,
    points: 270,
    widths: [4, 16, 40, 8, 23, 6],
    activation: 'sine',
    omega: 30,
    perField: true,
    skipLayer: 2,
  },
  { name: 'leaky relu, 200 and 256 wide', fields: 2, points: 40, widths: [10, 200, 256, 3], activation: 'leakyRelu' },
];

const sizeOf = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);

function setUp({ fields, points, widths, activation, omega = 1, perField, skipLayer }: Case) {
  const random = new Random(7, 'parameters');
  const layers = widths.slice(1).map((outputs, i) => {
    return { inputs: widths[i] + (i === skipLayer ? widths[0] : 0), outputs };
  });
  const spec: FieldSpec = { layers, skipLayer, activation, omega, output: 'linear' };
  const normals = (shape: number[], deviation: number) => tf.tensor(random.normals(sizeOf(shape), deviation), shape);
  // As SIREN has it, ω·z is of order one.
  const deviation = (inputs: number) => 1 / Math.sqrt(inputs) / omega;
  const weights: FieldWeights = {
    kernels: layers.map((l) => normals([fields, l.inputs, l.outputs], deviation(l.inputs)) as Tensor3D),
    biases: layers.map((l) => normals([fields, l.outputs], 0.3 * deviation(1)) as Tensor2D),
  };
  const features = normals(perField ? [fields, points, widths[0]] : [points, widths[0]], 1);
  const targets = normals([fields, points, widths[widths.length - 1]], 0.5) as Tensor3D;
  return { spec, weights, features, targets };
}
type Setting = ReturnType<typeof setUp>;

const backend = () => tf.backend() as unknown as WebgpuBackend;
const kernelWith = (settings?: FieldKernelSettings) => createFieldKernel(backend(), settings);

const read = (tensors: readonly Tensor[]) => Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));

/** Losses, and the gradients of kernels, then of biases. */
async function lossesAndGradients({ spec, weights, features, targets }: Setting, settings?: FieldKernelSettings) {
  const { losses, kernels, biases } = kernelWith(settings).lossAndGradients(spec, weights, features, targets);
  return read([losses, ...kernels, ...biases]);
}

/** Gradients of Σ targets·output: kernels, biases, features. */
async function outputGradients({ spec, weights, features, targets }: Setting, settings?: FieldKernelSettings) {
  const {
    kernels,
    biases,
    features: ofFeatures,
  } = kernelWith(settings).gradients(spec, weights, features, targets, true);
  return read([...kernels, ...biases, ofFeatures as Tensor]);
}

/** The same by the reference ops. */
function referenceGradients({ spec, weights, features, targets }: Setting, ofLoss: boolean) {
  const count = spec.layers.length;
  const fields = weights.kernels[0].shape[0];
  const own = features.rank === 3 ? features : tf.tile(tf.expandDims(features, 0), [fields, 1, 1]);
  const value = (...w: Tensor[]) => {
    const given = { kernels: w.slice(0, count) as Tensor3D[], biases: w.slice(count, 2 * count) as Tensor2D[] };
    const output = referenceForward(spec, given, w[2 * count]);
    return ofLoss ? tf.mean(tf.squaredDifference(output, targets)) : tf.sum(tf.mul(output, targets));
  };
  const gradients = tf.grads(value)([...weights.kernels, ...weights.biases, own]);
  const ofFeatures = gradients[2 * count];
  return read([...gradients.slice(0, 2 * count), features.rank === 3 ? ofFeatures : tf.sum(ofFeatures, 0)]);
}

const norm = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
/** The largest norm of a difference over the norm, of all tensors. */
function largestDifference(got: readonly Float32Array[], wanted: readonly Float32Array[]) {
  expect(got.map(({ length }) => length)).toEqual(wanted.map(({ length }) => length));
  return Math.max(...got.map((values, t) => norm(values.map((value, i) => value - wanted[t][i])) / norm(wanted[t])));
}

describe.skipIf(!availableEngines.includes('webgpu'))("the webgpu engine's kernels of a field", () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  it.each([cases[2]])('agree with a float64 evaluation point by point ($name)', async (testCase) => {
    const { spec, weights, features } = setUp(testCase);
    expect(kernelWith().supports(spec, features)).toBe(true);
    const values = await kernelWith().forward(spec, weights, features).data<'float32'>();
    const [kernels, biases] = [await read(weights.kernels), await read(weights.biases)];
    const [inputs] = await read([features]);
    const { fields, points, widths, perField } = testCase;
    const expected = Array.from({ length: fields * points }).flatMap((_, row) => {
      const field = Math.floor(row / points);
      const at = (perField ? row : row % points) * widths[0];
      const own = spec.layers.map((layer, l) => {
        const size = layer.inputs * layer.outputs;
        return {
          kernel: kernels[l].subarray(field * size, (field + 1) * size),
          bias: biases[l].subarray(field * layer.outputs, (field + 1) * layer.outputs),
        };
      });
      return [...slowField(spec, own, inputs.subarray(at, at + widths[0]))];
    });
    expect(values.length).toBe(expected.length);
    const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);
    expect(worst).toBeLessThan(1e-5 * Math.max(1, norm(expected) / Math.sqrt(expected.length)));
  });

  it.each(cases)('have the losses and gradients of the reference ops ($name)', async (testCase) => {
    const setting = setUp(testCase);
    const { spec, weights, features, targets } = setting;
    const [losses, ...gradients] = await lossesAndGradients(setting);
    expect(largestDifference([losses], await read([referenceLoss(spec, weights, features, targets)]))).toBeLessThan(
      1e-6,
    );
    expect(largestDifference(gradients, (await referenceGradients(setting, true)).slice(0, -1))).toBeLessThan(1e-5);
  });

  it('have the gradients of any function of the output, in chunks, too', async () => {
    const setting = setUp(cases[1]);
    const wanted = await referenceGradients(setting, false);
    expect(largestDifference(await outputGradients(setting), wanted)).toBeLessThan(1e-5);
    expect(largestDifference(await outputGradients(setting, { workspaceBytes: 1 }), wanted)).toBeLessThan(1e-5);
  });

  /** How often kernels whose name begins so ran during some work. */
  async function countRuns(prefix: string, work: () => Promise<unknown>) {
    const spy = vi.spyOn(backend(), 'run');
    await work();
    const names = spy.mock.calls.map(([{ name }]) => name);
    spy.mockRestore();
    return names.filter((name) => name.startsWith(prefix)).length;
  }

  // A byte leaves room for one tile of one field, 2 ** 18 for some; together: chunks of points, of fields and of both.
  it.each([cases[0]])('give the same in chunks of any size ($name)', async (testCase) => {
    const setting = setUp(testCase);
    const whole = await lossesAndGradients(setting);
    expect(await countRuns('field loss', () => lossesAndGradients(setting))).toBe(2); // the pass, and the sum of its parts
    for (const workspaceBytes of [1, 2 ** 16, 2 ** 18]) {
      const settings = { workspaceBytes };
      let cut: Float32Array[] = [];
      const runs = await countRuns('field loss', async () => {
        cut = await lossesAndGradients(setting, settings);
      });
      if (workspaceBytes === 1) expect(runs).toBeGreaterThan(2 * testCase.fields);
      expect(largestDifference(cut, whole)).toBeLessThan(1e-6);
    }
  });

  it('give the same bits on a device that binds few buffers', async () => {
    const setting = setUp(cases[1]);
    const groups = (mostBuffers: number) => countRuns('unpack', () => lossesAndGradients(setting, { mostBuffers }));
    expect(await groups(8)).toBe(2);
    expect(await groups(4)).toBe(4);
    for (const mostBuffers of [3, 4, 8]) {
      expect(await lossesAndGradients(setting, { mostBuffers })).toEqual(await lossesAndGradients(setting));
    }
  });

  it('show by what is not a number that a model has diverged', async () => {
    const { spec, weights, features, targets } = setUp(cases[0]);
    const kernels = [tf.mul(weights.kernels[0], Number.NaN) as Tensor3D, ...weights.kernels.slice(1)];
    const [losses] = await lossesAndGradients({ spec, weights: { ...weights, kernels }, features, targets });
    expect([...losses].every(Number.isNaN)).toBe(true);
  });

  it('leave alone what they can not compute', () => {
    const wide = [
      { inputs: 2, outputs: 5000 },
      { inputs: 5000, outputs: 3 },
    ];
    const spec: FieldSpec = { layers: wide, activation: 'relu', omega: 1, output: 'linear' };
    expect(kernelWith().supports(spec, tf.zeros([4, 2]))).toBe(false);
    const many: FieldSpec = { ...spec, layers: [{ inputs: 2, outputs: 65 }] };
    expect(kernelWith().supports(many, tf.zeros([4, 2]))).toBe(false);
    expect(kernelWith().supports(setUp(cases[0]).spec, tf.zeros([4, 6], 'int32'))).toBe(false);
  });

  it('leak neither tensors nor memory of the GPU', async () => {
    const { spec, weights, features, targets } = setUp(cases[2]);
    const kernel = kernelWith({ workspaceBytes: 1 });
    const once = async () => {
      const { losses, kernels, biases } = kernel.lossAndGradients(spec, weights, features, targets);
      const output = kernel.forward(spec, weights, features);
      const all = [losses, output, ...kernels, ...biases];
      await read(all);
      tf.dispose(all);
    };
    await once();
    await once();
    const before = tf.memory();
    for (let i = 0; i < 3; i++) await once();
    expect(tf.memory()).toEqual(before);
  });
});

describe.skipIf(!availableEngines.includes('webgpu'))('the activations of a field on the webgpu engine', () => {
  beforeAll(async () => {
    await startEngine('webgpu');
  });

  const z = new Random(8, 'synthetic').uniforms(1000, -3, 3);

  it.each(ACTIVATIONS.map((activation) => ({ activation })))(
    'are right, and have the derivatives that differences in float64 give ($activation)',
    async ({ activation }) => {
      const spec: FieldSpec = { layers: [{ inputs: 1, outputs: 1 }], activation, omega: 30, output: 'linear' };
      const kernel: GpuKernel = {
        name: `test of ${activation}`,
        bindings: ['read', 'write', 'write'],
        code: `
@group(0) @binding(0) var<storage, read> z: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> slopes: array<vec4f>;
${activationFunctions(spec)}
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) {
  values[group.x] = activate(z[group.x]);
  slopes[group.x] = derivative(z[group.x]);
}`,
      };
      const outputs = [backend().allocate([z.length]), backend().allocate([z.length])];
      backend().run(kernel, [tf.tensor1d(z), ...outputs], [z.length / 4]);
      const asTensors = outputs.map((info) => tf.engine().makeTensorFromTensorInfo(info as never) as Tensor);
      const [values, slopes] = await read(asTensors);
      // ω·z, and for finer ω·(|z| + 1)·z, is rounded to 24 bits before the sine is taken.
      const phase = activation === 'finer' ? 30 * 4 * 3 : 30 * 3;
      const periodic = ['sine', 'finer', 'gaussian'].includes(activation);
      const rounding = periodic ? 2 ** -24 * phase * 4 : 1e-6;
      const steepest = { sine: 30, finer: 30 * 7, gaussian: 30 }[activation as string] ?? 1;
      z.forEach((at, i) => {
        const step = 1e-6;
        const slope = (slowActivation(spec, at + step) - slowActivation(spec, at - step)) / (2 * step);
        expect(Math.abs(values[i] - slowActivation(spec, at))).toBeLessThan(rounding);
        expect(Math.abs(slopes[i] - slope)).toBeLessThan(2 * steepest * Math.max(rounding, 1e-6));
      });
    },
  );
});

describe('a pass in chunks', () => {
  it.each([
    [1, 1, 1],
    [3, 300, 1],
    [3, 300, 200_000],
    [7, 1000, 1_000_000],
    [64, 4096, 2 ** 28],
    [500, 65_536, 2 ** 28],
  ])('covers %i fields of %i points once each within %i bytes', (fields, points, mostBytes) => {
    const tilePoints = 32;
    const bytesPerPoint = 1000;
    const cut = cutPass({ fields, points, tilePoints }, { bytesPerPoint, mostBytes, weights: 9000 });
    const bytes = cut.chunkFields * cut.chunk * bytesPerPoint;
    expect(bytes).toBeLessThanOrEqual(Math.max(mostBytes, tilePoints * bytesPerPoint));
    expect(cut.chunk % tilePoints).toBe(0);
    expect(cut.slice % tilePoints).toBe(0);
    expect((cut.slices - 1) * cut.slice).toBeLessThan(cut.chunk);
    expect(cut.slices * cut.slice).toBeGreaterThanOrEqual(cut.chunk);
    const chunks = [...chunksOf(cut, 1)];
    const covered = chunks.reduce((sum, chunk) => sum + chunk.fields * chunk.tiles, 0);
    expect(covered).toBe(fields * Math.ceil(points / tilePoints));
    expect(new Set(chunks.map(({ sizes }) => new Uint32Array(sizes).join())).size).toBe(chunks.length);
  });
});
