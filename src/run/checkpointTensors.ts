/** How a checkpoint names the tensors of a training state, and which of them a model is drawn with. */
import type { SafeTensors } from './safetensors.ts';

/** What stands before a parameter's name. */
export const STORED_AS = {
  parameter: 'parameter/',
  firstMoment: 'adam.m/',
  secondMoment: 'adam.v/',
  average: 'ema/',
  /** Before a group's name: how often each row of its tables was updated, [N] int32. */
  rowUpdates: 'adam.n/',
} as const;

/** The parameters to draw with among a checkpoint's tensors, by name: averages, where there are any. */
export function storedParameters(tensors: SafeTensors): SafeTensors {
  const under = (prefix: string) =>
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    );
  return Object.fromEntries([...under(STORED_AS.parameter), ...under(STORED_AS.average)]);
}
