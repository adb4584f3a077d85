/** Members that train one model together. */

/** Stands between gradient and update: each member has the gradients of its own part of a batch. */
export interface Collective {
  /** Of this member, from 0. */
  rank: number;
  size: number;
  /** The mean over all members of gradients, flattened in the order of their names. */
  allReduce(values: Float32Array): Promise<Float32Array>;
}

/** One process. */
export const alone: Collective = { rank: 0, size: 1, allReduce: async (values) => values };
