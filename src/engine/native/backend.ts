/** The TensorFlow.js backend `native`: the JavaScript backend with its memory recycled. */
import { type DataType, type TensorInfo, tf } from '../../tf.ts';

export type Values = Float32Array | Int32Array | Uint8Array;

/** What this engine uses of TensorFlow.js's MathBackendCPU, whose class is taken from its registered instance. */
export interface CpuBackend {
  data: { get(dataId: object): { values: Values; refCount: number }; has(dataId: object): boolean };
  makeTensorInfo(shape: readonly number[], dtype: DataType, values?: Values): TensorInfo;
  write(values: Values, shape: readonly number[], dtype: DataType): object;
  move(dataId: object, values: Values, shape: readonly number[], dtype: DataType, refCount: number): void;
  readSync(dataId: object): Values;
  disposeData(dataId: object, force?: boolean): boolean;
}

export interface NativeBackend extends CpuBackend {
  /** A new tensor whose values are undefined until a kernel has written them all. */
  allocate(shape: readonly number[], dtype?: 'float32' | 'int32'): { info: TensorInfo; values: Float32Array };
  /** The values of a float32 tensor; not to be changed unless it was just allocated. */
  floats(tensor: TensorInfo): Float32Array;
  /** The values of an int32 tensor. */
  integers(tensor: TensorInfo): Int32Array;
  /** Whether that tensor alone, and nobody outside, sees its values: then they may be changed in place. */
  isExclusive(tensor: TensorInfo): boolean;
}

/** Shorter arrays are cheaper to make than to keep. */
const SHORTEST_RECYCLED = 2048;
const MOST_IDLE_BYTES = 2 ** 30;

/** Arrays that no tensor uses, by length. A training step asks for the same lengths over and over. */
class ArrayPool {
  private readonly idle = new Map<number, Float32Array[]>();
  private idleBytes = 0;

  take(length: number): Float32Array {
    const array = this.idle.get(length)?.pop();
    if (!array) return new Float32Array(length);
    this.idleBytes -= array.byteLength;
    return array;
  }

  give(array: Float32Array): void {
    if (this.idleBytes + array.byteLength > MOST_IDLE_BYTES) {
      this.idle.clear();
      this.idleBytes = 0;
    }
    const arrays = this.idle.get(array.length);
    if (arrays) arrays.push(array);
    else this.idle.set(array.length, [array]);
    this.idleBytes += array.byteLength;
  }
}

/**
 * Makes the backend. An array is recycled when its tensor is disposed, unless somebody else may still see it: reading a
 * tensor hands out the array itself, and some JavaScript kernels make tensors that share one.
 */
export function createNativeBackend(): NativeBackend {
  const Base = (tf.findBackend('cpu') as object).constructor as new () => CpuBackend;

  class Backend extends Base implements NativeBackend {
    private readonly pool = new ArrayPool();
    /** Buffers of this pool's arrays that one tensor alone uses. */
    private readonly owned = new WeakSet<ArrayBufferLike>();

    allocate(shape: readonly number[], dtype: 'float32' | 'int32' = 'float32') {
      const length = tf.util.sizeFromShape(shape as number[]);
      if (dtype === 'int32' || length < SHORTEST_RECYCLED) {
        const values = (dtype === 'int32' ? new Int32Array(length) : new Float32Array(length)) as Float32Array;
        return { info: super.makeTensorInfo(shape, dtype, values), values };
      }
      const values = this.pool.take(length);
      const info = super.makeTensorInfo(shape, dtype, values);
      this.owned.add(values.buffer);
      return { info, values };
    }

    // A cast from bool or int32 only renames the type, so the array may be of another one than the tensor says.
    floats(tensor: TensorInfo): Float32Array {
      const { values } = this.data.get(tensor.dataId);
      return values instanceof Float32Array ? values : Float32Array.from(values);
    }

    integers(tensor: TensorInfo): Int32Array {
      const { values } = this.data.get(tensor.dataId);
      return values instanceof Int32Array ? values : Int32Array.from(values);
    }

    isExclusive(tensor: TensorInfo): boolean {
      const { values, refCount } = this.data.get(tensor.dataId);
      return refCount === 1 && this.owned.has(values.buffer);
    }

    override write(values: Values, shape: readonly number[], dtype: DataType): object {
      this.release(values);
      return super.write(values, shape, dtype);
    }

    override move(dataId: object, values: Values, shape: readonly number[], dtype: DataType, refCount: number): void {
      this.release(values);
      super.move(dataId, values, shape, dtype, refCount);
    }

    override readSync(dataId: object): Values {
      const values = super.readSync(dataId);
      this.release(values);
      return values;
    }

    override disposeData(dataId: object, force = false): boolean {
      const values = this.data.has(dataId) ? this.data.get(dataId).values : undefined;
      const disposed = super.disposeData(dataId, force);
      if (disposed && values?.buffer && this.owned.has(values.buffer)) {
        this.owned.delete(values.buffer);
        this.pool.give(values as Float32Array);
      }
      return disposed;
    }

    private release(values: Values | undefined): void {
      if (values?.buffer) this.owned.delete(values.buffer);
    }
  }
  return new Backend();
}
