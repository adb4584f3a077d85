import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine } from '../../src/engine/engine.ts';
import {
  type FieldKernel,
  type FieldSpec,
  type FieldWeights,
  fieldForward,
  fieldForwardOnGrid,
  fieldLoss,
} from '../../src/ops/field.ts';
import { referenceForward } from '../../src/ops/fieldReference.ts';
import { useKernels } from '../../src/ops/kernels.ts';
import { Random } from '../../src/random.ts';
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../src/tf.ts';
import { availableEngines } from '../support/engines.ts';

const [FIELDS, POINTS, FEATURES, WIDTH, CHANNELS] = [3, 7, 4, 6, 3];
const LAYERS = 3;

/** Which kernels and which biases all fields share. */
interface Sharing {
  name: string;
  kernels: boolean[];
  biases: boolean[];
}

const [SHARED, OWN] = [true, false];
const SHARINGS: Sharing[] = [
  { name: 'every kernel, as shifts do', kernels: [SHARED, SHARED, SHARED], biases: [OWN, OWN, OWN] },
  { name: 'the first kernel and all biases', kernels: [SHARED, OWN, OWN], biases: [SHARED, SHARED, SHARED] },
  { name: 'all before the last kernel', kernels: [SHARED, SHARED, OWN], biases: [SHARED, SHARED, SHARED] },
  { name: 'all but the last bias', kernels: [SHARED, SHARED, SHARED], biases: [SHARED, SHARED, OWN] },
  { name: 'the kernel in the middle', kernels: [OWN, SHARED, OWN], biases: [OWN, SHARED, OWN] },
];

function setUp({ kernels, biases }: Sharing, skipLayer?: number, perField = false) {
  const random = new Random(5, 'parameters');
  const widths = [FEATURES, WIDTH, WIDTH, CHANNELS];
  const layers = widths.slice(1).map((outputs, i) => {
    return { inputs: widths[i] + (i === skipLayer ? FEATURES : 0), outputs };
  });
  const spec: FieldSpec = { layers, skipLayer, activation: 'sine', omega: 1.5, output: 'sigmoid' };
  const draw = (shape: number[], deviation: number) =>
    tf.tensor(random.normals(tf.util.sizeFromShape(shape), deviation), shape);
  const own = [
    ...layers.map(({ inputs, outputs }, i) => draw([kernels[i] ? 1 : FIELDS, inputs, outputs], 1 / Math.sqrt(inputs))),
    ...layers.map(({ outputs }, i) => draw([biases[i] ? 1 : FIELDS, outputs], 0.3)),
  ];
  const features = draw([...(perField ? [FIELDS] : []), POINTS, FEATURES], 1);
  const targets = draw([FIELDS, POINTS, CHANNELS], 0.5) as Tensor3D;
  return { spec, own, features, targets };
}

const asWeights = (tensors: readonly Tensor[]): FieldWeights => ({
  kernels: tensors.slice(0, LAYERS) as Tensor3D[],
  biases: tensors.slice(LAYERS) as Tensor2D[],
});

/** One for each field, so that gradients come back as sums over the fields. */
const repeated = (tensors: readonly Tensor[]) =>
  asWeights(tensors.map((tensor) => tf.add(tensor, tf.zeros([FIELDS, ...tensor.shape.slice(1)]))));

async function largestDifference(a: Tensor, b: Tensor): Promise<number> {
  expect(a.shape).toEqual(b.shape);
  return (await tf.max(tf.abs(tf.sub(a, b))).data())[0];
}

const cases = SHARINGS.flatMap((sharing) =>
  [
    { skipLayer: undefined, perField: false },
    { skipLayer: 1, perField: false },
    { skipLayer: 2, perField: true },
  ].map((rest) => ({ ...sharing, ...rest })),
);

