/// <reference types="@webgpu/types" />
/**
 * Opens a GPU through Dawn (npm `webgpu`): the adapter, its limits and features, and what became of the device.
 *
 * Settings from the environment: `CHLADNI_GPU` picks the adapter whose name contains it; `CHLADNI_DAWN` enables toggles of
 * Dawn's, for measurements (`disable_robustness,disable_workgroup_init`: what the checks of indices cost).
 */
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { messageOf, RunError, UsageError } from '../../errors.ts';

/** What the types of WebGPU that TensorFlow.js was built with do not know yet. */
export interface SubgroupMatrixConfig {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}
type AdapterInfo = GPUAdapterInfo & {
  isFallbackAdapter?: boolean;
  subgroupMinSize?: number;
  subgroupMaxSize?: number;
  subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig>;
};

export interface AdapterDescription {
  /** Vendor, architecture and device, as the driver names them. */
  name: string;
  /** Whether the processor plays the GPU (SwiftShader, lavapipe): right, and slow. */
  software: boolean;
  /** 16-bit floats in shaders. */
  halfPrecision: boolean;
  /** Subgroup size, where it is fixed and matrices of subgroups may be used; and their shapes f16 × f16 → f32. */
  subgroupSize?: number;
  subgroupMatrices: readonly SubgroupMatrixConfig[];
}

/** An open device. `check` throws what went wrong on it since; nothing that was read before may be trusted then. */
export interface OpenDevice {
  device: GPUDevice;
  adapterInfo: GPUAdapterInfo;
  description: AdapterDescription;
  check(): void;
}

interface Dawn {
  create(options: string[]): GPU;
  globals: object;
}

const FEATURES = ['timestamp-query', 'shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Why there is no GPU to use, and what to do. */
export class NoGpu extends Error {
  constructor(
    reason: string,
    readonly remedy: string,
  ) {
    super(reason);
  }
}

const VULKAN_REMEDY =
  'install the Vulkan loader (Debian: apt-get install libvulkan1) and the driver of your GPU; in a container, run it with ' +
  'NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics';
const DRIVER_REMEDY =
  'install a Vulkan driver (NVIDIA: the graphics part of the driver; others: mesa-vulkan-drivers); containers need ' +
  'NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics, headless hosts may need VK_DRIVER_FILES to name the ICD for EGL';

let gpu: GPU | undefined;

function dawnOptions(): string[] {
  const { CHLADNI_GPU: wanted, CHLADNI_DAWN: toggles } = process.env;
  // Subgroup matrices are experimental in Dawn; timestamps are rounded to 0.1 ms by default.
  const enabled = ['allow_unsafe_apis', ...(toggles ? [toggles] : [])];
  const options = [`enable-dawn-features=${enabled}`, 'disable-dawn-features=timestamp_quantization'];
  return wanted ? [...options, `adapter=${wanted}`] : options;
}

function requireLoader(): void {
  if (process.platform !== 'linux' || isLibraryThere('libvulkan.so.1')) return;
  throw new NoGpu('there is no Vulkan loader (libvulkan.so.1)', VULKAN_REMEDY);
}

/** Dawn's entry point, made once: adapters of two instances can't be told apart. */
async function openDawn(): Promise<GPU> {
  if (gpu) return gpu;
  requireLoader();
  // Some Vulkan drivers complain to the terminal without it, though nothing is displayed.
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  let dawn: Dawn;
  try {
    dawn = (await import('webgpu')) as unknown as Dawn;
  } catch (error) {
    throw new NoGpu(
      `the package webgpu does not load here: ${messageOf(error).split('\n')[0]}`,
      'it needs glibc 2.34 or newer (Debian 12, Ubuntu 22.04), macOS or Windows; use another engine',
    );
  }
  Object.assign(globalThis, dawn.globals);
  gpu = dawn.create(dawnOptions());
  // TensorFlow.js looks for the GPU where browsers have it.
  const browser = globalThis as { navigator?: object };
  if (!browser.navigator) Object.defineProperty(browser, 'navigator', { value: {}, configurable: true });
  const navigator = browser.navigator as object;
  if (!('gpu' in navigator)) Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  return gpu;
}

/** Whether the system's loader finds a library. It is none of Node's modules, so loading it fails either way. */
function isLibraryThere(name: string): boolean {
  try {
    process.dlopen({ exports: {} }, name);
    return true;
  } catch (error) {
    return !messageOf(error).includes('cannot open shared object');
  }
}

async function requestAdapter(): Promise<GPUAdapter> {
  const dawn = await openDawn();
  let adapter: GPUAdapter | null;
  try {
    adapter = await dawn.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    throw noAdapter(messageOf(error)); // where none has the name that was wanted: it lists those that there are
  }
  if (!adapter) throw noAdapter();
  return adapter;
}

function noAdapter(listed = ''): Error {
  const wanted = process.env.CHLADNI_GPU;
  if (wanted) {
    const names = [...listed.matchAll(/name: '([^']*)'/g)].map(([, name]) => name).join(', ') || 'none';
    return new UsageError(`CHLADNI_GPU=${wanted}: no GPU here has that in its name; there is: ${names}`);
  }
  return new NoGpu('Vulkan finds no GPU that Dawn can use', DRIVER_REMEDY);
}

/** What an adapter says of itself; features as a list where it comes from another process. */
interface AdapterReport {
  info: AdapterInfo;
  features: Iterable<string>;
}

function describe({ info, features }: AdapterReport): AdapterDescription {
  const parts = [info.vendor, info.architecture, info.device, info.description].filter((part) => part);
  const name = [...new Set(parts)].join(' ');
  const offered = new Set(features);
  const { subgroupMinSize, subgroupMaxSize } = info;
  const matrices = offered.has('chromium-experimental-subgroup-matrix') ? [...(info.subgroupMatrixConfigs ?? [])] : [];
  return {
    name,
    software: info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe/i.test(name),
    halfPrecision: offered.has('shader-f16'),
    subgroupSize: offered.has('subgroups') && subgroupMinSize === subgroupMaxSize ? subgroupMaxSize : undefined,
    subgroupMatrices: matrices
      .filter(({ componentType, resultComponentType }) => componentType === 'f16' && resultComponentType === 'f32')
      .map(({ componentType, resultComponentType, M, N, K }) => ({ componentType, resultComponentType, M, N, K })),
  };
}

/** Prints the report of the adapter that `requestAdapter` would take, or null. */
const REPORT = `
const { create } = await import(process.argv[1]);
const adapter = await create(JSON.parse(process.argv[2])).requestAdapter({ powerPreference: 'high-performance' });
const fields = ['vendor', 'architecture', 'device', 'description', 'isFallbackAdapter', 'subgroupMinSize', 'subgroupMaxSize'];
const matrix = ({ componentType, resultComponentType, M, N, K }) => ({ componentType, resultComponentType, M, N, K });
console.log(JSON.stringify(adapter && {
  info: {
    ...Object.fromEntries(fields.map((field) => [field, adapter.info[field]])),
    subgroupMatrixConfigs: [...(adapter.info.subgroupMatrixConfigs ?? [])].map(matrix),
  },
  features: [...adapter.features],
}));
process.exit(0);`;

/**
 * Looks at the GPU that `openDevice` would take: in a process of its own, since drivers write to the terminal, and bad
 * ones take their process with them.
 *
 * @throws NoGpu
 */
export async function describeGpu(): Promise<AdapterDescription> {
  requireLoader();
  const url = import.meta.resolve('webgpu');
  const args = ['--input-type=module', '-e', REPORT, url, JSON.stringify(dawnOptions())];
  let report: AdapterReport | null;
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 });
    report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  } catch {
    // Where node runs in an unusual way (under a loader of its own, say), here.
    report = (await requestAdapter()) as unknown as AdapterReport;
  }
  if (!report) throw noAdapter();
  return describe(report);
}

