/**
 * How the kernels of mixed precision lay out memory. Whatever the matrix units read as 16 bits (weights, features,
 * activations, deltas) lies [channel][point] or in blocks of 16 × 16, so that every matrix but one is read along its rows.
 */
import type { FieldSpec } from '../../ops/fieldSpec.ts';
import type { AdapterDescription, SubgroupMatrixConfig } from './device.ts';
import { type FieldLayout, fieldLayout, WIDTH_UNIT, workspaceOf } from './fieldLayout.ts';

/**
 * Deltas are stored without the mean's factor 2/(fields · points · channels), which 16 bits can't hold, and times this:
 * errors of an output down to 2⁻²² keep all their 11 bits, and deltas have room to grow to 256 times the largest error of
 * an image. The factor enters the gradients' sums, in 32 bits (Micikevicius et al. 2018, §3.2).
 */
export const LOSS_SCALE = 256;

/** Subgroups of a workgroup, where the width leaves the choice. */
export const SUBGROUPS = 8;
/** Values after each row in workgroup memory, so that rows don't begin in the same bank. */
export const ROW_PADDING = 8;

/** The matrices that an adapter multiplies, the subgroup that does, and the block that it sums in its registers. */
export interface MatrixUnit {
  M: number;
  N: number;
  K: number;
  subgroupSize: number;
  /** Matrices of a block: outputs × points in the layers, inputs × outputs in the gradients. */
  rows: number;
  columns: number;
}

/** Each matrix that is read serves several products; 64 sums a thread where M = N = 16 and a subgroup has 32. */
const BLOCK = { rows: 2, columns: 4 };
/** Where a processor plays the GPU, its compiler writes out every product as scalar code: minutes for a large block. */
const SOFTWARE_BLOCK = { rows: 1, columns: 1 };

/** The largest matrices f16 × f16 → f32 of the adapter that divide the padded widths, or none. */
export function matrixUnit(adapter: AdapterDescription): MatrixUnit | undefined {
  const { halfPrecision, subgroupSize, subgroupMatrices, software } = adapter;
  if (!halfPrecision || subgroupSize === undefined) return undefined;
  const size = ({ M, N, K }: SubgroupMatrixConfig) => M * N * K;
  const fits = subgroupMatrices.filter(({ M, N, K }) => [M, N, K].every((edge) => edge === 8 || edge === 16));
  const [best] = fits.sort((a, b) => size(b) - size(a));
  return best && { M: best.M, N: best.N, K: best.K, subgroupSize, ...(software ? SOFTWARE_BLOCK : BLOCK) };
}

export interface MixedLayer {
  /** Where the kernel's transpose [outputs, hidden + features], its hidden part and the bias begin. */
  forward: number;
  backward: number;
  bias: number;
}

export interface MixedLayout {
  /** Widths, and where gradients lie; the output's width is padded as the others' are. */
  field: FieldLayout;
  layers: readonly MixedLayer[];
  /** Values of one field's packed kernels and biases. */
  weightStride: number;
  biasStride: number;
  featuresPadded: number;
  /** Values that a training pass keeps for each point. */
  valuesPerPoint: number;
}

export function mixedLayout(spec: FieldSpec): MixedLayout {
  const field = fieldLayout(spec, WIDTH_UNIT);
  let [weightStride, biasStride] = [0, 0];
  const layers = field.layers.map(({ hiddenPadded, featuresPadded, outputsPadded }) => {
    const forward = weightStride;
    const backward = forward + outputsPadded * (hiddenPadded + featuresPadded);
    const bias = biasStride;
    weightStride = backward + outputsPadded * hiddenPadded;
    biasStride += outputsPadded;
    return { forward, backward, bias };
  });
  const { valuesPerPoint } = workspaceOf(field);
  return { field, layers, weightStride, biasStride, featuresPadded: field.layers[0].featuresPadded, valuesPerPoint };
}

/** How a workgroup shares out a layer of so many outputs over its tile of points. */
export interface MixedTile {
  unit: MatrixUnit;
  points: number;
  subgroups: number;
  /** Blocks of outputs of the widest layer. */
  strips: number;
  /** Rows of the tile. */
  width: number;
  /** Matrices of results that a subgroup puts into workgroup memory at a time; divides the block's columns. */
  staged: number;
}

/** The largest tile that workgroup memory [bytes] and the number of threads admit, or none. */
export function mixedTile(
  { field }: MixedLayout,
  unit: MatrixUnit,
  memory: number,
  mostThreads: number,
): MixedTile | undefined {
  const width = Math.max(field.widestHidden, field.layers[field.layers.length - 1].outputsPadded);
  const strips = Math.ceil(width / (unit.rows * unit.M));
  for (const across of [2, 1]) {
    for (let staged = unit.columns; staged >= 1; staged /= 2) {
      const points = across * unit.columns * unit.N;
      const subgroups = across * strips;
      const tile = { unit, points, subgroups, strips, width, staged };
      const bytes = 2 * width * (points + ROW_PADDING) + 4 * subgroups * stageSize(tile);
      const isSmall = subgroups <= SUBGROUPS || across === 1;
      if (isSmall && bytes <= memory && subgroups * unit.subgroupSize <= mostThreads) return tile;
    }
  }
  return undefined;
}

/** Everything that tells the code of one tile's kernels from another's. */
export const tileKey = ({ unit, points, staged }: MixedTile) => `${Object.values(unit).join('x')} ${points} ${staged}`;

/** Values of a row of staged results, and of all that a subgroup stages. */
export const stageStride = ({ unit, staged }: MixedTile) => staged * unit.N + ROW_PADDING;
export const stageSize = (tile: MixedTile) => tile.unit.M * stageStride(tile);

/** The head of a shader that multiplies matrices: `Left` [M,K] · `Right` [K,N] + `Result` [M,N]. */
export const matrixTypes = ({ M, N, K }: MatrixUnit) => `
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
alias Left = subgroup_matrix_left<f16, ${K}, ${M}>;
alias Right = subgroup_matrix_right<f16, ${N}, ${K}>;
alias Result = subgroup_matrix_result<f32, ${N}, ${M}>;`;

/** Rounds to 16 bits; beyond their range, to the last number in it. What is no number stays none (clamp would lose it). */
export const HALF = `
fn half(v: vec4f) -> vec4<f16> {
  let none = (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  return vec4<f16>(select(clamp(v, vec4f(-65504.0), vec4f(65504.0)), v, none));
}`;
