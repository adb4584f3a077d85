/** The arithmetic that the field can be trained in on an adapter, each measured beside 32 bits. */

import type { AdapterDescription } from '../../src/engine/webgpu/device.ts';
import { matrixUnit } from '../../src/engine/webgpu/mixedLayout.ts';
import type { Precision as FieldPrecision } from '../../src/ops/field.ts';

export interface Precision {
  name: FieldPrecision;
  /** In the names of figures. */
  suffix: '' | '_mixed';
  /** How far gradients may be from float64, relative to the largest. */
  gradientBound: number;
  /** How far the losses of the first steps may be from another engine's. */
  lossBound: number;
}

/** 32 bits first: the others are held against it. */
export function precisionsOf(adapter: AdapterDescription): Precision[] {
  const single: Precision = { name: 'float32', suffix: '', gradientBound: 1e-4, lossBound: 2e-5 };
  const mixed: Precision = { name: 'mixed', suffix: '_mixed', gradientBound: 3e-2, lossBound: 5e-3 };
  return matrixUnit(adapter) ? [single, mixed] : [single];
}
