/**
 * Kernels that the TensorFlow.js wasm backend is slow at, replaced by ones that are not.
 *
 * - BatchMatMul: with a batch or a transpose the backend multiplies naively, far below the rate of its 2-D
 *   product (XNNPACK). Here each product of a batch is a view into the operands handed to that 2-D product, after
 *   transposing where asked.
 * - Sum over leading axes (bias gradients), Transpose of the last two axes: walked in memory order.
 * - Sin, Cos: a polynomial in float64 instead of the C library's.
 *
 * All work in place on the wasm heap, without copies to JavaScript.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { type TensorInfo, tf } from '../../tf.ts';

type KernelFunc = Parameters<typeof tf.registerKernel>[0]['kernelFunc'];
type KernelArguments = { inputs: Record<string, TensorInfo>; backend: BackendWasm; attrs: Record<string, unknown> };
type Kernel = (args: KernelArguments) => TensorInfo;

/** The parts of the backend that its type declarations leave out. */
interface WasmInternals {
  wasm: {
    HEAPU8: Uint8Array<ArrayBuffer>;
    _malloc(bytes: number): number;
    _free(offset: number): void;
    cwrap(name: string, returns: null, parameters: string[]): (...values: unknown[]) => void;
    tfjs: { registerTensor(id: number, size: number, offset: number): void; disposeData(id: number): void };
  };
  dataIdNextNumber: number;
  dataIdMap: { get(id: object): { memoryOffset: number } };
}

const FLOAT_BYTES = 4;

function internalsOf(backend: BackendWasm): WasmInternals {
  return backend as unknown as WasmInternals;
}

function offsetOf(backend: BackendWasm, tensor: TensorInfo): number {
  return internalsOf(backend).dataIdMap.get(tensor.dataId).memoryOffset;
}

function heap(backend: BackendWasm, offset: number, length: number): Float32Array {
  // Asked for anew each time: the heap's buffer is replaced when it grows.
  return new Float32Array(internalsOf(backend).wasm.HEAPU8.buffer, offset, length);
}

/** target[column, row] = source[row, column], in blocks that fit the first-level cache. */
export function transposeInto(source: Float32Array, target: Float32Array, rows: number, columns: number): void {
  const block = 16;
  for (let r0 = 0; r0 < rows; r0 += block) {
    const r1 = Math.min(rows, r0 + block);
    for (let c0 = 0; c0 < columns; c0 += block) {
      const c1 = Math.min(columns, c0 + block);
      for (let c = c0; c < c1; c++) {
        for (let r = r0; r < r1; r++) target[c * rows + r] = source[r * columns + c];
      }
    }
  }
}

/**
 * target = sin(source + shift), to 1e-9 absolute for |source| < 2^20: float64 reduction to [−π/2, π/2], then the Taylor
 * polynomial of degree 13 (remainder (π/2)^15/15! = 7e-10).
 */
export function sinInto(source: Float32Array, target: Float32Array, shift: number): void {
  for (let i = 0; i < source.length; i++) {
    const x = source[i] + shift;
    const halfTurns = Math.round(x / Math.PI);
    const r = x - halfTurns * Math.PI;
    const s = r * r;
    const tail = 1 / 362880 + s * (-1 / 39916800 + s * (1 / 6227020800));
    const p = r * (1 + s * (-1 / 6 + s * (1 / 120 + s * (-1 / 5040 + s * tail))));
    target[i] = halfTurns & 1 ? -p : p;
  }
}

