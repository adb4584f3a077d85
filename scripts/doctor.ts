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
        const { detail, onlyByName } = availability;
        const mark = chosen === undefined && !onlyByName ? 'used by --engine auto' : 'available';
        if (!onlyByName) chosen ??= engine.name;
        const passedOver = onlyByName ? `; not for --engine auto: ${onlyByName}` : '';
        console.log(`✓ ${engine.name.padEnd(12)} ${mark}: ${engine.description}; ${detail}${passedOver}`);
      } else {
        console.log(`✗ ${engine.name.padEnd(12)} ${availability.reason}; ${availability.remedy}`);
      }
    }
  },
};

await runAsProgram(import.meta.url, 'doctor', doctor);
