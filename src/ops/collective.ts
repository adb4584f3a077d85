/**
 * Processes that train one model together (data parallelism): each takes a gradient of its own part of the batch, and all
 * make the same update with the mean. A collective stands between gradient and update, and nowhere else.
 */
export interface Collective {
  /** This process among them, from 0. */
  rank: number;
  /** How many there are. */
  size: number;
  /**
   * The mean over all processes, the same bits in each. Every process calls it once a phase of a step, with as many values:
   * its loss, then its gradients flattened one after another, in the order of the groups' parameters. The rows of tables
   * are those of the batch: processes must train the same rows, or have none.
   *
   * @param values left as they are, but perhaps returned.
   */
  allReduce(values: Float32Array): Promise<Float32Array>;
}

/** One process: the mean is what it has. */
export const alone: Collective = {
  rank: 0,
  size: 1,
  async allReduce(values) {
    return values;
  },
};