/** Registers the replacements for the backend named 'wasm'. Call once, after the backend has started. */
export function registerWasmKernels(): void {
  const original = (name: string) => tf.getKernel(name, 'wasm').kernelFunc as unknown as Kernel;
  const [plainMatMul, plainSum, plainTranspose] = [original('BatchMatMul'), original('Sum'), original('Transpose')];

  // Signature of the C function behind BatchMatMul: (aId, aShape, aRank, bId, bShape, bRank, transposeA, transposeB, outId).
  const number = 'number';
  const product = internalsOf(tf.backend() as BackendWasm).wasm.cwrap('BatchMatMul', null, [
    ...[number, 'array', number, number, 'array', number, number, number, number],
  ]);
  const shapeBytes = (...shape: number[]) => new Uint8Array(Int32Array.from(shape).buffer);

  /** out[m,n] = a[m,k]·b[k,n], each named by its heap offset: registers views, multiplies, forgets them. */
  const multiply = (backend: BackendWasm, a: number, b: number, out: number, m: number, k: number, n: number) => {
    const internals = internalsOf(backend);
    const view = (offset: number, length: number) => {
      const id = internals.dataIdNextNumber++;
      internals.wasm.tfjs.registerTensor(id, length, offset);
      return id;
    };
    const ids = [view(a, m * k), view(b, k * n), view(out, m * n)];
    product(ids[0], shapeBytes(1, m, k), 3, ids[1], shapeBytes(1, k, n), 3, 0, 0, ids[2]);
    for (const id of ids) internals.wasm.tfjs.disposeData(id);
  };

  const batchMatMul: Kernel = (args) => {
    const { inputs, backend, attrs } = args;
    const { a, b } = inputs;
    const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
    const [aRank, bRank] = [a.shape.length, b.shape.length];
    const [m, k] = transposeA ? [a.shape[aRank - 1], a.shape[aRank - 2]] : [a.shape[aRank - 2], a.shape[aRank - 1]];
    const n = transposeB ? b.shape[bRank - 2] : b.shape[bRank - 1];
    const [aBatch, bBatch] = [sizeOf(a.shape.slice(0, -2)), sizeOf(b.shape.slice(0, -2))];
    const simple = aBatch === bBatch || aBatch === 1 || bBatch === 1;
    const innerB = transposeB ? b.shape[bRank - 1] : b.shape[bRank - 2];
    if (!simple || k !== innerB || a.dtype !== 'float32' || b.dtype !== 'float32' || m * n * k === 0) {
      return plainMatMul(args);
    }
    if (aBatch === 1 && bBatch === 1 && !transposeA && !transposeB) return plainMatMul(args);
    const batch = Math.max(aBatch, bBatch);
    const outer = aBatch >= bBatch ? a.shape.slice(0, -2) : b.shape.slice(0, -2);
    const out = backend.makeOutput([...outer, m, n], 'float32');
    const internals = internalsOf(backend);
    // One scratch matrix per transposed operand, reused over the batch.
    const scratchA = transposeA ? internals.wasm._malloc(m * k * FLOAT_BYTES) >>> 0 : 0;
    const scratchB = transposeB ? internals.wasm._malloc(k * n * FLOAT_BYTES) >>> 0 : 0;
    for (let i = 0; i < batch; i++) {
      let aOffset = offsetOf(backend, a) + (aBatch === 1 ? 0 : i * m * k * FLOAT_BYTES);
      let bOffset = offsetOf(backend, b) + (bBatch === 1 ? 0 : i * k * n * FLOAT_BYTES);
      if (transposeA) {
        if (i === 0 || aBatch > 1) transposeInto(heap(backend, aOffset, m * k), heap(backend, scratchA, m * k), k, m);
        aOffset = scratchA;
      }
      if (transposeB) {
        if (i === 0 || bBatch > 1) transposeInto(heap(backend, bOffset, k * n), heap(backend, scratchB, k * n), n, k);
        bOffset = scratchB;
      }
      multiply(backend, aOffset, bOffset, offsetOf(backend, out) + i * m * n * FLOAT_BYTES, m, k, n);
    }
    if (transposeA) internals.wasm._free(scratchA);
    if (transposeB) internals.wasm._free(scratchB);
    return out;
  };

  /** Sums over one axis that is not the last, or over the first few axes. */
  const sum: Kernel = (args) => {
    const { inputs, backend, attrs } = args;
    const { x } = inputs;
    const axes = tf.util.parseAxisParam(attrs.axis as number | number[], x.shape);
    const first = axes[0];
    const contiguous = axes.every((axis, i) => axis === first + i);
    const inner = contiguous ? sizeOf(x.shape.slice(first + axes.length)) : 1;
    if (x.dtype !== 'float32' || !contiguous || inner < 4) return plainSum(args);
    const outer = sizeOf(x.shape.slice(0, first));
    const reduced = sizeOf(x.shape.slice(first, first + axes.length));
    const keepDims = attrs.keepDims as boolean;
    const shape = x.shape.flatMap((size, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [size]));
    const out = backend.makeOutput(shape, 'float32');
    const source = heap(backend, offsetOf(backend, x), outer * reduced * inner);
    const target = heap(backend, offsetOf(backend, out), outer * inner);
    const row = new Float64Array(inner);
    for (let o = 0; o < outer; o++) {
      row.fill(0);
      for (let r = 0, at = o * reduced * inner; r < reduced; r++) {
        for (let i = 0; i < inner; i++) row[i] += source[at++];
      }
      target.set(row, o * inner);
    }
    return out;
  };

  const transpose: Kernel = (args) => {
    const { inputs, backend, attrs } = args;
    const { x } = inputs;
    const perm = attrs.perm as number[];
    const rank = x.shape.length;
    const swapsLastTwo =
      rank >= 2 &&
      perm.every((axis, i) => (i < rank - 2 ? axis === i : i === rank - 2 ? axis === rank - 1 : axis === rank - 2));
    if (x.dtype !== 'float32' || !swapsLastTwo) return plainTranspose(args);
    const [rows, columns] = [x.shape[rank - 2], x.shape[rank - 1]];
    const out = backend.makeOutput([...x.shape.slice(0, -2), columns, rows], 'float32');
    const batch = sizeOf(x.shape.slice(0, -2));
    for (let i = 0; i < batch; i++) {
      const at = i * rows * columns * FLOAT_BYTES;
      const source = heap(backend, offsetOf(backend, x) + at, rows * columns);
      transposeInto(source, heap(backend, offsetOf(backend, out) + at, rows * columns), rows, columns);
    }
    return out;
  };

  const sine =
    (shift: number): Kernel =>
    ({ inputs, backend }) => {
      const { x } = inputs;
      const length = sizeOf(x.shape);
      const out = backend.makeOutput(x.shape, 'float32');
      sinInto(heap(backend, offsetOf(backend, x), length), heap(backend, offsetOf(backend, out), length), shift);
      return out;
    };

  replace('BatchMatMul', batchMatMul);
  replace('Sum', sum);
  replace('Transpose', transpose);
  replace('Sin', sine(0));
  replace('Cos', sine(Math.PI / 2));
}

function replace(kernelName: string, kernelFunc: Kernel): void {
  // The setup function of the original has run; the replacements need none.
  tf.unregisterKernel(kernelName, 'wasm');
  tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc: kernelFunc as unknown as KernelFunc });
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