/**
 * Opens the GPU with everything that its adapter offers.
 *
 * @throws NoGpu where there is none, RunError where the driver refuses.
 */
export async function openDevice(): Promise<OpenDevice> {
  const adapter = await requestAdapter();
  const description = describe(adapter as unknown as AdapterReport);
  const offered = adapter.features as ReadonlySet<string>;
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({
      requiredFeatures: FEATURES.filter((feature) => offered.has(feature)) as GPUFeatureName[],
      requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
    });
  } catch (error) {
    throw new RunError(`the GPU (${description.name}) can't be opened: ${messageOf(error)}`);
  }
  let failure: string | undefined;
  device.addEventListener('uncapturederror', (event) => {
    event.preventDefault(); // else Dawn writes it to the terminal
    const { error } = event as GPUUncapturedErrorEvent;
    failure ??= isOutOfMemory(error)
      ? `the GPU has no memory left for this (${firstLine(error.message)}): lower train.batch or train.points`
      : `the GPU refused a command: ${firstLine(error.message)}`;
  });
  void device.lost.then(({ message }) => {
    failure = `the GPU was lost (${firstLine(message) || 'its driver gave no reason'}): what was saved is kept, --resume goes on`;
  });
  const check = () => {
    if (failure) throw new RunError(failure);
  };
  return { device, adapterInfo: adapter.info, description, check };
}

/** Buffers past the largest size are a validation error in WebGPU, and the same to a user. */
function isOutOfMemory(error: GPUError): boolean {
  return (
    error instanceof GPUOutOfMemoryError ||
    /max buffer size|maximum (storage )?buffer binding size|out of memory|OOM/i.test(error.message)
  );
}

const firstLine = (text: string) => text.trim().split('\n')[0];
