/**
 * The engines that this machine has; suites run over all of them. `CHLADNI_REQUIRE_ENGINES=webgpu,…` names those without
 * which the tests must not pass (CI: a driver that went missing would else leave an engine untested, and nobody the wiser).
 */
import { ENGINES } from '../../src/engine/engine.ts';

const probes = await Promise.all(ENGINES.map(async (engine) => ({ engine, availability: await engine.probe() })));

export const availableEngines = probes
  .filter((probe) => probe.availability.available)
  .map((probe) => probe.engine.name);

/** Whether the environment says that this must be tested here. */
export function isRequired(name: string): boolean {
  return (process.env.CHLADNI_REQUIRE_ENGINES ?? '').split(',').includes(name);
}

for (const { engine, availability } of probes) {
  if (availability.available) continue;
  const line = `engine ${engine.name} not tested: ${availability.reason}`;
  if (isRequired(engine.name)) throw new Error(`${line}, but CHLADNI_REQUIRE_ENGINES names it`);
  console.info(line);
}
