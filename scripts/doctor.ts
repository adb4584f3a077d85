import { cpus } from 'node:os';
import { ENGINES } from '../src/engine/engine.ts';
import { type Command, runAsProgram } from './cli.ts';

export const doctor: Command = {
  command: 'doctor',
  describe: 'show which engines work here, why others do not, and what to do',
  handler: async () => {
    console.log(
      `Node ${process.versions.node} on ${process.platform}-${process.arch}, ${cpus().length} cores (${cpus()[0]?.model.trim()})`,
    );
    let chosen: string | undefined;
    for (const engine of ENGINES) {
      const availability = await engine.probe();
      if (availability.available) {
        const mark = chosen === undefined ? 'used by --engine auto' : 'available';
        chosen ??= engine.name;
        console.log(`✓ ${engine.name.padEnd(12)} ${mark}: ${engine.description}; ${availability.detail}`);
      } else {
        console.log(`✗ ${engine.name.padEnd(12)} ${availability.reason}; ${availability.remedy}`);
      }
    }
  },
};

await runAsProgram(import.meta.url, 'doctor', doctor);