describe.each(availableEngines)('weights that fields share, on the %s engine,', (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  it.each(cases)(
    'give the values and gradients of repeated ones: $name, skip at $skipLayer, features of each field: $perField',
    async ({ skipLayer, perField, ...sharing }) => {
      const { spec, own, features, targets } = setUp(sharing, skipLayer, perField);
      const functions: ((weights: FieldWeights) => Tensor)[] = [
        (weights) => fieldLoss(spec, weights, features, targets),
        (weights) => tf.sum(tf.mul(tf.square(fieldForward(spec, weights, features)), targets)),
      ];
      for (const f of functions) {
        const shared = tf.valueAndGrads((...w: Tensor[]) => f(asWeights(w)))(own);
        const expected = tf.valueAndGrads((...w: Tensor[]) => f(repeated(w)))(own);
        expect(await largestDifference(shared.value, expected.value)).toBeLessThan(1e-5);
        for (let i = 0; i < own.length; i++) {
          expect(await largestDifference(shared.grads[i], expected.grads[i])).toBeLessThan(2e-5);
        }
        const penalty = (weights: (w: readonly Tensor[]) => FieldWeights) =>
          tf.grads((...w: Tensor[]) => {
            const inner = tf.grads((...v: Tensor[]) => f(weights(v)))(w);
            return tf.addN(inner.map((gradient) => tf.sum(tf.square(gradient))));
          })(own);
        const [second, secondExpected] = [penalty(asWeights), penalty(repeated)];
        for (let i = 0; i < own.length; i++) {
          const scale = (await tf.max(tf.abs(secondExpected[i])).data())[0];
          expect(await largestDifference(second[i], secondExpected[i])).toBeLessThan(1e-5 + 1e-5 * scale);
        }
      }
    },
  );

  it('flow to features of each field as repeated ones do', async () => {
    const { spec, own, features } = setUp(SHARINGS[0], 1, true);
    const gradient = (weights: FieldWeights) =>
      tf.grad((x: Tensor) => tf.sum(tf.square(fieldForward(spec, weights, x))))(features);
    expect(await largestDifference(gradient(asWeights(own)), gradient(repeated(own)))).toBeLessThan(1e-5);
  });

  it('are drawn like repeated ones', async () => {
    const { spec, own } = setUp(SHARINGS[0]);
    const grid = {
      xs: Float64Array.of(0.1, 0.5, 0.9),
      ys: Float64Array.of(0.25, 0.75),
      frequencies: Float64Array.of(1, 0, 2, 3),
    };
    const rows = { firstRow: 0, rowCount: 2 };
    const drawn = fieldForwardOnGrid(spec, asWeights(own), grid, rows);
    const expected = fieldForwardOnGrid(spec, repeated(own), grid, rows);
    expect(drawn === undefined).toBe(expected === undefined);
    if (drawn && expected) expect(await largestDifference(drawn, expected)).toBe(0);
  });

  it('leave no tensor behind', () => {
    const { spec, own, features, targets } = setUp(SHARINGS[1], 1);
    const before = tf.memory().numTensors;
    fieldForward(spec, asWeights(own), features).dispose();
    const { value, grads } = tf.valueAndGrads((...w: Tensor[]) => fieldLoss(spec, asWeights(w), features, targets))(
      own,
    );
    tf.dispose([value, ...grads]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('come in two sizes only', () => {
    const { spec, own, features } = setUp(SHARINGS[0]);
    const wrong = own.map((tensor, i) => (i === 1 ? tf.zeros([2, ...tensor.shape.slice(1)]) : tensor));
    expect(() => fieldForward(spec, asWeights(wrong), features)).toThrow(
      'layer 1 needs kernel [3,6,6] and bias [3,6] (1 for 3 where fields share it), got [2,6,6] and [3,6]',
    );
  });
});

describe('composed of ops, weights that fields share', () => {
  beforeAll(async () => {
    await startEngine('javascript');
  });
  afterEach(() => useKernels('cpu', {}));

  it('are multiplied once and never repeated', () => {
    const { spec, own, features } = setUp(SHARINGS[0]);
    const shapes: Record<string, number[][]> = {};
    const original = tf.engine().runKernel;
    const spy = vi.spyOn(tf.engine(), 'runKernel').mockImplementation((name, inputs, attributes) => {
      const result = original.call(tf.engine(), name, inputs, attributes) as Tensor;
      shapes[name] = [...(shapes[name] ?? []), result.shape];
      return result as never;
    });
    try {
      fieldForward(spec, asWeights(own), features);
    } finally {
      spy.mockRestore();
    }
    // The first layer once for all fields, the others as one product for the points of all fields.
    expect(shapes.BatchMatMul).toEqual([
      [1, POINTS, WIDTH],
      [FIELDS * POINTS, WIDTH],
      [FIELDS * POINTS, CHANNELS],
    ]);
    expect(shapes.Tile).toBeUndefined();
  });

  it('go as they are to a kernel that serves them, and repeated to one that does not', () => {
    const { spec, own, features } = setUp(SHARINGS[0]);
    const seen: number[][] = [];
    const kernel: FieldKernel = {
      supports: () => true,
      knownValue: () => undefined,
      forward: (itsSpec, weights, x) => {
        seen.push(weights.kernels.map(({ shape }) => shape[0]));
        return referenceForward(itsSpec, weights, x);
      },
      lossAndGradients: () => {
        throw new Error('not asked for');
      },
      gradients: () => {
        throw new Error('not asked for');
      },
    };
    useKernels('cpu', { field: kernel });
    fieldForward(spec, asWeights(own), features);
    useKernels('cpu', { field: { ...kernel, servesShared: true } });
    fieldForward(spec, asWeights(own), features);
    expect(seen).toEqual([
      [FIELDS, FIELDS, FIELDS],
      [1, 1, 1],
    ]);
  });
});
