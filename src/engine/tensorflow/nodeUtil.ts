/** What tfjs-node 4.22 calls of Node's `util` and newer versions of Node no longer have, or warn about. */
import { createRequire } from 'node:module';

const SUPPLEMENT = {
  isArray: Array.isArray,
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
};

/**
 * Gives `util` the two functions that tfjs-node's backend calls for every op: Node 22 prints a deprecation warning for
 * them (DEP0044, DEP0051), Node 23 has no `isNullOrUndefined`, and no release of tfjs-node does without (tfjs#8609).
 */
export function supplementUtil(util: object = createRequire(import.meta.url)('node:util')): void {
  Object.assign(util, SUPPLEMENT);
}
