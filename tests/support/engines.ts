/** The engines that this machine has; suites run over all of them. */
import { ENGINES } from '../../src/engine/engine.ts';

const probes = await Promise.all(ENGINES.map(async (engine) => ({ engine, availability: await engine.probe() })));

export const availableEngines = probes
  .filter((probe) => probe.availability.available)
  .map((probe) => probe.engine.name);

for (const { engine, availability } of probes) {
  if (!availability.available) console.info(`engine ${engine.name} not tested: ${availability.reason}`);
}
