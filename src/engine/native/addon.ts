/** Finds, loads and configures the C++ addon (native/addon.cc). */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, UsageError } from '../../errors.ts';
import { threadCount } from './threads.ts';

/** The functions of native/addon.cc. Each checks every length it is given and throws a TypeError where one is wrong. */
export interface Addon {
  /** Chooses the number of threads and the instruction set ('' for the best); returns its name. */
  configure(threads: number, instructionSet: string): string;
  /** Those this machine can run, best first. */
  instructionSets(): string[];
  field(
    mode: number,
    widths: readonly number[],
    /** The layer that reads [hidden, features]; 0: none. */
    skip: number,
    activation: number,
    omega: number,
    sigmoid: boolean,
    sharedFeatures: boolean,
    fields: number,
    points: number,
    kernels: readonly Float32Array[],
    biases: readonly Float32Array[],
    features: Float32Array,
    targets: Float32Array | null,
    output: Float32Array | null,
    losses: Float32Array | null,
    kernelGradients?: readonly Float32Array[],
    biasGradients?: readonly Float32Array[],
    featureGradients?: Float32Array | null,
  ): void;
  gemm(
    a: Float32Array,
    b: Float32Array,
    c: Float32Array,
    batch: number,
    m: number,
    n: number,
    k: number,
    oneA: boolean,
    oneB: boolean,
    transposeA: boolean,
    transposeB: boolean,
  ): void;
  conv(
    kind: number,
    extents: readonly number[],
    x: Float32Array | null,
    filter: Float32Array | null,
    dy: Float32Array | null,
    out: Float32Array,
  ): void;
  unary(op: number, x: Float32Array, y: Float32Array, p0: number, p1: number): void;
  binary(
    op: number,
    shape: readonly number[],
    a: Float32Array,
    stridesA: readonly number[],
    b: Float32Array,
    stridesB: readonly number[],
    y: Float32Array,
  ): void;
  sum(x: Float32Array, y: Float32Array, outer: number, reduce: number, inner: number, scale: number): void;
  stridedCopy(
    shape: readonly number[],
    x: Float32Array | Int32Array,
    offsetX: number,
    stridesX: readonly number[],
    y: Float32Array | Int32Array,
    offsetY: number,
    stridesY: readonly number[],
  ): void;
  adam(
    parameter: Float32Array,
    firstMoment: Float32Array,
    secondMoment: Float32Array,
    gradient: Float32Array,
    stepSize: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    inverseRootCorrection: number,
  ): void;
  ema(average: Float32Array, value: Float32Array, decay: number): void;
  addN(y: Float32Array, terms: readonly Float32Array[]): void;
  gather(x: Float32Array, indices: Int32Array, y: Float32Array, outer: number, tableRows: number, inner: number): void;
  scatterAdd(x: Float32Array, indices: Int32Array, y: Float32Array, inner: number): void;
  fieldOnGrid(
    widths: readonly number[],
    /** The layer that reads [hidden, features]; 0: none. */
    skip: number,
    activation: number,
    omega: number,
    sigmoid: boolean,
    fields: number,
    kernels: readonly Float32Array[],
    biases: readonly Float32Array[],
    xs: Float64Array,
    ys: Float64Array,
    frequencies: Float64Array,
    gains: Float64Array | null,
    firstPixel: number,
    points: number,
    output: Float32Array,
  ): void;
  grid(
    xs: Float64Array,
    ys: Float64Array,
    frequencies: Float64Array,
    gains: Float64Array | null,
    indices: Int32Array | null,
    firstPixel: number,
    features: Float32Array,
  ): void;
  /** Floating-point operations per second that fused multiply-adds in registers alone reach. */
  fmaLimit(seconds: number): number;
  /** Bytes read and written per second by a copy of that many floats. */
  copyLimit(floats: number, seconds: number): number;
}

export interface NativeSettings {
  threads: number;
  instructionSet: string;
}

/** Where the build leaves the addon, seen from the sources and from dist/. */
const PLACES = ['../../../build/', '../../../../build/'].map((place) => fileURLToPath(new URL(place, import.meta.url)));

let loaded: { addon: Addon; settings: NativeSettings } | undefined;

/**
 * The addon, configured from the environment on first use: CHLADNI_THREADS (or every core this process may use) and
 * CHLADNI_SIMD (an instruction set by name, or the best).
 *
 * @throws Error where it was not built or can't be loaded; UsageError where a variable is wrong.
 */
export function loadAddon(): { addon: Addon; settings: NativeSettings } {
  if (loaded) return loaded;
  const path = PLACES.map((place) => join(place, 'chladni.node')).find(existsSync);
  if (!path) {
    const told = PLACES.map((place) => join(place, 'not-built.txt')).find(existsSync);
    throw new Error(`the addon was not built${told ? `: ${readFileSync(told, 'utf8')}` : ''}`);
  }
  const addon = createRequire(import.meta.url)(path) as Addon;
  loaded = { addon, settings: configure(addon, threadCount(), process.env.CHLADNI_SIMD ?? '') };
  return loaded;
}

/** Changes the threads or the instruction set of a loaded addon; between operations only. */
export function configureNative(change: Partial<NativeSettings>): NativeSettings {
  const { addon, settings } = loadAddon();
  const next = { ...settings, ...change };
  loaded = { addon, settings: configure(addon, next.threads, next.instructionSet) };
  return loaded.settings;
}

function configure(addon: Addon, threads: number, instructionSet: string): NativeSettings {
  try {
    return { threads, instructionSet: addon.configure(threads, instructionSet) };
  } catch (error) {
    throw new UsageError(`CHLADNI_SIMD: ${messageOf(error)}; it has ${addon.instructionSets().join(', ')}`);
  }
}
